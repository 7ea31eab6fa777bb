/** A grant type that the app is not registered for. */
import type { Cause } from '../cause.ts'
import { register } from '../fixes.ts'
import { say, several } from '../sentence.ts'

export const grantNotRegistered: Cause = {
  code: 'grant-not-registered',
  find({ app, seen: { exchange } }) {
    if (exchange !== 'grant-not-registered') return undefined
    return {
      cause: say`The app asks for tokens by a grant type that it is not registered for; registered is \`${several(app.oidc?.grantTypes ?? [])}\`.`,
      fix: [
        register(app, 'the grant type that the app needs (refresh_token, client_credentials …) under oidc.grant_types'),
      ],
    }
  },
}
