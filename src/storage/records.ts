/** Durable records: tables owned by rooms, reached through Kysely. */
import type { CompiledQuery, Kysely } from 'kysely'

/**
 * A room says once which tables are its own, by a type, and keeps the result:
 * `const db: Kysely<ItsTables> = storage.records` (without the annotation every row is `any`).
 *
 * On SQLite: reads see committed data only, on a connection of their own. Writes outside a transaction join the group
 * commit of their tick: executed at once and in order, each failing alone, and each promise resolves after the COMMIT.
 * `transaction()` runs alone: nobody else's writes are between its BEGIN and COMMIT. Inside it await nothing but its own
 * queries: whoever awaits another write there waits for himself, until that write is refused after 5 s.
 * A stored integer beyond 2^53 cannot be read. A `boolean` parameter is stored as 0 or 1 and comes back as a number.
 * For hot paths compile once and run it by `storage.prepare`.
 * One-time things are spent by one statement (`delete … returning`, `update … where … returning`).
 */
// biome-ignore lint/suspicious/noExplicitAny: each room narrows it by its own Kysely<ItsTables>
export type Records = Kysely<any>

/**
 * A statement that `records` has compiled, run with these parameters and without the query builder, which costs more than
 * SQLite does. The same guarantees as for every other query of `records`; not for use inside of a transaction.
 */
export type Prepared<R> = (
  parameters: readonly unknown[],
) => Promise<{ readonly rows: readonly R[]; readonly insertId: number }>

export type Prepare = <R>(query: CompiledQuery<R>) => Prepared<R>

export interface Migration {
  /** `<room>-<number>-<what>`, for example `directory-001-people`; unique, never renamed after a release. */
  readonly name: string
  up(records: Records): Promise<void>
}
