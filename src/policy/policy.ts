/**
 * Policy: the files in `policies/` (POLICY.md, docs/policy.md) and the one function that decides by them. Pure: facts
 * come in from `access/`, nothing is fetched, nothing is remembered.
 *
 * - `folder.ts` `reading.ts` `documents.ts` `load.ts`  files to policies, all problems at once with their positions;
 *   `reader.ts` each text once
 * - `schema.ts`                   the same for editors, as JSON Schema
 * - `condition.ts` `conditions/`  the contract, the list, one file per condition
 * - `when.ts` `truth.ts`          `any`, `all`, `not`, and what is unknown
 * - `zones.ts` `address.ts`       named networks; `sites.ts` `site-file.ts` `places.ts` `countries.ts` where they are
 * - `wall-clock.ts` local time    - `signals.ts` what conditions need to know; `history.ts` a person's past, in facts
 * - `factors.ts` `strengths.ts`   which factors make which strength, and what is missing; `proofs.ts` how old they may be
 * - `terms.ts` `wanted.ts` `tokens.ts` what is asked, which of two is stricter, what a request adds, what holds for tokens
 * - `conditions-in-force.ts` what rules want of one condition
 * - `check/`                      what would hurt in policies that are sound as files: tried out, never guessed
 * - `suggest/`                    the smallest change with which a request would pass
 * - `diff.ts` `enforcing.ts`     what two sets of files differ in; a set with a rule of mode `report` in force
 * - `lacking.ts`                  which facts nobody had looked for, where a decision of the past is made again
 * - `outage.ts`                   what stays open of somebody whose directory cannot be asked
 * - `contract.ts`                 what a partner's contract closes
 * - `facts.ts` `scene.ts`         the input; `decide.ts` `decision.ts` the output; `tests.ts` the tests in the files
 *
 * To add a condition: its file in `conditions/` with its samples, a line in `conditions/list.ts`, its facts in `facts.ts`.
 */
export { checkPolicies, findPolicyErrors } from './check/check.ts'
export type { Finding, Severity } from './check/finding.ts'
export type { HouseFacts } from './check/house.ts'
export { CONSOLE_POLICY, letsStay } from './check/lockout.ts'
export { factsLookedAt, valuesOf } from './check/values.ts'
export { wantedOf } from './conditions-in-force.ts'
export { countries } from './countries.ts'
export { decide } from './decide.ts'
export {
  AUDIENCE,
  DECIDING_FAILED,
  type Decision,
  DIRECTORY_DOWN,
  type Outcome,
  PARTNER_ENDED,
  PARTNER_NETWORKS,
  type Reported,
  type RuleTrace,
  UNWRITTEN,
} from './decision.ts'
export { type Detail, diffPolicies, type PolicyChange } from './diff.ts'
export type { Words } from './documents.ts'
export { enforcing } from './enforcing.ts'
export { FACTOR_NAMES } from './factors.ts'
export { type Authenticated, FACTS_VERSION, type Facts, parseFacts, readFacts } from './facts.ts'
export type { PolicyFiles, PolicyFolder } from './folder.ts'
export { createLacking, type Gathered, type Lacking } from './lacking.ts'
export { loadPolicies } from './load.ts'
export { mergePlaces } from './places.ts'
export type { Policies, Policy, Rule } from './policies.ts'
export { type Known, readAhead } from './reader.ts'
export type { ConditionTrace } from './said.ts'
export { policyJsonSchema } from './schema.ts'
export { COUNTERS, type Needs, type Signal } from './signals.ts'
export { BUILT_IN_NAMES } from './strengths.ts'
export type { Asking } from './suggest/candidates.ts'
export type { Change, ChangeCode } from './suggest/change.ts'
export { type Suggestion, suggest } from './suggest/suggest.ts'
export type { TokenLimits } from './terms.ts'
export { runPolicyTests, type TestReport } from './tests.ts'
