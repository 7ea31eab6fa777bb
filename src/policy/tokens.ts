/** What rules say about tokens, where nobody can tell which of them decides. */
import type { Policies, Policy, Rule } from './policies.ts'
import { type OnTokens, stricterOnTokens, tokenLimits } from './terms.ts'

/** The strictest of all rules in force, of each policy with the baseline. */
export function createTokenLimits(list: readonly Policy[], baseline: Policy | undefined): Policies['tokenLimitsOf'] {
  const common = strictest(baseline?.rules ?? [])
  const limits = new Map(
    list.map(({ name, rules }) => {
      const all = stricterOnTokens(strictest(rules), common)
      return [name, all.scopes || all.token ? tokenLimits(all) : undefined] as const
    }),
  )
  return (policy) => limits.get(policy ?? '')
}

const strictest = (rules: readonly Rule[]): OnTokens =>
  rules.reduce<OnTokens>(
    (all, { mode, verdict }) => (mode === 'report' || verdict === 'deny' ? all : stricterOnTokens(all, verdict)),
    {},
  )
