/** Durable records: tables owned by rooms, reached through Kysely. */
import type { CompiledQuery, Kysely } from 'kysely'

/**
 * A room says once which tables are its own, by a type, and keeps the result:
 * `const db: Kysely<ItsTables> = storage.records` (without the annotation every row is `any`).
 *
 * Everywhere:
 * - Reads see committed data only; within a unit of work (`unit.ts`) also what it has written. A write's promise resolves after
 *   its COMMIT, each write fails alone, and those of one unit happen in the order in which they were asked for.
 * - Transactions run one after the other, over all processes, each as of when its turn comes. Inside one await nothing but its
 *   own queries, and no other transaction: who waits for his turn too long (5 s) is refused. A statement that fails ends the
 *   transaction: nothing can be caught inside.
 * - INVARIANT: what a transaction looks at and then decides by is written by transactions only, or what it writes repeats the
 *   condition, or a unique index decides. For single statements of others may come between its own.
 * - An integer beyond 2^53 is refused as a parameter (`RangeError`), and cannot be read where it is stored all the same. A `boolean` parameter is stored as 0 or 1 and comes back as a number, and so
 *   does a condition that is selected. Texts are compared byte by byte, and `lower` folds ASCII only.
 * - One-time things are spent by one statement (`delete … returning`, `update … where … returning`).
 *
 * On SQLite more than that holds: writes outside a transaction join the group commit of their tick and are executed at once, in
 * order, and nobody's write is between the statements of a transaction. On PostgreSQL each statement is committed by itself.
 *
 * For hot paths compile once and run it by `storage.prepare`.
 */
// biome-ignore lint/suspicious/noExplicitAny: each room narrows it by its own Kysely<ItsTables>
export type Records = Kysely<any>

/**
 * A statement that `records` has compiled, run with these parameters and without the query builder, which costs more than
 * the database does. The same guarantees as for every other query of `records`; not for use inside of a transaction.
 */
export type Prepared<R> = (parameters: readonly unknown[]) => Promise<{ readonly rows: readonly R[] }>

export type Prepare = <R>(query: CompiledQuery<R>) => Prepared<R>

export interface Migration {
  /** `<room>-<number>-<what>`, for example `directory-001-people`; unique, never renamed after a release. */
  readonly name: string
  up(records: Records): Promise<void>
}
