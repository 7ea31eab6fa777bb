/** Numbers of rows that grow in the order in which rows come, from a floor on, and are never given twice. */
import { type RawBuilder, sql } from 'kysely'
import { inDialect } from './dialect.ts'
import type { Records } from './records.ts'

export interface RowNumbers {
  /** The next one, within an insert; the statement's parameter for it is the floor. */
  readonly next: RawBuilder<number>
  /** To be waited for before the first one is given. */
  ready(): Promise<void> | undefined
}

/** Of a table whose key `id` counts by itself. `floor`: the least number that this process gives. */
export function rowNumbers(records: Records, table: string, floor: number): RowNumbers {
  const sequence = sql`pg_get_serial_sequence(${sql.lit(table)}, 'id')`
  let raised: Promise<void> | undefined
  const raise = async () => {
    // in a transaction, so that of two processes none puts it back behind the other
    await records.transaction().execute(async (transaction) => {
      await sql`select setval(${sequence}, ${floor}, false)
        where coalesce(pg_sequence_last_value(${sequence}::regclass), 0) < ${floor}`.execute(transaction)
    })
  }
  return inDialect(records, {
    // the last row is at hand at the end of the table
    sqlite: {
      next: sql<number>`max(${floor}, coalesce((select max(id) from ${sql.table(table)}), 0) + 1)`,
      ready: () => undefined,
    },
    // whoever reads the last row here does not see those that are being written
    postgres: {
      next: sql<number>`greatest(${floor}, nextval(${sequence}))`,
      ready: () =>
        (raised ??= raise().catch((error) => {
          raised = undefined
          throw error
        })),
    },
  })
}
