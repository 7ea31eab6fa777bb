/**
 * Storage: durable records (SQL through Kysely) and short-lived state (a small key-value contract), on one SQLite file
 * by default, or on PostgreSQL. This room owns connections, group commit, migrations' bookkeeping, expiry and purging. It owns no nouns:
 * each room declares its own tables in its own migrations and hands them in through `openStorage`.
 *
 * - `state.ts`     the contract of short-lived state, with its guarantees
 * - `records.ts`   the contract of durable records
 * - `kept.ts`      what was made of a row, kept until somebody writes it
 * - `migrations.ts` which migrations are applied, each once over all processes
 * - `driver.ts`    what drivers of records and of state are; `drivers/list.ts` the explicit lists of them
 * - `unit.ts`      what one request writes, made durable once at its end
 * - `dialect.ts`   what the databases say in different words; `append-only.ts` and `row-numbers.ts` are such words
 * - `conflict.ts`  telling a violated unique index from other errors; `full.ts` state that takes nothing more
 *
 * INVARIANT: no promise of this room resolves before what it wrote is committed and on the disk; within a unit of
 * work it is the unit that does not.
 */
export { appendOnly } from './append-only.ts'
export { isConflict } from './conflict.ts'
export { inDialect } from './dialect.ts'
export type { ConnectionLoad } from './driver.ts'
export { isFull } from './full.ts'
export type { Keep, Kept, Soon } from './kept.ts'
export { markWrites } from './marked.ts'
export { MigrationFailed, type MigrationState } from './migrations.ts'
export {
  backUp,
  migrationStatus,
  openStorage,
  restore,
  type Storage,
  type StorageOptions,
  tryMigrations,
} from './open.ts'
export type { Migration, Prepared, Records } from './records.ts'
export { type RowNumbers, rowNumbers } from './row-numbers.ts'
export { settledNumber } from './settled-number.ts'
export type { State, StateEntry, StateOptions } from './state.ts'
export { settled, together } from './unit.ts'
