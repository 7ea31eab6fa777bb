/** No signature where there has to be one. */
import type { Cause } from '../cause.ts'
import { register } from '../fixes.ts'
import { say } from '../sentence.ts'

export const signatureMissing: Cause = {
  code: 'signature-missing',
  find({ app, stage, seen: { signature } }) {
    if (signature?.fault !== 'missing') return undefined
    return {
      cause: say`The app does not sign its ${signature.of}.`,
      fix: [
        say`in the app: switch on that it signs its ${signature.of} (RSA-SHA256)`,
        // an unsigned request ends nobody's session, whatever is registered
        ...(stage === 'sign-on' ? [register(app, 'saml.requests_signed: false, if the app cannot do it,')] : []),
      ],
    }
  },
}
