/** What rules ask and nobody can do, or what has no effect. */
import { FACTOR_NAMES, givable, mostGivable } from '../factors.ts'
import type { Policies, Policy, Rule } from '../policies.ts'
import { namesIn } from '../strengths.ts'
import type { Terms } from '../terms.ts'
import { type Finding, finding, list } from './finding.ts'
import { type Budget, type Requirement, search } from './search.ts'
import type { Situation } from './variables.ts'
import type { World } from './world.ts'

export const findAsks = (policies: Policies): Finding[] =>
  policies.list.flatMap(({ rules }) =>
    rules.flatMap((rule) => (rule.verdict === 'deny' ? [] : asksOf(policies, rule, rule.verdict))),
  )

function asksOf({ strengthTable }: Policies, rule: Rule, terms: Terms): Finding[] {
  const found: Finding[] = []
  const add = (code: Finding['code'], message: string) => found.push(finding(code, rule, `\`${rule.name}\` ${message}`))
  const [name] = namesIn(strengthTable, terms.strengths)
  const strength = strengthTable.find(name!)!
  if (!strength.met(mostGivable())) {
    const missing = list(FACTOR_NAMES.filter((factor) => !givable(factor)))
    add('strength-unreachable', `asks for \`${name}\`, which nobody can meet: this version has no ${missing}`)
  }
  if (terms.idle?.ms === 0 || terms.max?.ms === 0)
    add('session-ends-at-once', 'gives a session of `0s`: whoever signs in is asked again at once')
  const { remember } = terms
  if (!remember) return found
  const effect = 'so `remember_device` has no effect'
  if (terms.fresh) add('remember-without-effect', `wants every factor fresh (\`within: 0s\`), ${effect}`)
  else if (remember.ms === 0) add('remember-without-effect', `remembers for \`0s\`, ${effect}`)
  // a remembered device stands for possession; it is no passkey, and no factor of a list
  else if (name !== 'two-factors')
    add(
      'remember-without-effect',
      `asks for \`${name}\`, and a device is remembered for \`two-factors\` only, ${effect}`,
    )
  return found
}

/**
 * Rules that let in programs only, and ask what only people can give (`answerClient`). Where the search is not sure nothing
 * is said: such a rule denies, and opens nothing.
 */
export function findAsksOfPrograms(
  { strengthTable }: Policies,
  policy: Policy,
  world: World,
  budget: Budget,
): Finding[] {
  return policy.rules.flatMap((rule) => {
    if (rule.verdict === 'deny') return []
    const { strengths, within, fresh } = rule.verdict
    const [name] = namesIn(strengthTable, strengths)
    if (name === 'any' && !within && !fresh) return []
    const needs = world.needs(rule)
    if (!needs.some((key) => key === 'request.kind' || key.startsWith('client.'))) return []
    const finds = (holds: Requirement['holds']) =>
      search({ variables: world.variables, requirements: [{ needs, holds }], budget })
    const ofPeople = (situation: Situation) =>
      situation.request?.kind !== 'api' && world.judge(rule, { ...situation, client: null }) === true
    if (finds(ofPeople) !== 'none' || finds((one) => world.judge(rule, one) === true) === 'none') return []
    const what = name === 'any' ? 'a fresh proof (`within`)' : `\`${name}\``
    return finding(
      'strength-unreachable',
      rule,
      `\`${rule.name}\` asks for ${what} and matches programs only, which have no factors: it lets nobody in`,
    )
  })
}
