/** What is sealed: rows of one table that are only appended, each under a number that grows. */
import type { Instant } from '#core/clock'

export interface LedgerRow {
  readonly id: number
  readonly at: Instant
  /** What must never change, as a canonical text. */
  readonly fixed: string
  /** What must not change either but may be forgotten; undefined where it was. Absent where nothing can be. */
  readonly personal?: string | undefined
  /** Whose facts were forgotten, where that is known. */
  readonly forgotten?: string | undefined
}

export interface Ledger {
  readonly table: 'audit_events' | 'receipts'
  /** Whether rows have a part that may be forgotten. */
  readonly personal: boolean
  /** With `after < id <= through`, by id, at most `limit`. */
  rows(after: number, through: number, limit: number): Promise<LedgerRow[]>
}
