/** An address that nobody registered. */
import { differenceOf, SETTING_OF } from '../addresses.ts'
import type { Cause } from '../cause.ts'
import { register, snippet } from '../fixes.ts'
import { say, several } from '../sentence.ts'

export const redirectUriWrong: Cause = {
  code: 'redirect-uri-wrong',
  find({ app, seen: { address } }) {
    if (!address) return undefined
    const { registered, sameHost } = differenceOf(address)
    const { of, asked } = address
    return {
      cause: say`The app asks for the ${of} \`${asked}\`, which is not registered; registered is \`${several(address.registered)}\`.`,
      fix: [
        ...(registered === undefined ? [] : [say`in the app: set ${of} to ${registered}`]),
        snippet(app),
        // ATTACK: whoever makes up a request with an address of their own must not be told to be registered
        ...(sameHost || registered === undefined
          ? [register(app, say`the app's own address, if it is one that you know, under ${SETTING_OF[of]}`)]
          : []),
      ],
    }
  },
}
