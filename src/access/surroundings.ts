/** What surrounds a question beyond the request itself: looked up as far as the policy that decides needs it. */
import { type ClientFacts, type ClientPasts, type History, type Places, platformOf } from '#context'
import type { Instant } from '#core/clock'
import type { Person } from '#directory'
import { COUNTERS, type Facts, type Needs, type Policies } from '#policy'
import { journeysFor } from './journeys.ts'
import { placeOf } from './place.ts'
import type { Question } from './question.ts'

export interface Surroundings {
  readonly place?: Pick<NonNullable<Facts['network']>, 'country' | 'latitude' | 'longitude'>
  readonly platform?: string | undefined
  readonly history?: Facts['history']
  /** Where nobody vouched for anything: known to be nothing. */
  readonly upstream?: null
  /** Of the program that asks for itself. */
  readonly client?: ClientFacts
}

export interface Sources {
  readonly policies: Policies
  readonly places: Pick<Places, 'find'>
  /** Absent where nobody's past can be asked for. */
  readonly history?: History | undefined
  /** Absent where no program's past can be asked for. */
  readonly clients?: Pick<ClientPasts, 'of'> | undefined
}

interface About extends Sources {
  readonly person: Person | undefined
  readonly now: Instant
  /** The one that decides. */
  readonly policy: string | undefined
}

/** INVARIANT: what nobody needs costs nothing; what cannot be found is left out, so that it is unknown. */
export async function lookAround(
  needs: Needs,
  { address, session, client }: Pick<Question, 'address' | 'session' | 'client'>,
  about: About,
): Promise<Surroundings> {
  const past = await pastOf(needs, about)
  const ofClient = client && needs.has('client_past') ? await about.clients?.of(client.id, address) : undefined
  return {
    ...(needs.has('place') || needs.has('travel') ? { place: placeOf(address, about) } : {}),
    ...(needs.has('platform') ? { platform: platformOf(session?.userAgent) } : {}),
    ...(needs.has('upstream') ? { upstream: null } : {}),
    ...(past ? { history: past } : {}),
    ...(ofClient ? { client: ofClient } : {}),
  }
}

async function pastOf(needs: Needs, about: About): Promise<Facts['history']> {
  const { person, history, now } = about
  if (!person || !history) return undefined
  const facts: { -readonly [K in keyof NonNullable<Facts['history']>]: NonNullable<Facts['history']>[K] } = {}
  if (needs.has('travel') || needs.has('absence'))
    Object.assign(facts, journeysFor(about.policy, await history.past(person.id), needs, about))
  const counters = COUNTERS.filter((counter) => needs.has(counter))
  if (counters.length > 0) {
    const counts = await history.counts(person.id, now)
    if (counts !== 'unreadable')
      for (const counter of counters)
        facts[counter] = needs
          .get(counter)!
          .windows.map(({ ms, text }) => ({ within: text, count: counts(counter, ms) }))
  }
  return Object.keys(facts).length > 0 ? facts : undefined
}
