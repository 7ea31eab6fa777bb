/** What a probe found, how bad it is, and what becomes of it in one word. */
import type { Instant } from '#core/clock'

/** `oidc`, `saml` and `forward_auth` as manifests call them. */
export type ProbedProtocol = 'oidc' | 'saml' | 'forward_auth'

/**
 * `accepted`: the app took what it must not take. `not-applicable`: the app does not use what would be tried.
 * `inconclusive`: the case did not come so far that the answer would mean anything.
 */
export type Result = 'refused' | 'accepted' | 'inconclusive' | 'not-applicable'

/** `high`: somebody can be somebody else. `medium`: a defence is missing. `low`: the standard leaves it to the app. */
export type Severity = 'high' | 'medium' | 'low'

/** `inconclusive`: not even the right sign-in could be followed, so nothing is known. */
export type Grade = 'green' | 'amber' | 'red' | 'inconclusive'

export interface CaseReport {
  /** Kebab-case, stable. */
  readonly code: string
  /** Of the standard that the app is held to. */
  readonly section: string
  readonly severity: Severity
  readonly result: Result
  /** What was seen, where there is more to say than the result. */
  readonly note?: string
}

export interface ProbeReport {
  readonly app: string
  readonly protocol: ProbedProtocol
  /** The address where the sign-in of the test copy begins. */
  readonly target: string
  readonly at: Instant
  readonly grade: Grade
  /** By what it was told whether somebody was in; absent where the right sign-in failed. */
  readonly check?: { readonly address: string; readonly by: 'person' | 'reach' }
  /** Why nothing could be said. */
  readonly cause?: { readonly code: string; readonly say: string }
  readonly cases: readonly CaseReport[]
}

/** One rule, and it stands in docs/probe.md too. */
export function gradeOf(cases: readonly CaseReport[]): Grade {
  const took = (severity: Severity) => cases.some((one) => one.result === 'accepted' && one.severity === severity)
  if (took('high')) return 'red'
  if (took('medium') || cases.some(({ result }) => result === 'inconclusive')) return 'amber'
  return cases.some(({ result }) => result !== 'not-applicable') ? 'green' : 'inconclusive'
}
