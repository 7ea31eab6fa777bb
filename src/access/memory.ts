/**
 * What is remembered about a person for rules on journeys and frequency: only what a policy in force looks at, so that
 * everything else costs neither a read nor a write. The one exception is the last sign-in, kept for everybody: a rule on
 * journeys that is switched on must not begin blind.
 */
import type { Counter, History, Places } from '#context'
import { COUNTERS, type ConditionTrace, type Decision, decide, type Facts, type Policies } from '#policy'
import type { LivePolicies } from './live.ts'
import { placeOf } from './surroundings.ts'

/** What was decided when they came in, and upon which facts. */
interface Judged {
  readonly decision: Decision
  readonly facts: Facts
}

export interface Memory {
  /** True where a rule in force looks at this counter. */
  counts(counter: Counter): boolean
  /** It happened once more. Nothing where no rule looks at it. */
  count(counter: Counter, person: string): Promise<void>
  /** Somebody met all that was asked of them when they signed in, or stepped up. */
  signedIn(person: string, address: string, judged: Judged): Promise<void>
}

export function createMemory(rooms: {
  readonly policies: LivePolicies
  readonly history: History
  readonly places: Places
}): Memory {
  const { policies, history, places } = rooms
  const needs = () => policies.current().needs

  return {
    counts: (counter) => needs().has(counter),
    async count(counter, person) {
      const inForce = needs()
      if (!inForce.has(counter)) return
      const longest = (one: Counter) => inForce.get(one)?.windows[0]?.ms
      await history.count(
        person,
        counter,
        new Map(COUNTERS.flatMap((one) => (longest(one) ? [[one, longest(one)!]] : []))),
      )
    },
    async signedIn(person, address, judged) {
      const inForce = policies.current()
      const trusted = !inForce.needs.get('travel')?.enforced || isTrusted(inForce, judged)
      const { country } =
        trusted && inForce.needs.has('countries') ? placeOf(address, { policies: inForce, places }) : {}
      await history.signedIn(person, { address, trusted, ...(country ? { country } : {}) })
    },
  }
}

/**
 * Whether rules in force looked at the journey, and what they ask of whoever makes it was met; or it was none, also for
 * every other policy that looks at journeys.
 * ATTACK: with a stolen password, somebody far away opens an app that asks for nothing more, or minds journeys less, so
 * that the next one, which looks at them closely, finds them where they were last seen.
 */
function isTrusted(inForce: Policies, { decision, facts }: Judged): boolean {
  const looked = journeysOf(decision)
  const held = looked.every((rule) => rule.matched !== false || isNone(rule))
  if (looked.length === 0 || !held) return false
  if (!looked.every(isNone)) return true
  return inForce.list
    .filter(({ needs }) => needs.get('travel')?.enforced)
    .every(({ name: policy }) => journeysOf(decide(inForce, facts, { policy })).every(isNone))
}

interface Looked {
  readonly matched: Decision['trace'][number]['matched']
  readonly results: readonly ConditionTrace['result'][]
}

const isNone = ({ results }: Looked): boolean => results.every((result) => result === false)

/** The rules in force that looked at the journey, and what they saw. */
const journeysOf = ({ trace }: Decision): Looked[] =>
  trace
    .filter(({ mode }) => mode !== 'report')
    .map(({ matched, conditions }) => ({ matched, results: journeysIn(conditions) }))
    .filter(({ results }) => results.length > 0)

/** What conditions on journeys said, however deep they stand. What a rule takes for no (`unknown: false`) is not known. */
const journeysIn = (conditions: readonly ConditionTrace[]): ConditionTrace['result'][] =>
  conditions.flatMap(({ condition, result, why, conditions: inner = [] }) => [
    ...(condition.startsWith('travel.') ? [why === undefined ? result : 'unknown'] : []),
    ...journeysIn(inner),
  ])
