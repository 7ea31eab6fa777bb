/** A person's past as a policy sees it, and which policies have nothing against where somebody has just signed in. */
import { type Judged, type Past, type Places, type SignIn, trustedBy } from '#context'
import { type ConditionTrace, type Decision, decide, type Facts, type Needs, type Policies } from '#policy'
import { placeOf } from './place.ts'

interface Sources {
  readonly policies: Policies
  readonly places: Pick<Places, 'find'>
}

type Journeys = Pick<NonNullable<Facts['history']>, 'previous' | 'countries'>

/** The sign-ins before, with their places where a rule on journeys of this policy, or of the baseline, asks for them. */
export function journeysFor(
  policy: string | undefined,
  past: Past | undefined | 'unreadable',
  needs: Needs,
  sources: Sources,
): Journeys {
  if (past === undefined) return { previous: null }
  if (past === 'unreadable') return {}
  const journeys = needs.has('travel')
  const located = ({ at, address }: SignIn) => ({ at, ...(journeys ? placeOf(address, sources) : {}) })
  const { last } = past
  const trusted = trustedBy(past, watcherOf(sources.policies, policy))
  const two = journeys && (trusted.at !== last.at || trusted.address !== last.address)
  return {
    previous: two ? [located(last), located(trusted)] : located(last),
    ...(needs.has('countries') ? { countries: countriesOf(trusted.countries, located(trusted)) } : {}),
  }
}

/** With that of the sign-in that is trusted: countries are kept only since a rule asks for them. */
function countriesOf(
  kept: Readonly<Record<string, number>>,
  { country, at }: { readonly at: number; readonly country?: string | null | undefined },
) {
  const all = country ? { ...kept, [country]: Math.max(at, kept[country] ?? at) } : kept
  return Object.entries(all).map(([code, seen]) => ({ country: code, at: seen }))
}

const watches = ({ needs }: { readonly needs: Needs }): boolean => needs.get('travel')?.enforced ?? false

/** The policy whose trust counts: its own rules on journeys, or else the baseline's. */
function watcherOf({ find, baseline }: Policies, policy: string | undefined): string | undefined {
  const own = policy === undefined ? undefined : find(policy)
  return own && watches(own) ? own.name : baseline?.name
}

/**
 * What each policy with rules on journeys says to a sign-in that was carried through, with what was given for it.
 * ATTACK: with a stolen password, somebody far away opens an app that asks for nothing more, minds journeys less, or is content
 * with the password. Each policy therefore trusts by itself, and the app that was opened has no say: the next may be any.
 */
export function judgeJourneys(
  facts: Facts,
  address: string,
  past: Past | undefined | 'unreadable',
  sources: Sources,
): Judged[] {
  const { policies } = sources
  const place = placeOf(address, sources)
  return policies.list.filter(watches).map(({ name: policy, needs }) => {
    const history = { ...facts.history, ...journeysFor(policy, past, policies.needsOf(policy), sources) }
    const seen = { ...facts, app: {}, network: { ...facts.network, ...place }, history }
    const content = isContent(decide(policies, seen, { policy }))
    return { policy, content, ...(needs.has('countries') && place.country ? { country: place.country } : {}) }
  })
}

/** No rule in force saw a journey; or the policy let in whoever made it, with all rules knowing what they saw, or judged both ways. */
const isContent = ({ outcome, trace }: Decision): boolean =>
  trace
    .filter(({ mode }) => mode !== 'report')
    .map(({ matched, conditions }) => ({ matched, results: journeysIn(conditions) }))
    .every(
      ({ matched, results }) =>
        results.every((result) => result === false) ||
        (outcome === 'allow' && (matched !== false || results.every((result) => result === true || result === false))),
    )

/** What conditions on journeys said, however deep they stand. What a rule takes for no (`unknown: false`) is not known. */
const journeysIn = (conditions: readonly ConditionTrace[]): ConditionTrace['result'][] =>
  conditions.flatMap(({ condition, result, why, conditions: inner = [] }) => [
    ...(condition.startsWith('travel.') ? [why === undefined ? result : 'unknown'] : []),
    ...journeysIn(inner),
  ])
