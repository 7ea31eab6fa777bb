/**
 * What is remembered about a person for rules on journeys and frequency: only what a policy in force looks at, so that
 * everything else costs neither a read nor a write. The one exception is the last sign-in, kept for everybody: a rule on
 * journeys that is switched on must not begin blind.
 */
import type { Counter, History, Places } from '#context'
import { COUNTERS, type ConditionTrace, type Decision } from '#policy'
import type { LivePolicies } from './live.ts'
import { placeOf } from './surroundings.ts'

export interface Memory {
  /** True where a rule in force looks at this counter. */
  counts(counter: Counter): boolean
  /** It happened once more. Nothing where no rule looks at it. */
  count(counter: Counter, person: string): Promise<void>
  /** Somebody met all that was asked of them when they signed in, or stepped up. */
  signedIn(person: string, address: string, decision: Decision): Promise<void>
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
    async signedIn(person, address, decision) {
      const inForce = policies.current()
      const trusted = !inForce.needs.get('travel')?.enforced || passedOnJourney(decision)
      const { country } =
        trusted && inForce.needs.has('countries') ? placeOf(address, { policies: inForce, places }) : {}
      await history.signedIn(person, { address, trusted, ...(country ? { country } : {}) })
    },
  }
}

/**
 * Whether rules in force looked at the journey, and it was none, or what they ask of whoever makes it was met.
 * ATTACK: with a stolen password, somebody far away opens an app that asks for nothing more, so that the next one, which
 * looks at journeys, finds them where they were last seen.
 */
function passedOnJourney({ trace }: Decision): boolean {
  const looked = trace
    .filter(({ mode }) => mode !== 'report')
    .map(({ matched, conditions }) => ({ matched, journeys: journeysIn(conditions) }))
    .filter(({ journeys }) => journeys.length > 0)
  const held = looked.every(
    ({ matched, journeys }) => matched !== false || journeys.every((result) => result === false),
  )
  return looked.length > 0 && held
}

/** What conditions on journeys said, however deep they stand. What a rule takes for no (`unknown: false`) is not known. */
const journeysIn = (conditions: readonly ConditionTrace[]): ConditionTrace['result'][] =>
  conditions.flatMap(({ condition, result, why, conditions: inner = [] }) => [
    ...(condition.startsWith('travel.') ? [why === undefined ? result : 'unknown'] : []),
    ...journeysIn(inner),
  ])
