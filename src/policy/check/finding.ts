/** What `policy check` finds in policies that are sound as files: the codes, and how much each matters. */
import type { Rule } from '../policies.ts'

/** `error`: not to be published. `warning`: hardly meant. `notice`: worth a look. */
export type Severity = 'error' | 'warning' | 'notice'

/** Every code that a finding can have. An app or a group that does not exist in the database is found only with it. */
export const FINDINGS = Object.freeze({
  'administrators-locked-out': 'error',
  'app-without-policy': 'error',
  'entrance-without-policy': 'error',
  'rule-unreachable': 'warning',
  'rule-shadowed': 'warning',
  'rule-never-matches': 'warning',
  'strength-unreachable': 'warning',
  'remember-without-effect': 'warning',
  'session-ends-at-once': 'warning',
  'unknown-group': 'warning',
  'unknown-app': 'warning',
  'too-many-combinations': 'warning',
  'condition-untried': 'warning',
  gap: 'notice',
  'policy-unused': 'notice',
} as const satisfies Record<string, Severity>)

export type FindingCode = keyof typeof FINDINGS

export interface Finding {
  readonly severity: Severity
  readonly file: string
  /** 1-based, like the column. */
  readonly line: number
  readonly column: number
  readonly code: FindingCode
  /** Lower case, no full stop, the place first, names in backticks. */
  readonly message: string
}

/** A finding where a rule or a policy stands. */
export function finding(
  code: FindingCode,
  at: Pick<Rule, 'line' | 'column'>,
  message: string,
  severity: Severity = FINDINGS[code],
): Finding {
  const colon = at.line.lastIndexOf(':')
  const place = { file: at.line.slice(0, colon), line: Number(at.line.slice(colon + 1)), column: at.column }
  return { severity, ...place, code, message }
}

/** `a`, `b` and `c` */
export function list(names: readonly string[], last = 'and'): string {
  const quoted = names.map((name) => `\`${name}\``)
  return quoted.length < 2 ? (quoted[0] ?? '') : `${quoted.slice(0, -1).join(', ')} ${last} ${quoted.at(-1)}`
}
