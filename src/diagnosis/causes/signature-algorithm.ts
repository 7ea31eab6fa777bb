/** SHA-1 makes no signature any more. */
import type { Cause } from '../cause.ts'
import { say } from '../sentence.ts'

export const signatureAlgorithm: Cause = {
  code: 'signature-algorithm',
  find({ seen: { signature } }) {
    if (signature?.fault !== 'sha1') return undefined
    return {
      cause: say`The app signs its ${signature.of} with SHA-1, which is not taken.`,
      fix: ['in the app: set the signature algorithm to RSA-SHA256, and the digest to SHA-256'],
    }
  },
}
