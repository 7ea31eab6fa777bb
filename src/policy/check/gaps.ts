/**
 * Gaps: somebody whom a rule lets in, and who is refused elsewhere although no rule says so. A rule of thumb: who and
 * what stay the same (`user`, `app`, `client`, `request`), the circumstances change (network, device, time …), and
 * everything is known. Whom no rule lets in anywhere is nobody's gap; a rule that denies closes one.
 */
import type { Policies, Policy, Rule } from '../policies.ts'
import { type Finding, finding } from './finding.ts'
import { type Budget, type Requirement, search } from './search.ts'
import type { Situation, Variable } from './variables.ts'
import { whereInWords, whoInWords } from './words.ts'
import type { World } from './world.ts'

/** Two situations of the same people: the rule lets them in, and elsewhere nothing decides. */
type Pair = Situation & { readonly elsewhere: Situation }

export interface Gap {
  readonly rule: Rule
  readonly inside: Situation
  readonly elsewhere: Situation
}

export function gapOf(rule: Rule, policy: Policy, world: World, budget: Budget): Gap | 'none' | 'unsure' {
  const enforced = policy.rules.filter(({ mode }) => mode === 'enforce')
  const here = (one: Rule, wanted: boolean): Requirement => ({
    needs: world.needs(one),
    holds: (pair) => (world.judge(one, pair) === true) === wanted,
  })
  const there = (one: Rule): Requirement => ({
    needs: world.needs(one).map((key) => (isWho(key) ? key : elsewhere(key))),
    holds: (pair) => world.judge(one, (pair as Pair).elsewhere) === false,
  })
  const earlier = enforced.slice(0, enforced.indexOf(rule)).map((one) => here(one, false))
  const found = search({
    variables: paired(world.variables),
    requirements: [here(rule, true), ...earlier, ...enforced.map(there)],
    given: () => ({ user: {}, elsewhere: { user: {} } }) as Pair,
    unknown: false,
    budget,
  })
  if (typeof found !== 'object') return found
  const { elsewhere: other, ...inside } = found.situation as Pair
  return { rule, inside, elsewhere: other }
}

const isWho = (key: string): boolean => /^(user|app|client|request)\./.test(key)
const elsewhere = (key: string): string => `${key} elsewhere`

/** Each variable for both situations: who and what together, circumstances one by one. */
function paired(variables: ReadonlyMap<string, Variable>): Map<string, Variable> {
  const pairs = [...variables.values()].flatMap((variable): Variable[] => {
    const { key, whole } = variable
    const there = (pair: Situation, choice: number) => variable.set((pair as Pair).elsewhere, choice)
    if (!isWho(key))
      return [
        variable,
        { ...variable, key: elsewhere(key), ...(whole !== undefined && { whole: elsewhere(whole) }), set: there },
      ]
    const set = (pair: Situation, choice: number) => {
      variable.set(pair, choice)
      there(pair, choice)
    }
    return [{ ...variable, set }]
  })
  return new Map(pairs.map((variable) => [variable.key, variable]))
}

export function findGaps(policies: Policies, policy: Policy, world: World, budget: Budget): Finding[] {
  // what such conditions say cannot be told in an example
  if (world.free.length > 0) return []
  const told = new Map<string, Finding>()
  let unsure = false
  for (const rule of policy.rules) {
    if (rule.mode === 'report' || rule.verdict === 'deny' || world.needs(rule).every(isWho)) continue
    const gap = policy.rules.length < budget.left ? gapOf(rule, policy, world, budget) : 'unsure'
    if (gap === 'unsure') unsure = true
    if (typeof gap !== 'object') continue
    const facts = [...new Set(world.needs(rule).map((key) => world.variables.get(key)!.fact))]
    const who = whoInWords(gap.inside, facts.filter(isWho))
    const where = whereInWords(
      gap.elsewhere,
      facts.filter((fact) => !isWho(fact)),
      policies,
    )
    const message = `\`${rule.name}\` lets in ${who}, but no rule decides about them ${where}: they are refused without a word; if that is meant, add a rule that denies and says so`
    if (!told.has(who + where)) told.set(who + where, finding('gap', rule, message))
  }
  if (!unsure) return [...told.values()]
  const message = `\`${policy.name}\` has too many combinations to be sure that it leaves no gap`
  return [...told.values(), finding('too-many-combinations', policy, message)]
}
