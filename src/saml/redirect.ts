/** Messages in the query of an address (SAML 2.0 Bindings §3.4): deflated, and signed over the very text of the query. */
import { constants, type KeyObject, verify, X509Certificate } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { RSA_SHA256 } from './names.ts'
import { rsaSha256 } from './sign.ts'
import { type Message, SamlProblem, told } from './verify.ts'
import { readXml, xmlText } from './xml.ts'

export type MessageName = 'SAMLRequest' | 'SAMLResponse'

export interface Outgoing {
  readonly to: string
  readonly name: MessageName
  readonly xml: string
  readonly relayState?: string | undefined
}

/** Browsers write `'` in a query as `%27` (URL Standard, special-query percent-encode set), and what is signed is that text. */
const encoded = (text: string): string => encodeURIComponent(text).replace(/'/g, '%27')

/** The address with the signed message in it. */
export async function redirectUrl({ to, name, xml, relayState }: Outgoing, key: KeyObject): Promise<string> {
  const query = [
    `${name}=${encoded(deflateRawSync(xml).toString('base64'))}`,
    ...(relayState === undefined ? [] : [`RelayState=${encoded(relayState)}`]),
    `SigAlg=${encoded(RSA_SHA256)}`,
  ].join('&')
  const signature = encoded((await rsaSha256(query, key)).toString('base64'))
  return `${to}${to.includes('?') ? '&' : '?'}${query}&Signature=${signature}`
}

export interface Incoming {
  readonly xml: string
  readonly relayState: string | undefined
  /** What was signed, by the text of the query; undefined where nothing was. */
  readonly signature: { readonly algorithm: string; readonly over: string; readonly value: Buffer } | undefined
}

/** Bytes of a message, before and after it is inflated. */
const LIMIT = 64 * 1024
const ALGORITHMS: Readonly<Record<string, { hash: string; padding?: number }>> = {
  [RSA_SHA256]: { hash: 'sha256' },
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512': { hash: 'sha512' },
  'http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1': {
    hash: 'sha256',
    padding: constants.RSA_PKCS1_PSS_PADDING,
  },
}

/**
 * `query` is the raw text after the question mark: what was signed is that text, not what it means. Throws `SamlProblem`.
 * ATTACK: a field twice is read differently by different readers; a deflated bomb is not inflated past the limit.
 */
export function readRedirect(query: string, name: MessageName): Incoming {
  const fields = new Map<string, string>()
  for (const part of query.split('&')) {
    const [key, ...value] = part.split('=')
    if (!['SAMLRequest', 'SAMLResponse', 'RelayState', 'SigAlg', 'Signature'].includes(key!)) continue
    if (fields.has(key!)) throw new SamlProblem('query', `\`${key}\` stands there twice`)
    fields.set(key!, value.join('='))
  }
  const text = (key: string): string | undefined => {
    const raw = fields.get(key)
    if (raw === undefined) return undefined
    try {
      return decodeURIComponent(raw.replace(/\+/g, '%20'))
    } catch {
      throw new SamlProblem('query', `\`${key}\` is not well encoded`)
    }
  }
  const message = text(name)
  if (message === undefined) throw new SamlProblem('query', `there is no \`${name}\``)
  const [algorithm, value] = [text('SigAlg'), text('Signature')]
  const over = [name, 'RelayState', 'SigAlg']
    .filter((key) => fields.has(key))
    .map((key) => `${key}=${fields.get(key)}`)
    .join('&')
  return {
    xml: told(() => xmlText(inflated(message), LIMIT)),
    relayState: text('RelayState'),
    signature:
      algorithm === undefined || value === undefined
        ? undefined
        : { algorithm, over, value: Buffer.from(value, 'base64') },
  }
}

/**
 * The message of an address, like `verifyMessage`: whether there has to be a signature is for the caller to say; one by another
 * key is none. A signature inside of the XML counts for nothing here (Bindings §3.4.4.1). Throws `SamlProblem`.
 */
export const redirectMessage = (incoming: Incoming, certificates: readonly string[]): Message =>
  told(() => ({
    element: readXml(incoming.xml, { size: LIMIT, comments: 'refused' }),
    signed: isSignedBy(incoming, certificates),
  }))

/** Whether one of the keys made the signature. False where there is none, or by an algorithm that is not accepted. */
export function isSignedBy({ signature }: Incoming, certificates: readonly string[]): boolean {
  const known =
    signature && Object.hasOwn(ALGORITHMS, signature.algorithm) ? ALGORITHMS[signature.algorithm] : undefined
  if (!signature || !known) return false
  const data = Buffer.from(signature.over)
  return certificates.some((pem) => {
    try {
      const key = { key: new X509Certificate(pem).publicKey, ...(known.padding && { padding: known.padding }) }
      return verify(known.hash, data, key, signature.value)
    } catch {
      return false
    }
  })
}

function inflated(message: string): Buffer {
  const bytes = Buffer.from(message, 'base64')
  if (bytes.length > LIMIT) throw new SamlProblem('too-large', 'the message is too large')
  try {
    return inflateRawSync(bytes, { maxOutputLength: LIMIT })
  } catch (error) {
    const large = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
    throw large
      ? new SamlProblem('too-large', 'the message is too large')
      : new SamlProblem('not-deflated', 'the message is not deflated')
  }
}
