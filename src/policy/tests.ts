/** The tests that policies carry in themselves. */
import { decide } from './decide.ts'
import type { Decision } from './decision.ts'
import type { Expectation } from './documents.ts'
import type { Policies } from './policies.ts'

export interface TestReport {
  readonly policy: string
  readonly name: string
  readonly line: string
  readonly ok: boolean
  readonly expected: Expectation
  readonly got: Decision
}

/** Each test judges the policy it stands in, and the baseline with it, whatever `app.policy` says. */
export function runPolicyTests(policies: Policies): TestReport[] {
  return policies.list.flatMap((policy) =>
    policy.tests.map(({ name, line, given, expect }) => {
      const got = decide(policies, given, { policy: policy.name })
      return { policy: policy.name, name, line, ok: agrees(expect, got), expected: expect, got }
    }),
  )
}

function agrees(expected: Expectation, got: Decision): boolean {
  const { outcome, rule, strength, within, scopes, token, reported } = expected
  const list = (names: string | readonly string[] | undefined) => JSON.stringify([names ?? []].flat().sort())
  return (
    (outcome === undefined || got.outcome === outcome) &&
    (rule === undefined || got.rule === rule) &&
    (strength === undefined || list(got.required?.strength) === list(strength)) &&
    (within === undefined || got.required?.within === within) &&
    (scopes === undefined || (got.scopes !== undefined && list(got.scopes) === list(scopes))) &&
    (token === undefined || got.token?.max === token.max) &&
    (reported === undefined || list(got.reported.map((one) => one.rule)) === list(reported))
  )
}
