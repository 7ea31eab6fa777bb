/** A NameID in another format than the registered one (SAML 2.0 Core §3.4.1.1). */
import type { Cause } from '../cause.ts'
import { register } from '../fixes.ts'
import { say } from '../sentence.ts'

const URN = /^urn:oasis:names:tc:SAML:(?:1\.1|2\.0):nameid-format:(persistent|emailAddress|transient|unspecified)$/

export const nameIdFormat: Cause = {
  code: 'name-id-format',
  find({ app, seen: { nameId } }) {
    if (!nameId || nameId.missing) return undefined
    const known = URN.exec(nameId.asked)?.[1]
    return {
      cause: say`The app asks for the NameID format \`${nameId.asked}\`, registered is \`${nameId.registered}\`.`,
      fix: [
        say`in the app: set the NameID format to ${nameId.registered}, or to none`,
        ...(known === undefined ? [] : [register(app, say`saml.name_id_format: ${known}, if the app is right,`)]),
      ],
    }
  },
}
