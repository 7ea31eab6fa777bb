/** `policy check | test | explain`: the same loader and the same `decide` as the gate. */
import { formatProblem } from '#config'
import { loadPolicies, type Policies, policyJsonSchema, runPolicyTests, type TestReport } from '#policy'
import type { Arguments, Context, Verb } from '../verb.ts'
import { checkVerb } from './policy-check.ts'
import { explainVerb } from './policy-explain.ts'
import { folderOf } from './policy-folder.ts'
import { replayVerb, reportVerb } from './policy-replay.ts'
import type { FindReceipt } from './stored-decision.ts'

/** The policies, or undefined after every problem has been printed. */
export function readPolicies(args: Arguments, context: Context): Policies | undefined {
  const { policies, problems } = loadPolicies(folderOf(args, context))
  for (const problem of problems) context.err(formatProblem(problem))
  return policies
}

const test: Verb = {
  words: ['policy', 'test'],
  usage: 'policy test [--policies DIR]',
  summary: 'run the tests that stand in the policy files',
  options: ['policies'],
  async run(args, context) {
    const policies = readPolicies(args, context)
    if (!policies) return 2
    const reports = runPolicyTests(policies)
    const failed = reports.filter((report) => !report.ok)
    context.print({ passed: reports.length - failed.length, failed: failed.length, tests: reports }, () => [
      ...failed.flatMap(failure),
      `${reports.length - failed.length} passed, ${failed.length} failed`,
    ])
    return failed.length > 0 ? 1 : 0
  },
}

function failure({ line, policy, name, expected, got }: TestReport): string[] {
  const { outcome, rule, required, scopes, token, reported } = got
  const { strength, within } = required ?? {}
  const seen = {
    outcome,
    rule,
    ...(strength && { strength }),
    ...(within && { within }),
    ...(scopes && { scopes }),
    ...(token && { token }),
    reported: reported.map((one) => one.rule),
  }
  return [
    `${line} test-failed ${policy}: ${name}`,
    `  expected ${JSON.stringify(expected)}`,
    `  got      ${JSON.stringify(seen)}`,
  ]
}

const schema: Verb = {
  words: ['policy', 'schema'],
  usage: 'policy schema',
  summary: 'print the JSON Schema of policy files, for editors',
  async run(_args, { out }) {
    out(JSON.stringify(policyJsonSchema(), null, 2))
    return 0
  },
}

/** `findReceipt` reads a stored decision. */
export const createPolicyVerbs = (findReceipt: FindReceipt): readonly Verb[] => [
  checkVerb((args, context) => loadPolicies(folderOf(args, context))),
  test,
  schema,
  explainVerb(readPolicies, findReceipt),
  replayVerb(readPolicies),
  reportVerb(readPolicies),
]
