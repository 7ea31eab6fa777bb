/** What to try of a fact, where people, devices and the past are not made up but those there are. */
import type { Policies } from '../policies.ts'
import { leavesOf } from '../when.ts'
import { MOST_RULES } from './lockout.ts'
import type { Situation } from './variables.ts'
import { createWorld } from './world.ts'

const rulesOf = (policies: Policies, names: readonly string[]) =>
  policies.list
    .filter((policy) => policy === policies.baseline || names.includes(policy.name))
    .flatMap((policy) => policy.rules.filter(({ mode }) => mode === 'enforce'))

/** The conditions that rules of these policies and of the baseline have, as they are written: `user.id`, `user.attribute.team`. */
export const factsLookedAt = (policies: Policies, names: readonly string[]): ReadonlySet<string> =>
  new Set(rulesOf(policies, names).flatMap(({ draft }) => leavesOf(draft).map(({ written }) => written)))

/**
 * Values of the fact at this path (`network.ip`) that stand for all others, as far as the rules of these policies and of
 * the baseline can tell them apart. None where no rule looks at it, or where there are more rules than can be looked through.
 */
export function valuesOf(policies: Policies, names: readonly string[]): (fact: string) => readonly unknown[] {
  const rules = rulesOf(policies, names)
  if (rules.length > MOST_RULES) return () => []
  const { variables } = createWorld(policies, rules)
  return (fact) => {
    const variable = variables.get(fact)
    return Array.from({ length: (variable?.choices ?? 1) - 1 }, (_, choice) => {
      const situation: Situation = {}
      variable!.set(situation, choice + 1)
      return fact.split('.').reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], situation)
    })
  }
}
