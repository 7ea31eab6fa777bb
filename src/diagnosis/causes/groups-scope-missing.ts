/** The app and its registration do not agree on whether it is told the groups of people. */
import { hours } from '#core/clock'
import type { Cause } from '../cause.ts'
import { register, snippet } from '../fixes.ts'
import { say, several } from '../sentence.ts'

const GROUPS = 'groups'

export const groupsScopeMissing: Cause = {
  code: 'groups-scope-missing',
  // an app that does without on purpose does so all day
  again: hours(1),
  find({ app, seen: { scopes } }) {
    if (!scopes) return undefined
    const [asks, may] = [scopes.asked.includes(GROUPS), scopes.registered.includes(GROUPS)]
    if (asks === may) return undefined
    if (asks)
      return {
        cause: say`The app asks for the scope \`groups\`, which it is not registered with; registered is \`${several(scopes.registered)}\`.`,
        fix: [register(app, 'groups under oidc.scopes'), 'in the app: leave the scope groups out, if it needs none'],
      }
    return {
      cause: say`People get in, but the app is not told their groups: it asks for \`${several(scopes.asked)}\`, without the scope \`groups\` that it is registered with.`,
      fix: [
        say`in the app: set the scopes to ${several(scopes.registered)}`,
        snippet(app),
        register(app, 'oidc.scopes without groups, if the app needs none,'),
      ],
    }
  },
}
