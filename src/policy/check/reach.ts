/** Rules that never decide: because earlier ones always have, or because their own conditions exclude one another. */
import type { Policy, Rule } from '../policies.ts'
import type { Truth } from '../truth.ts'
import { type Finding, finding, list } from './finding.ts'
import { type Budget, type Found, type Requirement, search } from './search.ts'
import type { World } from './world.ts'

export type Reach =
  /** In some situation it matches for certain, and nothing before it does. */
  | { readonly kind: 'decides' }
  /** It never matches for certain. `counts`: where something is unknown it still has a say. */
  | { readonly kind: 'never-matches'; readonly counts: boolean }
  /** Whenever it matches, one of these has decided. */
  | { readonly kind: 'shadowed'; readonly by: readonly Rule[]; readonly counts: boolean }
  | { readonly kind: 'unsure' }

/** Of every rule of a policy, in order. A rule in report mode decides nothing: it is asked whether it is ever reported. */
export function reachOf(policy: Policy, world: World, budget: Budget): Reach[] {
  return policy.rules.map((rule, index) => {
    // each of them would have to be looked at
    if (index >= budget.left) return { kind: 'unsure' }
    const earlier = policy.rules.slice(0, index).filter(({ mode }) => mode === 'enforce')
    return reachOfRule(rule, earlier, world, budget)
  })
}

function reachOfRule(rule: Rule, earlier: readonly Rule[], world: World, budget: Budget): Reach {
  const is = (one: Rule, right: (truth: Truth) => boolean): Requirement => ({
    needs: world.needs(one),
    holds: (situation) => right(world.judge(one, situation)),
  })
  const look = (...requirements: Requirement[]): Found => search({ variables: world.variables, requirements, budget })
  const matches = is(rule, (truth) => truth === true)
  const mayMatch = is(rule, (truth) => truth !== false)
  const passedOver = (rules: readonly Rule[]) => rules.map((one) => is(one, (truth) => truth !== true))

  const decides = look(matches, ...passedOver(earlier))
  if (decides === 'unsure') return { kind: 'unsure' }
  if (decides !== 'none') return { kind: 'decides' }
  const ever = look(matches)
  const counts = look(mayMatch, ...passedOver(earlier))
  if (ever === 'unsure' || counts === 'unsure') return { kind: 'unsure' }
  if (ever === 'none') return { kind: 'never-matches', counts: counts !== 'none' }

  const shadows = (rules: readonly Rule[]) => look(matches, ...passedOver(rules)) === 'none'
  const alone = earlier.find((one) => shadows([one]))
  if (alone) return { kind: 'shadowed', by: [alone], counts: counts !== 'none' }
  let by = earlier
  for (const one of earlier.toReversed()) {
    const fewer = by.filter((other) => other !== one)
    if (shadows(fewer)) by = fewer
  }
  return { kind: 'shadowed', by, counts: counts !== 'none' }
}

const MOST_NAMED = 3

export function findReach(policy: Policy, world: World, budget: Budget): Finding[] {
  const reach = reachOf(policy, world, budget)
  const unsure = policy.rules.filter((_, index) => reach[index]!.kind === 'unsure')
  const found = policy.rules.flatMap((rule, index) => {
    const one = reach[index]!
    const name = `\`${rule.name}\``
    const rest = 'only where a fact is unknown does it still make the answer stricter'
    if (one.kind === 'never-matches') {
      const why = `${name} never matches: its conditions exclude one another`
      return finding('rule-never-matches', rule, one.counts ? `${why}; ${rest}` : why)
    }
    if (one.kind !== 'shadowed') return []
    const verb = rule.mode === 'report' ? 'is never reported' : 'never decides'
    const why = `${name} ${verb}: whenever it matches, ${list(
      one.by.map((by) => by.name),
      'or',
    )} has decided before`
    return one.counts ? finding('rule-shadowed', rule, `${why}; ${rest}`) : finding('rule-unreachable', rule, why)
  })
  if (unsure.length === 0) return found
  const names = list(unsure.slice(0, MOST_NAMED).map(({ name }) => name))
  const more = unsure.length > MOST_NAMED ? ` and ${unsure.length - MOST_NAMED} more` : ''
  const message = `\`${policy.name}\` has too many combinations to be sure that ${names}${more} ever decide`
  return [...found, finding('too-many-combinations', policy, message)]
}
