/** Durable records: tables owned by rooms, reached through Kysely. */
import type { Kysely } from 'kysely'

/**
 * A room calls `storage.records.withTables<ItsTables>()` once and keeps the result.
 *
 * On SQLite: reads see committed data only, on a connection of their own. Writes outside a transaction join the group
 * commit of their tick: executed at once and in order, each failing alone, and each promise resolves after the COMMIT.
 * `transaction()` runs alone: nobody else's writes are between its BEGIN and COMMIT.
 * For hot paths compile once and execute with parameters: `db.executeQuery({ ...compiled, parameters: [...] })`.
 * One-time things are spent by one statement (`delete … returning`, `update … where … returning`).
 */
// biome-ignore lint/suspicious/noExplicitAny: each room narrows it with withTables<ItsTables>()
export type Records = Kysely<any>

export interface Migration {
  /** `<room>-<number>-<what>`, for example `directory-001-people`; unique, never renamed after a release. */
  readonly name: string
  up(records: Records): Promise<void>
}
