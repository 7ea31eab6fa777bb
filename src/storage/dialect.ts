/**
 * What the databases say in different words. Kysely's words mean the same on all of them (drivers see to that: integers, texts,
 * keys that count, empty lists); what remains is said here, in both, and nowhere else.
 */
import { PostgresAdapter } from 'kysely'
import type { Records } from './records.ts'

export interface EachDialect<T> {
  readonly sqlite: T
  readonly postgres: T
}

/** The one of the two that these records speak. */
export const inDialect = <T>(records: Records, { sqlite, postgres }: EachDialect<T>): T =>
  records.getExecutor().adapter instanceof PostgresAdapter ? postgres : sqlite
