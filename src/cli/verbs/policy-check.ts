/** `policy check`: problems of the files, and what in them would hurt. */
import { formatProblem, type Problem } from '#config'
import { checkPolicies, type Finding, type HouseFacts, type Policies, type Severity } from '#policy'
import type { Arguments, Context, Verb } from '../verb.ts'

type Load = (args: Arguments, context: Context) => { policies?: Policies; problems: Problem[] }

const SEVERITIES: readonly Severity[] = ['error', 'warning', 'notice']

export const checkVerb = (load: Load): Verb => ({
  words: ['policy', 'check'],
  usage: 'policy check [--policies DIR] [--strict]',
  summary: 'check the policy files; prints errors, warnings and notices as file:line:column code message',
  options: ['policies'],
  switches: ['strict'],
  async run(args, context) {
    const { policies, problems } = load(args, context)
    const house = policies && (await houseOf(context))
    const findings: (Problem & Pick<Finding, 'severity'>)[] = policies
      ? checkPolicies(policies, house)
      : problems.map((problem) => ({ severity: 'error', ...problem }))
    const count = (severity: Severity) => findings.filter((one) => one.severity === severity).length
    const ok = count('error') === 0 && !(args.has('strict') && count('warning') > 0)
    const version = policies?.version ?? null
    const json = { ok, version, policies: policies?.names ?? [], problems: findings, house: house !== undefined }
    context.print(json, () => [
      ...SEVERITIES.flatMap((severity) => findings.filter((one) => one.severity === severity).map(formatProblem)),
      ...(policies ? [summary(policies, count)] : []),
      ...(policies && !house ? ['there is no database here: groups, apps and policies in use were not checked'] : []),
    ])
    return ok ? 0 : 1
  },
})

/** What the database says, where there is one. */
async function houseOf(context: Context): Promise<HouseFacts | undefined> {
  const house = await context.openExisting()
  if (!house) return undefined
  const [groups, apps] = await Promise.all([house.people.groups(), house.catalog.apps.list()])
  return { groups: groups.map(({ name }) => name), apps }
}

function summary({ list, version }: Policies, count: (severity: Severity) => number): string {
  const rules = list.reduce((sum, policy) => sum + policy.rules.length, 0)
  const found = SEVERITIES.filter((severity) => count(severity) > 0)
  const said = found.map((severity) => `${count(severity)} ${severity}${count(severity) > 1 ? 's' : ''}`).join(', ')
  return `policies are ${said ? `read: ${said} in` : 'fine:'} ${list.length} with ${rules} rules, ${version}`
}
