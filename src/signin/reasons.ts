/** Why somebody is asked or refused, as codes that the pages turn into sentences. */
import type { Verdict } from '#access'
import { conditionName, type Messages, type ReasonCode, reasonSentence, strengthName } from '#pages'
import { type ConditionTrace, DECIDING_FAILED, type Decision, DIRECTORY_DOWN } from '#policy'
import type { Situation } from './dispatch.ts'

export interface Reason {
  readonly code: ReasonCode
  readonly values?: Readonly<Record<string, string>>
}

type About = Pick<Verdict, 'decision' | 'outcome' | 'facts'>

/**
 * The reasons of a decision, most important first.
 * INVARIANT: of a rule its name and what kind of thing it looked at; never what it wants, nor what was seen.
 */
export function reasonsFor(verdict: About, app: string, messages: Messages): readonly Reason[] {
  if (verdict.outcome === 'deny') return denied(verdict.decision, app, messages)
  if (verdict.outcome === 'challenge')
    return [...asked(verdict, app, messages), ...unknownIn(verdict.decision.trace, messages)]
  const { rule } = verdict.decision
  return [...(rule ? [{ code: 'allowed-by-rule', values: { rule } } as const] : []), { code: 'already-satisfied' }]
}

function denied({ policy, rule, trace }: Decision, app: string, messages: Messages): Reason[] {
  if (rule === DECIDING_FAILED || trace.some(({ matched, mode }) => matched === 'error' && mode !== 'report'))
    return [{ code: 'error-while-deciding' }]
  const entry = trace.find((one) => one.policy === policy && one.rule === rule)
  const unknown = unknownIn(entry ? [entry] : trace, messages)
  if (rule === 'audience') return [{ code: 'not-in-audience', values: { app } }, ...unknown]
  if (rule === DIRECTORY_DOWN) return [{ code: 'directory-down', values: { app } }]
  if (!rule) return [{ code: 'no-rule' }, ...unknown]
  const counted = entry?.matched === true ? named('condition-held', leavesOf(entry.conditions), messages) : []
  return [{ code: 'denied-by-rule', values: { rule } }, ...counted, ...unknown]
}

function asked({ decision, facts }: About, app: string, messages: Messages): Reason[] {
  const { required, satisfied_by: counting } = decision
  const { wanted } = facts.request ?? {}
  const reasons: Reason[] = []
  if (!facts.session) reasons.push({ code: 'nobody-signed-in' })
  if (wanted?.fresh || wanted?.max_age !== undefined) reasons.push({ code: 'app-asked-again', values: { app } })
  if (!facts.session || !required) return reasons
  if (counting.length === 0 && required.within !== undefined)
    return [...reasons, { code: 'too-old', values: { app, within: required.within } }]
  const own = [required.strength, ...(required.also ?? [])].find((one) => wanted?.strength?.includes(one))
  const strength = strengthName(messages, own ?? required.strength)
  return [...reasons, { code: own ? 'app-asked-strength' : 'strength-missing', values: { app, strength } }]
}

/** What could not be found out, of rules that may match. */
const unknownIn = (trace: Decision['trace'], messages: Messages): Reason[] =>
  named(
    'fact-unknown',
    trace
      .filter(({ matched, mode }) => matched === 'unknown' && mode !== 'report')
      .flatMap(({ conditions }) => leavesOf(conditions).filter(({ result }) => result === 'unknown')),
    messages,
  )

const leavesOf = (conditions: readonly ConditionTrace[]): ConditionTrace[] =>
  conditions.flatMap((one) => (one.conditions ? leavesOf(one.conditions) : [one]))

/** In words, and each kind of thing once. */
function named(code: 'condition-held' | 'fact-unknown', conditions: readonly ConditionTrace[], messages: Messages) {
  const names = new Set(conditions.map(({ condition }) => conditionName(messages, condition)))
  return [...names].map((condition): Reason => ({ code, values: { condition } }))
}

/** One sentence for "Why am I asked?"; none for an ordinary first sign-in. */
export function whyAsked(
  scene: Situation & { messages: Messages; app: { name: string } | undefined },
): string | undefined {
  if (!scene.session) return undefined
  const [first] = reasonsFor(scene.verdict, scene.app?.name ?? scene.messages.account.title, scene.messages)
  return first && reasonSentence(scene.messages, first.code, first.values)
}
