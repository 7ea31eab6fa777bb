/** The exchange of the code names another address than the request for it did (RFC 6749 §4.1.3). */
import type { Cause } from '../cause.ts'
import { snippet } from '../fixes.ts'
import { say, several } from '../sentence.ts'

export const redirectUriChanged: Cause = {
  code: 'redirect-uri-changed',
  find({ app, seen: { exchange } }) {
    if (exchange !== 'redirect-uri-changed') return undefined
    return {
      cause: 'The app redeems its code with another redirect_uri than it asked for the code with.',
      fix: [
        say`in the app: use the same redirect_uri in both places: ${several(app.oidc?.redirectUris ?? [])}`,
        snippet(app),
      ],
    }
  },
}
