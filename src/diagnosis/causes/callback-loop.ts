/** Somebody is let in, the app never redeems the code, and sends them here again: it does not know its own request any more. */
import type { Cause } from '../cause.ts'
import { snippet } from '../fixes.ts'
import { say } from '../sentence.ts'

export const callbackLoop: Cause = {
  code: 'callback-loop',
  find({ app, seen: { loop } }) {
    if (loop?.via !== 'oidc' || loop.redeemed !== false) return undefined
    return {
      cause: say`The same browser was sent back to the app with a code ${loop.times} times within ${loop.within} seconds, and the app redeemed none: likely the cookie in which it keeps \`state\` is blocked.`,
      fix: [
        'in the app: the cookie of its sign-in has to be SameSite=Lax or None, Secure only over https, and of the same host as the redirect_uri',
        snippet(app),
      ],
      likely: true,
    }
  },
}
