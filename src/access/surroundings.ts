/** What surrounds a question beyond the request itself: looked up as far as the policy that decides needs it. */
import { type History, type Places, platformOf, type SignIn } from '#context'
import type { Instant } from '#core/clock'
import type { Person } from '#directory'
import { normaliseAddress } from '#http'
import { COUNTERS, type Facts, mergePlaces, type Needs, type Policies } from '#policy'
import type { Question } from './question.ts'

export interface Surroundings {
  readonly place?: Pick<NonNullable<Facts['network']>, 'country' | 'latitude' | 'longitude'>
  readonly platform?: string | undefined
  readonly history?: Facts['history']
  /** No session of this version comes from another identity provider. */
  readonly upstream?: null
}

export interface Sources {
  readonly policies: Policies
  readonly places: Places
  /** Absent where nobody's past can be asked for. */
  readonly history?: History | undefined
}

interface About extends Sources {
  readonly person: Person | undefined
  readonly now: Instant
}

/** INVARIANT: what nobody needs costs nothing; what cannot be found is left out, so that it is unknown. */
export async function lookAround(
  needs: Needs,
  { address, session }: Pick<Question, 'address' | 'session'>,
  about: About,
): Promise<Surroundings> {
  const past = await pastOf(needs, about)
  return {
    ...(needs.has('place') || needs.has('travel') ? { place: placeOf(address, about) } : {}),
    ...(needs.has('platform') ? { platform: platformOf(session?.userAgent) } : {}),
    ...(needs.has('upstream') ? { upstream: null } : {}),
    ...(past ? { history: past } : {}),
  }
}

/** What a site's file says, and where that is not all, what the database says. */
export function placeOf(address: string, { policies, places }: Pick<Sources, 'policies' | 'places'>) {
  const plain = normaliseAddress(address)
  const site = plain === undefined ? undefined : policies.sites.at(plain)
  const complete = site?.country !== undefined && site.latitude !== undefined
  return mergePlaces(site, complete ? undefined : places.find(address))
}

async function pastOf(needs: Needs, about: About): Promise<Facts['history']> {
  const { person, history, now } = about
  if (!person || !history) return undefined
  const facts: { -readonly [K in keyof NonNullable<Facts['history']>]: NonNullable<Facts['history']>[K] } = {}
  const journeys = needs.has('travel')
  if (journeys || needs.has('absence')) {
    const past = await history.past(person.id)
    const located = ({ at, address }: SignIn) => ({ at, ...(journeys ? placeOf(address, about) : {}) })
    if (past === undefined) facts.previous = null
    else if (past !== 'unreadable') {
      const { last, trusted } = past
      const two = journeys && (trusted.at !== last.at || trusted.address !== last.address)
      facts.previous = two ? [located(last), located(trusted)] : located(last)
      if (needs.has('countries')) facts.countries = countriesOf(past.countries, located(trusted))
    }
  }
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

/** With that of the sign-in that is trusted: countries are kept only since a rule asks for them. */
function countriesOf(
  kept: Readonly<Record<string, number>>,
  trusted: { readonly at: number; readonly country?: string | null | undefined },
) {
  const { country, at } = trusted
  const all = country ? { ...kept, [country]: Math.max(at, kept[country] ?? at) } : kept
  return Object.entries(all).map(([code, seen]) => ({ country: code, at: seen }))
}
