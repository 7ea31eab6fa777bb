/** http where https is registered, or the other way round: mostly an app behind a proxy that does TLS for it. */
import { differenceOf } from '../addresses.ts'
import type { Cause } from '../cause.ts'
import { snippet } from '../fixes.ts'
import { say } from '../sentence.ts'

export const redirectUriScheme: Cause = {
  code: 'redirect-uri-scheme',
  find({ app, seen: { address } }) {
    const difference = address && differenceOf(address)
    if (difference?.kind !== 'scheme') return undefined
    const registered = new URL(difference.registered!)
    const [asked] = address!.asked.split(':')
    return {
      cause: say`The app asks for ${asked!}, registered is ${registered.protocol.slice(0, -1)}: ${address!.of} is \`${address!.asked}\` instead of \`${difference.registered!}\`.`,
      fix: [
        say`in the app: set its public address to ${registered.origin}, so that it asks for ${difference.registered!}`,
        ...(registered.protocol === 'https:'
          ? ['in the proxy before the app, where it does TLS: pass `X-Forwarded-Proto: https` on to the app']
          : []),
        snippet(app),
      ],
    }
  },
}
