/** Who somebody is, as SAML says it (SAML 2.0 Core §2.2.3, §2.2.4). */
import type { KeyObject } from 'node:crypto'
import { opened } from './decrypt.ts'
import { ASSERTION } from './names.ts'
import { childrenOf } from './shape.ts'
import { type Xml, xml } from './write.ts'
import type { XmlElement } from './xml.ts'

/** With every attribute that belongs to the name: two names are the same only where all of it is. */
export interface NameId {
  readonly value: string
  readonly format?: string | undefined
  readonly nameQualifier?: string | undefined
  readonly spNameQualifier?: string | undefined
  readonly spProvidedId?: string | undefined
}

/** Written exactly as it was read: who gets it back compares all of it (Core §3.7.3). */
export const nameIdXml = ({ value, format, nameQualifier, spNameQualifier, spProvidedId }: NameId): Xml =>
  xml(
    'saml:NameID',
    { Format: format, NameQualifier: nameQualifier, SPNameQualifier: spNameQualifier, SPProvidedID: spProvidedId },
    value,
  )

/**
 * The names directly inside of a Subject or a request: NameID, and EncryptedID where the key opens it. `parent` was read from
 * signed bytes. Throws `ShapeProblem` of fault `encryption`.
 */
export const nameIdsOf = (parent: XmlElement, decryptionKey: KeyObject | undefined): NameId[] => [
  ...childrenOf(parent, ASSERTION, 'NameID').map(nameIdOf),
  ...childrenOf(parent, ASSERTION, 'EncryptedID').map((one) => nameIdOf(opened(one, 'NameID', decryptionKey))),
]

const nameIdOf = ({ text, attributes }: XmlElement): NameId => ({
  value: text,
  format: attributes.get('Format'),
  nameQualifier: attributes.get('NameQualifier'),
  spNameQualifier: attributes.get('SPNameQualifier'),
  spProvidedId: attributes.get('SPProvidedID'),
})
