/** What conditions said, as a decision tells it. */
import type { Truth } from './truth.ts'

/** What one condition said: part of the trace of a decision. */
export interface ConditionTrace {
  /** Its name, or `any`, `all`, `not`. */
  readonly condition: string
  /** As the rule writes it. */
  readonly wanted?: unknown
  /** The fact; `unknown` where it cannot be established. */
  readonly seen?: unknown
  readonly result: Truth | 'error'
  /** Why it is unknown, or which error it was. */
  readonly why?: string
  readonly conditions?: readonly ConditionTrace[]
}
