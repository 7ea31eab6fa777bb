/**
 * `policy check` beyond the files: what in these policies would hurt. Pure; every finding is tried out with the rules' own
 * judges (`world.ts`, `search.ts`), so it is never another opinion than that of `decide`.
 */
import type { Policies } from '../policies.ts'
import { findAsks, findAsksOfPrograms } from './asks.ts'
import { type Finding, finding, list } from './finding.ts'
import { findGaps } from './gaps.ts'
import { findInHouse, findLostApps, type HouseFacts } from './house.ts'
import { findLockouts } from './lockout.ts'
import { findReach } from './reach.ts'
import { MOST_PER_CHECK } from './search.ts'
import { createWorld } from './world.ts'

/**
 * In the order of files and lines. Without `house` the findings about groups, apps and policies in use are left out. What
 * has the severity `error` is not to be published.
 */
export function checkPolicies(policies: Policies, house?: HouseFacts): Finding[] {
  const budget = { left: MOST_PER_CHECK }
  const found = [
    ...findLockouts(policies, house !== undefined, budget),
    ...(house ? [...findLostApps(policies, house.apps), ...findInHouse(policies, house)] : []),
    ...findAsks(policies),
    ...policies.list.flatMap((policy) => {
      const world = createWorld(policies, policy.rules)
      const { free } = world
      const untried = `\`${policy.name}\` is checked as if ${list(free)} could answer anything at any time`
      return [
        ...(free.length > 0 ? [finding('condition-untried', policy, untried)] : []),
        ...findAsksOfPrograms(policies, policy, world, budget),
        ...findReach(policy, world, budget),
        ...findGaps(policies, policy, world, budget),
      ]
    }),
  ]
  return found.sort(inOrder)
}

/**
 * The errors of `checkPolicies` for a gateway that exists, without its searches for anything else: they cost seconds where
 * there are thousands of rules.
 */
export function findPolicyErrors(policies: Policies, apps: HouseFacts['apps']): Finding[] {
  const found = [...findLockouts(policies, true, { left: MOST_PER_CHECK }), ...findLostApps(policies, apps)]
  return found.filter(({ severity }) => severity === 'error').sort(inOrder)
}

const inOrder = (a: Finding, b: Finding): number =>
  a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line || a.column - b.column
