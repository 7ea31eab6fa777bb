/**
 * The probe: a hostile identity provider towards a test copy of an app, to see what the app takes that it must not take.
 *
 *     values for the test copy → the right sign-in → what tells that somebody is in → a case at a time → the right one again
 *
 * - `run.ts`      that order               - `report.ts` results, severity, grade
 * - `kind.ts`     what a kind of probe is  - `kinds/` one file a protocol, and the list
 * - `cases/`      what is tried: rows, a file a theme
 * - `browser.ts`  the person's browser; it leaves the target for nobody. `markup.ts` pages
 * - `judge.ts`    whether somebody is in   - `person.ts` who is signed in: people who do not exist
 * - `listener.ts` what the test copy asks  - `material.ts` `tables.ts` keys that are none of the gateway's
 * - `saml-message.ts` responses as the cases bend them
 */
export { PROBED_PROTOCOLS } from './kinds/list.ts'
export type { CaseReport, Grade, ProbedProtocol, ProbeReport } from './report.ts'
export { openProbe, type Probe, type ProbeOptions } from './run.ts'
