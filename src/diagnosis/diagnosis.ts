/**
 * Diagnosis: why an app does not get in. A door says what it saw, next to what is registered; here the cause gets a name, and
 * the administrator a sentence and a fix to copy. The person learns nothing of it but a reference.
 *
 *     door → `failed({ app, stage, seen })` → the first cause of the list that fits → log, records → reference for the page
 *
 * - `seen.ts`       what doors can have seen         - `cause.ts` `causes/` what can be wrong, a file each
 * - `sentence.ts`   nothing foreign gets onto a terminal     - `fixes.ts` `addresses.ts` what several causes share
 * - `notes.ts`      limits: nobody fills the log or the table  - `records.ts` `tables.ts` the last failure of each kind
 * - `loops.ts`      browsers that go in circles      - `unknown.ts` apps that nobody registered
 *
 * Nothing here refuses or lets in: the doors have done so already. A cause: its file, its line in `causes/list.ts`, its row in
 * `docs/apps.md`.
 */
export { CAUSES } from './causes/list.ts'
export { type Diagnosis, type DiagnosisOptions, openDiagnosis } from './open.ts'
export type { Diagnosed } from './records.ts'
export type { Failure, Seen, SentBy, Stage } from './seen.ts'
export { diagnosisMigrations } from './tables.ts'
