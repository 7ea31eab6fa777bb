/**
 * What is remembered about a person for rules on journeys and frequency: only what a policy in force looks at, so that
 * everything else costs neither a read nor a write. The one exception is the last sign-in, kept for everybody: a rule on
 * journeys that is switched on must not begin blind.
 */
import type { Counter, History, Places } from '#context'
import { COUNTERS, type Facts } from '#policy'
import { judgeJourneys } from './journeys.ts'
import type { LivePolicies } from './live.ts'

export interface Memory {
  /** True where a rule in force looks at this counter. */
  counts(counter: Counter): boolean
  /** It happened once more. Nothing where no rule looks at it. */
  count(counter: Counter, person: string): Promise<void>
  /** Somebody met all that was asked of them when they signed in, or stepped up; upon these facts. */
  signedIn(person: string, address: string, facts: Facts): Promise<void>
}

export function createMemory(rooms: {
  readonly policies: LivePolicies
  readonly history: History
  readonly places: Pick<Places, 'find'>
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
    async signedIn(person, address, facts) {
      const inForce = policies.current()
      const watched = inForce.needs.get('travel')?.enforced ?? false
      const past = watched ? await history.past(person) : undefined
      const judged = watched ? judgeJourneys(facts, address, past, { policies: inForce, places }) : []
      await history.signedIn(person, { address, judged })
    },
  }
}
