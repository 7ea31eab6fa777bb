/** The keys that metadata lists (SAML 2.0 Metadata §2.4.1.1). When a certificate ends says nothing: the metadata says which count. */
import { X509Certificate } from 'node:crypto'
import { pemOf } from './certificate.ts'
import { DSIG, METADATA } from './names.ts'
import { childrenOf } from './shape.ts'
import { elementsOf, type XmlElement } from './xml.ts'

const SMALLEST_KEY = 2048
const MOST_KEYS = 10

/** PEM, of RSA keys of at least 2048 bits for `use` or for everything; `role` is the descriptor of an SP or an IdP. */
export function certificatesOf(role: XmlElement, use: 'signing' | 'encryption'): string[] {
  const keys = childrenOf(role, METADATA, 'KeyDescriptor').filter(
    ({ attributes }) => (attributes.get('use') ?? use) === use,
  )
  const texts = keys.flatMap((key) =>
    [...elementsOf(key)].flatMap(({ namespace, name, text }) =>
      namespace === DSIG && name === 'X509Certificate' ? [text] : [],
    ),
  )
  return [...new Set(texts.map((text) => pemOf(text.replace(/\s/g, ''))))].filter(isStrong).slice(0, MOST_KEYS)
}

/** Whether that is a certificate with an RSA key of at least 2048 bits. */
export function isStrong(pem: string): boolean {
  try {
    const { publicKey } = new X509Certificate(pem)
    return publicKey.asymmetricKeyType === 'rsa' && (publicKey.asymmetricKeyDetails?.modulusLength ?? 0) >= SMALLEST_KEY
  } catch {
    return false
  }
}
