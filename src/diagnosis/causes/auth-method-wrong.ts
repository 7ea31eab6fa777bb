/** The app shows who it is in another way than it is registered with, in two ways at once, or not at all. */
import type { Cause } from '../cause.ts'
import { register, snippet } from '../fixes.ts'
import { say, several } from '../sentence.ts'

/** How to register what it does. */
const METHOD = {
  client_secret_basic: 'client_secret_basic',
  client_secret_post: 'client_secret_post',
  client_assertion: 'private_key_jwt',
} as const
/** How apps' settings put it. */
const WORDS: Readonly<Record<string, string>> = {
  client_secret_basic: 'client_secret_basic (the secret in the Authorization header)',
  client_secret_post: 'client_secret_post (the secret in the body)',
  private_key_jwt: 'private_key_jwt (an assertion signed with its own key)',
  none: 'none (no secret, with PKCE)',
}
const secretive = (method: string) => method.startsWith('client_secret_')

export const authMethodWrong: Cause = {
  code: 'auth-method-wrong',
  find({ app, seen: { authentication } }) {
    if (!authentication) return undefined
    const { sent, registered } = authentication
    const [way] = sent
    const method = way && METHOD[way]
    // the header and the body are taken for each other
    const fits = method === undefined ? registered === 'none' : secretive(method) === secretive(registered)
    if (sent.length === 1 && fits && (registered === method || secretive(registered))) return undefined
    if (sent.length === 0 && fits) return undefined
    const words = WORDS[registered] ?? registered
    return {
      cause:
        sent.length > 1
          ? say`The app authenticates in two ways at once: ${several(sent)}.`
          : way === undefined
            ? say`The app does not authenticate at the token endpoint; registered is ${registered}.`
            : say`The app authenticates by ${way}, registered is ${registered}.`,
      fix: [
        say`in the app: set the authentication method of the token endpoint to ${words}`,
        ...(secretive(registered) && way === undefined ? [say`in the app: set the client secret as well`] : []),
        snippet(app),
        ...(sent.length > 1
          ? []
          : [register(app, say`oidc.token_endpoint_auth_method: ${method ?? 'none'}, if the app is right,`)]),
      ],
    }
  },
}
