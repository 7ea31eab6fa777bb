/** A slash at the end that the other one has not. Addresses are compared exactly (RFC 9700 §4.1.3). */
import { differenceOf, SETTING_OF } from '../addresses.ts'
import type { Cause } from '../cause.ts'
import { register } from '../fixes.ts'
import { say } from '../sentence.ts'

export const redirectUriSlash: Cause = {
  code: 'redirect-uri-slash',
  find({ app, seen: { address } }) {
    const difference = address && differenceOf(address)
    if (difference?.kind !== 'slash') return undefined
    const { of, asked } = address!
    const registered = difference.registered!
    const [has, wants] = asked.length > registered.length ? ['has', 'without'] : ['lacks', 'with']
    return {
      cause: say`The ${of} that the app asks for ${has} a slash at its end: \`${asked}\` instead of \`${registered}\`.`,
      fix: [
        say`in the app: set ${of} to ${registered}`,
        register(app, say`${registered} ${wants} the slash under ${SETTING_OF[of]}`),
      ],
    }
  },
}
