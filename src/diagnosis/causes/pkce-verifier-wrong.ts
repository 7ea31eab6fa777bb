/** The code verifier does not belong to the challenge: the app has lost what it kept for this sign-in. */
import type { Cause } from '../cause.ts'

export const pkceVerifierWrong: Cause = {
  code: 'pkce-verifier-wrong',
  find({ seen: { exchange } }) {
    if (exchange !== 'verifier-missing' && exchange !== 'verifier-wrong') return undefined
    return {
      cause:
        exchange === 'verifier-missing'
          ? 'The app asked with PKCE, and redeems the code without its code_verifier.'
          : 'The code_verifier with which the app redeems the code is not the one of its code_challenge.',
      fix: [
        'in the app: let one server, or one store that all of them share, keep what belongs to a sign-in until it is done',
      ],
    }
  },
}
