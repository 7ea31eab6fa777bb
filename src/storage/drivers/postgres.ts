/**
 * PostgreSQL: for installations of many processes and machines. Statements run on whichever connection of the pool is free, each
 * committed by itself; transactions take turns over all processes.
 */
import { type CompiledQuery, Kysely } from 'kysely'
import type { Log } from '#core/log'
import { Refusal } from '#core/refusal'
import type { RecordsDriver } from '../driver.ts'
import type { Prepare } from '../records.ts'
import { readAddress } from './postgres-address.ts'
import { Connections, createPool } from './postgres-connections.ts'
import { postgresDialect } from './postgres-dialect.ts'
import { createMarkedKeep } from './postgres-kept.ts'
import { createPostgresState } from './postgres-state.ts'
import { bound } from './postgres-values.ts'
import { isRead } from './reads.ts'

/** PostgreSQL 13 and later: extensions that the owner of a database may create. */
const OLDEST = 130_000

/** Loaded where one is named (`list.ts`). */
export const postgresDriver: Omit<RecordsDriver, 'schemes'> = Object.freeze({
  async open(place: string, { clock, log }: Parameters<RecordsDriver['open']>[1]) {
    const address = readAddress(place)
    const connections = new Connections(await createPool(address))
    let closing: Promise<void> | undefined
    const close = () => (closing ??= connections.close())
    try {
      await lookAt(connections, log)
    } catch (error) {
      await close()
      throw error instanceof Refusal
        ? new Refusal('storage-unavailable', `database ${address.shown}: ${error.detail}`, { cause: error })
        : error
    }
    const state = createPostgresState(connections, clock)
    const records = new Kysely<unknown>({ dialect: postgresDialect(connections) })
    return {
      records,
      migrating: records,
      state,
      // here nobody's event loop stands still while the disk writes
      unsynced: state,
      prepare: createPrepare(connections),
      keep: createMarkedKeep(connections),
      load: () => connections.load(),
      close,
    }
  },

  async peek(place: string) {
    const connections = new Connections(await createPool(readAddress(place), ['default_transaction_read_only=on']))
    return { records: new Kysely({ dialect: postgresDialect(connections) }), close: () => connections.close() }
  },
})

/** What an operator can have wrong is said in a sentence before anything is written. */
async function lookAt(connections: Connections, log: Log): Promise<void> {
  const { rows } = await connections.read({
    text: `select current_setting('server_version_num')::int as version, current_setting('server_encoding') as encoding,
      current_setting('fsync') as fsync, current_setting('synchronous_commit') as synchronous,
      current_setting('transaction_read_only') as readonly`,
    values: [],
  })
  const { version, encoding, fsync, synchronous, readonly } = rows[0] as Record<string, string | number>
  const refuse = (why: string) => new Refusal('storage-unavailable', why)
  if (Number(version) < OLDEST) throw refuse('PostgreSQL 13 or later is needed')
  if (encoding !== 'UTF8') throw refuse(`its encoding is ${encoding}; create it with \`encoding 'UTF8'\``)
  if (readonly === 'on') throw refuse('the database is read-only')
  // INVARIANT: an answered write is on the disk
  if (synchronous === 'off') throw refuse('`synchronous_commit` is off: a crash would lose what was answered')
  if (fsync === 'off') log.warn('storage-not-durable', { setting: 'fsync' })
}

const createPrepare = (connections: Connections): Prepare => {
  let count = 0
  return <R>(query: CompiledQuery<R>) => {
    const { sql: text } = query
    const name = `prepared-${++count}`
    const run = isRead(query) ? connections.read.bind(connections) : connections.write.bind(connections)
    return async (parameters) => {
      const { rows } = await run({ name, text, values: bound(parameters) })
      return { rows: rows as R[] }
    }
  }
}
