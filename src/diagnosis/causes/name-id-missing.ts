/** The NameID is made of a field that this person does not have. */
import type { Cause } from '../cause.ts'
import { register } from '../fixes.ts'
import { say } from '../sentence.ts'

export const nameIdMissing: Cause = {
  code: 'name-id-missing',
  find({ app, seen: { nameId } }) {
    if (!nameId?.missing) return undefined
    const field = app.saml?.nameId ?? (nameId.asked === 'emailAddress' ? 'email' : 'username')
    return {
      cause: say`Somebody has no \`${field}\`, of which the NameID (${nameId.asked}) of this app is made.`,
      fix: [
        say`in the directory: give the person a value for ${field}`,
        register(app, 'another field under saml.name_id, or another saml.name_id_format,'),
      ],
    }
  },
}
