/** No code challenge, or one that protects nothing, where the app is registered to send one (RFC 7636, RFC 9700 §2.1.1). */
import type { Cause } from '../cause.ts'
import { register, snippet } from '../fixes.ts'

export const pkceMissing: Cause = {
  code: 'pkce-missing',
  find({ app, seen: { pkce } }) {
    if (pkce === undefined) return undefined
    const mayGoWithout = pkce === 'missing' && app.oidc?.tokenEndpointAuthMethod !== 'none'
    return {
      cause:
        pkce === 'missing'
          ? 'The app asks without PKCE (no code_challenge), which it is registered to use.'
          : 'The app uses PKCE with another code_challenge_method than S256, the only one that is taken.',
      fix: [
        'in the app: switch PKCE on, with the method S256',
        snippet(app),
        ...(mayGoWithout ? [register(app, 'oidc.pkce: optional, only if the app cannot do it,')] : []),
      ],
    }
  },
}
