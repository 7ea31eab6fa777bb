/** A scope that the app may not ask for (RFC 6749 §4.1.2.1, `invalid_scope`). */
import type { Cause } from '../cause.ts'
import { register } from '../fixes.ts'
import { say, several } from '../sentence.ts'

export const scopeNotRegistered: Cause = {
  code: 'scope-not-registered',
  find({ app, seen: { scopes, error } }) {
    if (!scopes || error !== 'invalid_scope') return undefined
    const beyond = scopes.asked.filter((scope) => !scopes.registered.includes(scope))
    return {
      cause: say`The app asks for the scopes \`${several(scopes.asked)}\`, of which \`${several(beyond)}\` are not registered.`,
      fix: [
        say`in the app: set the scopes to ${several(scopes.registered)}`,
        register(app, 'what it may ask for as well, if you know that it has to, under oidc.scopes'),
      ],
    }
  },
}
