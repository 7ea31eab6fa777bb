/**
 * What is remembered about a person for rules on journeys and frequency: only what a policy in force looks at, so that
 * everything else costs neither a read nor a write. The one exception is the last sign-in, kept for everybody: a rule on
 * journeys that is switched on must not begin blind.
 */
import type { App } from '#catalog'
import type { ClientPasts, Counter, History, Places } from '#context'
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
  /** A program showed who it is, and the policies let it in or not. `counts`: it asked for a token. Of partners, and where a rule asks. */
  asked(app: App | undefined, about: { address: string; letIn: boolean; counts?: boolean }): Promise<void>
  /** Somebody failed to be that program. */
  failedToBe(app: App, address: string): Promise<void>
}

export function createMemory(rooms: {
  readonly policies: LivePolicies
  readonly history: History
  readonly places: Pick<Places, 'find'>
  readonly clients?: Pick<ClientPasts, 'asked' | 'failed'> | undefined
}): Memory {
  const { policies, history, places, clients } = rooms
  const needs = () => policies.current().needs
  const isWatched = ({ partner }: App) => partner !== undefined || needs().has('client_past')

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
    async asked(app, about) {
      if (app && isWatched(app)) await clients?.asked(app.id, about)
    },
    async failedToBe(app, address) {
      if (isWatched(app)) await clients?.failed(app.id, address)
    },
  }
}
