/** What only the database knows: whether groups and apps exist, and which policies decide about something. */
import { nearest } from '#core/nearest'
import type { Policies } from '../policies.ts'
import { FINDINGS, type Finding, finding } from './finding.ts'
import { ENTRANCES } from './lockout.ts'

/** The gateway for which policies are checked. */
export interface HouseFacts {
  /** Groups that somebody is in. */
  readonly groups: readonly string[]
  readonly apps: readonly { readonly id: string; readonly policy: string }[]
}

export function findInHouse(policies: Policies, { groups, apps }: HouseFacts): Finding[] {
  const known = { group: new Set(groups), app: new Set(apps.map(({ id }) => id)) }
  const names = policies.mentions
    .filter(({ to, name }) => !known[to].has(name))
    .map(({ to, name, file, line, column }): Finding => {
      const code = `unknown-${to}` as const
      const near = nearest(name, [...known[to]])
      const fact = to === 'group' ? 'is a group that nobody is in' : 'is no app that is registered'
      const message = `\`${name.slice(0, 100)}\` ${fact}${near ? `; did you mean \`${near}\`?` : ''}`
      return { severity: FINDINGS[code], file, line, column, code, message }
    })
  return [...names, ...unused(policies, apps)]
}

export const findLostApps = (policies: Policies, apps: HouseFacts['apps']): Finding[] =>
  apps
    .filter(({ policy }) => !policies.find(policy))
    .map(({ id, policy }) => {
      const message = `app \`${id}\` names the policy \`${policy}\`, which does not exist, so it is closed to everybody`
      return finding('app-without-policy', { line: `${policies.folder}:1`, column: 1 }, message)
    })

/** Before the first app is registered, no policy is in use, and that is nothing to tell. */
function unused(policies: Policies, apps: HouseFacts['apps']): Finding[] {
  if (apps.length === 0) return []
  const used = new Set([...apps, ...ENTRANCES].map(({ policy }) => policy))
  return policies.list
    .filter(({ name, baseline }) => !baseline && !used.has(name))
    .map((policy) => finding('policy-unused', policy, `\`${policy.name}\` is the policy of no app and of no entrance`))
}
