/** The rules of one policy, in the order they are written, up to the first that matches for certain. */
import type { Outcome, Reported, RuleTrace } from './decision.ts'
import type { Policy, Rule } from './policies.ts'
import type { ConditionTrace } from './said.ts'
import type { Scene } from './scene.ts'
import type { Terms } from './terms.ts'

/** A rule that may decide. */
export interface Candidate {
  readonly policy: string
  readonly rule: Rule
  readonly matched: true | 'unknown'
}

export interface Walk {
  readonly policy: Policy
  /** The rules whose match is unknown, and last, where there is one, the rule that matches. */
  readonly candidates: readonly Candidate[]
  /** No rule matched for certain, so "no" is one of the possible answers. */
  readonly open: boolean
  /** A rule with a condition that failed. */
  readonly failed?: Rule
}

/** What is written down on the way. */
export interface Notes {
  /** Absent where nobody reads it. */
  readonly trace?: RuleTrace[] | undefined
  readonly reported: Reported[]
}

/** Rules in report mode are judged, written down and passed over, whatever happens in them. */
export function walk(policy: Policy, scene: Scene, notes: Notes, weigh: (terms: Terms) => { outcome: Outcome }): Walk {
  const candidates: Candidate[] = []
  // of all rules in one list: a list of each that grows takes more room than what is in it
  const said: ConditionTrace[] | undefined = notes.trace && []
  for (const rule of policy.rules) {
    const from = said?.length
    const report = rule.mode === 'report'
    let matched: boolean | 'unknown'
    try {
      matched = rule.when ? rule.when(scene, said) : true
    } catch {
      write(notes, policy, rule, 'error', said?.slice(from))
      if (report) continue
      return { policy, candidates, open: true, failed: rule }
    }
    write(notes, policy, rule, matched, said?.slice(from))
    if (matched === false) continue
    if (report) {
      const { name, line } = rule
      notes.reported.push({ policy: policy.name, rule: name, line, matched, outcome: alone(rule, scene, weigh) })
      continue
    }
    candidates.push({ policy: policy.name, rule, matched })
    if (matched === true) return { policy, candidates, open: false }
  }
  return { policy, candidates, open: true }
}

function write(
  { trace }: Notes,
  policy: Policy,
  { name: rule, line, mode }: Rule,
  matched: RuleTrace['matched'],
  conditions: readonly ConditionTrace[] | undefined,
): void {
  if (!trace || !conditions) return
  if (mode === 'report') trace.push({ policy: policy.name, rule, line, mode, matched, conditions })
  else trace.push({ policy: policy.name, rule, line, matched, conditions })
}

/** What a rule would have done if nothing else had a say. */
function alone({ verdict }: Rule, scene: Scene, weigh: (terms: Terms) => { outcome: Outcome }): Outcome {
  if (verdict === 'deny') return 'deny'
  return scene.subject === 'nobody' ? 'challenge' : weigh(verdict).outcome
}
