/** Somebody is let in, the app takes what it gets, and sends them here again at once: it does not believe it. */
import type { Cause } from '../cause.ts'
import { CLOCKS } from '../fixes.ts'
import { say } from '../sentence.ts'

export const signInLoop: Cause = {
  code: 'sign-in-loop',
  find({ app, seen: { loop } }, issuer) {
    if (!loop || loop.via === 'forward-auth' || loop.redeemed === false) return undefined
    const saml = loop.via === 'saml'
    return {
      cause: say`The same browser was let in ${loop.times} times within ${loop.within} seconds: likely the app refuses the ${saml ? 'assertion' : 'token'} (clock, audience, ${saml ? 'certificate' : 'issuer'}), or keeps no session cookie of its own.`,
      fix: [
        CLOCKS,
        saml
          ? say`in the app: read our metadata again (${issuer}/saml/metadata: entity id, certificate); its own entity id, the audience, is ${app.saml?.entityId ?? app.id}`
          : say`in the app: the issuer is ${issuer}, the audience is the client id, ${app.id}`,
        'in the app: its session cookie has to be kept by browsers: Secure only over https, SameSite=Lax',
      ],
      likely: true,
    }
  },
}
