/** What if: the same policies with one rule of `mode: report` in force. */
import type { Policies, Policy } from './policies.ts'

/** The same policies where there is no such rule. */
export function enforcing(policies: Policies, policy: string, rule: string): Policies {
  const list = policies.list.map(
    (one): Policy =>
      one.name === policy
        ? { ...one, rules: one.rules.map((own) => (own.name === rule ? { ...own, mode: 'enforce' as const } : own)) }
        : one,
  )
  const byName = new Map(list.map((one) => [one.name, one]))
  const baseline = list.find((one) => one.baseline)
  return Object.freeze({ ...policies, list, find: (name: string) => byName.get(name), ...(baseline && { baseline }) })
}
