/** What a receipt says. */
import type { Instant } from '#core/clock'
import type { Decision, Facts, Gathered } from '#policy'

export interface Receipt {
  /** `7K4Q-92MD` */
  readonly reference: string
  readonly at: Instant
  readonly person: string | undefined
  readonly app: string | undefined
  readonly outcome: Decision['outcome']
  readonly policy: string | undefined
  readonly rule: string | undefined
  /** Version of the policies that decided. */
  readonly policies: string
  /** Undefined where the person was removed since, or where what is stored cannot be read. */
  readonly facts: Facts | undefined
  /** What was looked for, found or not; undefined in receipts of before this was kept. */
  readonly gathered: Gathered
}

/** Receipts in the order in which they were written. */
export interface Page {
  readonly receipts: readonly Receipt[]
  /** Rows that do not even tell what was decided. */
  readonly unreadable: number
  /** How much of what was asked for has come by now, 0 to 1. */
  readonly done: number
}
