/** Durable records: tables owned by rooms, reached through Kysely. */
import type { Kysely } from 'kysely'

/**
 * A room says once which tables are its own, by a type, and keeps the result:
 * `const db: Kysely<ItsTables> = storage.records` (without the annotation every row is `any`).
 *
 * On SQLite: reads see committed data only, on a connection of their own. Writes outside a transaction join the group
 * commit of their tick: executed at once and in order, each failing alone, and each promise resolves after the COMMIT.
 * `transaction()` runs alone: nobody else's writes are between its BEGIN and COMMIT. Inside it await nothing but its own
 * queries: whoever awaits another write there waits for himself, until that write is refused after 5 s.
 * A stored integer beyond 2^53 cannot be read. A `boolean` parameter is stored as 0 or 1 and comes back as a number.
 * For hot paths compile once and execute with parameters: `db.executeQuery({ ...compiled, parameters: [...] })`.
 * One-time things are spent by one statement (`delete … returning`, `update … where … returning`).
 */
// biome-ignore lint/suspicious/noExplicitAny: each room narrows it by its own Kysely<ItsTables>
export type Records = Kysely<any>

export interface Migration {
  /** `<room>-<number>-<what>`, for example `directory-001-people`; unique, never renamed after a release. */
  readonly name: string
  up(records: Records): Promise<void>
}
