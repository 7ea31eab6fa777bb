/** The last of the list: that it failed is known, and nothing more. */
import type { Cause } from '../cause.ts'
import { snippet } from '../fixes.ts'
import { say } from '../sentence.ts'

export const notDiagnosed: Cause = {
  code: 'not-diagnosed',
  find: ({ app, stage, seen: { error } }) => ({
    cause: say`A request of the app was refused (${stage}: ${error}), for none of the usual reasons.`,
    fix: [snippet(app), 'in the log: the line of the same request says more'],
  }),
}
