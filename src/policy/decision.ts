/** What a decision says: the JSON of `explain`, of receipts and of tests. */
import type { Words } from './documents.ts'
import type { ConditionTrace } from './said.ts'
import type { TokenLimits } from './terms.ts'

/** Name of the rule that no file writes: the app's own list of groups. */
export const AUDIENCE = 'audience'

/** The same for people whose directory cannot be asked (`outage.ts`). */
export const DIRECTORY_DOWN = 'directory-down'

/** The same for partners: outside of the networks of the contract, and after its end (`contract.ts`). */
export const PARTNER_NETWORKS = 'partner-networks'
export const PARTNER_ENDED = 'partner-ended'

/** The same where deciding itself broke: who asks has to know it from a request that no rule allows. */
export const DECIDING_FAILED = 'deciding-failed'

/** Names that no rule of a file may have. */
export const UNWRITTEN: readonly string[] = Object.freeze([
  AUDIENCE,
  DIRECTORY_DOWN,
  DECIDING_FAILED,
  PARTNER_NETWORKS,
  PARTNER_ENDED,
])

export type Outcome = 'allow' | 'deny' | 'challenge'

export interface RuleTrace {
  readonly policy: string
  /** Those of `UNWRITTEN` are in no file: the app's own list of groups, an outage of the person's directory, a partner's contract. */
  readonly rule: string
  readonly line: string | null
  readonly mode?: 'report'
  readonly matched: boolean | 'unknown' | 'error'
  readonly conditions: readonly ConditionTrace[]
}

/** A rule in report mode that matched, or may have: what it alone would have done. */
export interface Reported {
  readonly policy: string
  readonly rule: string
  readonly line: string
  readonly matched: true | 'unknown'
  readonly outcome: Outcome
}

export interface Required {
  readonly strength: string
  /** Further strengths that must be met as well, where several came together. */
  readonly also?: readonly string[]
  /** No needed factor may be older, as a duration. */
  readonly within?: string
}

export interface Decision extends TokenLimits {
  readonly outcome: Outcome
  /** The policy whose rule decided: the app's, or the baseline. Null where none was named. */
  readonly policy: string | null
  /** Null: no rule matched, so the answer is no. */
  readonly rule: string | null
  readonly line: string | null
  /** What has to be met; absent where the answer is no. */
  readonly required?: Required
  /** The fewest factors that meet it, `device` standing for a remembered second factor, `client` for one that asks for itself; of a challenge, those that count already. */
  readonly satisfied_by: readonly string[]
  /** The sets of factors of which one must still be given, smallest first. Empty where nothing is missing. */
  readonly missing: readonly (readonly string[])[]
  /** The strength met: the one the request wanted, else the rule's own, else the strongest built-in one. */
  readonly acr?: string
  /** The factors that make `acr`, where it takes more of them than `satisfied_by`. */
  readonly acr_by?: readonly string[]
  /** Seconds since 1970 at which the oldest of the factors that make `acr` was given. */
  readonly auth_time?: number
  /** `ends` is an instant (ISO 8601); the others are durations. */
  readonly session?: { readonly idle?: string; readonly max?: string; readonly ends?: string }
  /** So long a second factor that is verified now may be remembered on this device. Absent: it may not. */
  readonly remember_device?: string
  readonly deny?: { readonly say?: Words; readonly do?: Words }
  /** The request wants only strengths that do not exist here, so it cannot be met (RFC 9470, `unmet_authentication_requirements`). */
  readonly unmet?: true
  readonly reported: readonly Reported[]
  readonly trace: readonly RuleTrace[]
  readonly versions: { readonly policies: string; readonly facts: number }
}
