/** An enveloped signature as SAML wants it (Core §5.4): RSA with SHA-256 over the element's exclusive canonical form. */
import { createHash, sign as cryptoSign, type KeyObject } from 'node:crypto'
import { base64Of } from './certificate.ts'
import { ENVELOPED, EXCLUSIVE, RSA_SHA256, SHA256 } from './names.ts'
import { canonical, withSecond, type Xml, xml } from './write.ts'

export interface SigningPair {
  readonly key: KeyObject
  /** PEM, of the same key. */
  readonly certificate: string
}

/** RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 §8.2), not in this thread: it takes longer than everything else together. */
export const rsaSha256 = (data: string, key: KeyObject): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    cryptoSign('sha256', Buffer.from(data), key, (error, signature) => (error ? reject(error) : resolve(signature)))
  })

/** The element with a signature of its own behind its first child. It must have an `ID`. */
export async function signed(element: Xml, { key, certificate }: SigningPair): Promise<Xml> {
  const id = element.attributes['ID']
  if (id === undefined) throw new Error('an element without an ID cannot be signed')
  const digest = createHash('sha256').update(canonical(element)).digest('base64')
  const info = xml(
    'ds:SignedInfo',
    {},
    xml('ds:CanonicalizationMethod', { Algorithm: EXCLUSIVE }),
    xml('ds:SignatureMethod', { Algorithm: RSA_SHA256 }),
    xml(
      'ds:Reference',
      { URI: `#${id}` },
      xml(
        'ds:Transforms',
        {},
        xml('ds:Transform', { Algorithm: ENVELOPED }),
        xml('ds:Transform', { Algorithm: EXCLUSIVE }),
      ),
      xml('ds:DigestMethod', { Algorithm: SHA256 }),
      xml('ds:DigestValue', {}, digest),
    ),
  )
  const value = await rsaSha256(canonical(info), key)
  const signature = xml(
    'ds:Signature',
    {},
    info,
    xml('ds:SignatureValue', {}, value.toString('base64')),
    keyInfo(certificate),
  )
  return withSecond(element, signature)
}

/** The fields of a form that carries the message, signed inside (SAML 2.0 Bindings §3.5). */
export async function postFields(
  name: 'SAMLRequest' | 'SAMLResponse',
  message: Xml,
  pair: SigningPair,
  relayState?: string | undefined,
): Promise<Readonly<Record<string, string>>> {
  const text = Buffer.from(canonical(await signed(message, pair))).toString('base64')
  return { [name]: text, ...(relayState === undefined ? {} : { RelayState: relayState }) }
}

/** Of metadata as well (XML Signature 1.1 §4.5.4). */
export const keyInfo = (certificate: string): Xml =>
  xml('ds:KeyInfo', {}, xml('ds:X509Data', {}, xml('ds:X509Certificate', {}, base64Of(certificate))))
