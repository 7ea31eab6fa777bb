/**
 * The command line: verbs on the same rooms as the server.
 *
 * - `verb.ts`       what a verb is          - `verbs/list.ts` every verb there is
 * - `run.ts`        reading arguments, exit codes
 * - `questions.ts`  asking whoever sits at a terminal; `moment.ts` times typed and read, `progress.ts` how far a long one is
 * - `expiring/`     what ends at a time known beforehand, one file a source
 * A new verb: one row in its group's file under `verbs/`.
 */

export { type RunOptions, runCommand } from './run.ts'
export type { Arguments, Context, House, Verb } from './verb.ts'
export { allVerbs, type VerbGroup, verbsFor } from './verbs/list.ts'
