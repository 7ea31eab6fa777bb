/** Something is meant for somebody else: an assertion, a message, a token. */
import type { Cause } from '../cause.ts'
import { register } from '../fixes.ts'
import { say, several } from '../sentence.ts'

export const audienceWrong: Cause = {
  code: 'audience-wrong',
  find({ app, seen: { audience } }) {
    if (!audience) return undefined
    const { of, named, expected } = audience
    const names = several(named) || '(nobody)'
    if (of === 'introspection')
      return {
        cause: say`The app asks about a token that was issued to \`${names}\`, and only resource servers may do that: it is told that the token is not active.`,
        fix: [register(app, 'resource-server under tags')],
      }
    const what = of === 'client_assertion' ? 'The audience (aud) of the client assertion' : `The ${of}`
    return {
      cause: say`${what} is \`${names}\`, expected is \`${expected}\`.`,
      fix: [
        of === 'id_token_hint'
          ? say`in the app: send the ID token that was issued to \`${expected}\`, or the client_id that belongs to it`
          : say`in the app: set ${of === 'Destination' ? 'our address' : 'the audience'} to ${expected}`,
      ],
    }
  },
}
