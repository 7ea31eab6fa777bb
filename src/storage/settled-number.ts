/** Up to which number of a table nobody can still write a row: what is behind it stays as it is read. */
import { sql } from 'kysely'
import type { Millis } from '#core/clock'
import { inDialect } from './dialect.ts'
import type { Records } from './records.ts'

/** Between two looks at those who were writing. */
const LOOK_AGAIN: Millis = 25
const MOST_LOOKS = 40
/** What whoever inserts holds on the table until its transaction has ended. */
const WRITING = ['RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock']

/**
 * Of a table whose key `id` counts by itself. Undefined where a transaction that has begun to write goes on for long: ask again
 * later. Not for use within a unit of work, and nobody who writes waits for it.
 */
export const settledNumber = (records: Records, table: string): Promise<number | undefined> =>
  inDialect(records, {
    // numbers are given by whoever has the writing turn, so the last committed one has none before it that is still to come
    sqlite: () => lastNumber(records, table),
    postgres: () => settledOnPostgres(records, table),
  })()

async function lastNumber(records: Records, table: string): Promise<number> {
  const { rows } = await sql<{ last: number }>`select coalesce(max(id), 0) as last from ${sql.table(table)}`.execute(
    records,
  )
  return rows[0]!.last
}

/**
 * A number is given before its row is committed, so one that is smaller may come later. Whoever gives one holds the table's lock
 * from before that until its end: those who hold it after the last number was read are waited for, as `create index concurrently`
 * waits for them. Who begins later gets a greater number.
 */
async function settledOnPostgres(records: Records, table: string): Promise<number | undefined> {
  const { rows } = await sql<{ last: number }>`
    select coalesce(pg_sequence_last_value(pg_get_serial_sequence(${table}, 'id')::regclass), 0) as last`.execute(
    records,
  )
  const writing = async () => {
    const held = await sql<{ who: string }>`
      select distinct virtualtransaction as who from pg_locks
      where locktype = 'relation' and granted and mode in (${sql.join(WRITING)})
        and database = (select oid from pg_database where datname = current_database())
        and relation = ${table}::regclass`.execute(records)
    return new Set(held.rows.map(({ who }) => who))
  }
  let before = await writing()
  for (let look = 0; before.size > 0; look++) {
    if (look === MOST_LOOKS) return undefined
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN))
    const still = await writing()
    before = new Set([...before].filter((who) => still.has(who)))
  }
  return rows[0]!.last
}
