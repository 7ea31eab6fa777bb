/** What rules want of a condition: for whoever tells beforehand when an answer will change. */
import type { Policies } from './policies.ts'
import { leavesOf } from './when.ts'

/** Of the rules that decide about this policy, the baseline's with them: what each wants of that condition. */
export function wantedOf(policies: Policies, policy: string, condition: string): readonly unknown[] {
  const rules = [policies.baseline, policies.find(policy)].flatMap((one) => one?.rules ?? [])
  return rules
    .filter(({ mode }) => mode === 'enforce')
    .flatMap(({ draft }) => leavesOf(draft))
    .filter((leaf) => leaf.condition.name === condition)
    .map(({ wanted }) => wanted)
}
