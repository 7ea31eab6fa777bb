/**
 * From what a browser posted to an Assertion that the provider signed (XML Signature 1.1 §3.2, SAML 2.0 Core §5).
 *
 * INVARIANT: what is given back was read from the bytes that a signature covers, canonical as the verifier hashed them, and
 * never from the message that came in.
 */
import type { KeyObject } from 'node:crypto'
import { decryptedText } from './decrypt.ts'
import { alone } from './fragment.ts'
import { DSIG } from './names.ts'
import { childrenOf, messageIsSigned, type ResponseShape, type ShapeFault, ShapeProblem, shapeOf } from './shape.ts'
import { readXml, type XmlElement, type XmlFault, XmlProblem, xmlText } from './xml.ts'

export type VerifyFault = XmlFault | ShapeFault | 'not-base64' | 'signature-invalid'

/** Why an answer is not accepted; for the administrator. */
export class SamlProblem<F extends string = string> extends Error {
  readonly fault: F
  constructor(fault: F, say: string) {
    super(say)
    this.fault = fault
  }
}

export interface VerifiedResponse {
  /** Read from signed bytes. */
  readonly assertion: XmlElement
  /** Of the Response around it: nothing to believe, but it may not say otherwise. */
  readonly around: {
    readonly destination: string | undefined
    readonly inResponseTo: string | undefined
    readonly issuer: string | undefined
    readonly signed: boolean
  }
}

export interface Verifying {
  /** PEM, each of the provider's keys. */
  readonly certificates: readonly string[]
  /** Of ours; without it nothing encrypted is taken. */
  readonly decryptionKey?: KeyObject | undefined
}

type SignedXml = typeof import('xml-crypto').SignedXml

/** Characters of base64, and the document inside. */
const LIMIT = 256 * 1024
const XML = { size: LIMIT, comments: 'refused' } as const
const NOT_HERE: ReadonlySet<string> = new Set([
  'http://www.w3.org/2000/09/xmldsig#rsa-sha1',
  'http://www.w3.org/2000/09/xmldsig#sha1',
])

/** `posted` is the `SAMLResponse` of the form (SAML 2.0 Bindings §3.5.4). Throws `SamlProblem`. */
export function verifyResponse(posted: string, verifying: Verifying): Promise<VerifiedResponse> {
  return told(async () => {
    const source = postedXml(posted)
    const shape = shapeOf(readXml(source, XML))
    return { assertion: assertionOf(source, shape, verifying, await library()), around: aroundOf(shape) }
  })
}

/** A request, or an answer without an Assertion. */
export interface Message {
  /** Read from signed bytes where `signed`. */
  readonly element: XmlElement
  readonly signed: boolean
}

/**
 * `source` is the XML itself. A signature in it must be good; whether there has to be one is for the caller to say. Throws
 * `SamlProblem`.
 */
export function verifyMessage(source: string, certificates: readonly string[]): Promise<Message> {
  return told(async () => {
    const element = readXml(source, XML)
    if (!messageIsSigned(element)) return { element, signed: false }
    return { element: readXml(signedBytes(source, element, { certificates }, await library()), XML), signed: true }
  })
}

/** What it says, to know whose keys to look with: nothing of it is believed. Throws `SamlProblem`. */
export const readMessage = (source: string): XmlElement => told(() => readXml(source, XML))

/** The XML of a form's field (SAML 2.0 Bindings §3.5.4). Throws `SamlProblem`. */
export const postedXml = (posted: string): string => told(() => xmlText(bytesOf(posted), LIMIT))

/** Loaded when the first message comes: nobody else pays for it. */
const library = async (): Promise<SignedXml> => (await import('xml-crypto')).SignedXml

/** Runs it, with every way to fail told as `SamlProblem`. */
export function told<T>(work: () => T): T {
  const asProblem = (error: unknown): never => {
    if (error instanceof XmlProblem) throw new SamlProblem(error.fault, `the XML is not accepted: ${error.message}`)
    if (error instanceof ShapeProblem) throw new SamlProblem(error.fault, error.message)
    throw error
  }
  try {
    const result = work()
    return (result instanceof Promise ? result.catch(asProblem) : result) as T
  } catch (error) {
    return asProblem(error)
  }
}

function bytesOf(posted: string): Buffer {
  if (posted.length > 2 * LIMIT) throw new SamlProblem('too-large', 'the answer is too large')
  const text = posted.replace(/[\r\n\t ]/g, '')
  const bytes = Buffer.from(text, 'base64')
  if (text === '' || bytes.toString('base64') !== text) throw new SamlProblem('not-base64', 'the answer is no base64')
  return bytes
}

function assertionOf(source: string, shape: ResponseShape, verifying: Verifying, library: SignedXml): XmlElement {
  let text = source
  let at = shape
  if (shape.responseSigned) {
    text = signedBytes(text, shape.response, verifying, library)
    at = shapeOf(readXml(text, XML))
  }
  if (at.encrypted) {
    if (!verifying.decryptionKey) throw new SamlProblem('encryption', 'there is no key to decrypt with')
    // in the place of the ciphertext, where its namespaces hold (XML Encryption 1.1 §4.4)
    const { start, end } = at.assertion
    const inside = decryptedText(at.assertion, verifying.decryptionKey, { covered: shape.responseSigned })
    text = text.slice(0, start) + inside + text.slice(end)
    at = shapeOf(readXml(text, XML))
    if (at.encrypted) throw new SamlProblem('encryption', 'the assertion is encrypted twice')
  }
  // who signed both must have signed both
  if (at.assertionSigned) return readXml(signedBytes(text, at.assertion, verifying, library), XML)
  if (!shape.responseSigned)
    throw new SamlProblem('signature-missing', 'neither the Response nor the Assertion is signed')
  return at.assertion
}

/** What the signature inside of `element` covers, in canonical form. Throws where no key of the provider made it. */
function signedBytes(source: string, element: XmlElement, { certificates }: Verifying, library: SignedXml): string {
  const [signature] = childrenOf(element, DSIG, 'Signature')
  const id = element.attributes.get('ID')
  for (const publicCert of certificates) {
    const check = new library({ publicCert, getCertFromKeyInfo: () => null })
    for (const table of [check.SignatureAlgorithms, check.HashAlgorithms])
      for (const name of Object.keys(table)) if (NOT_HERE.has(name)) delete table[name as keyof typeof table]
    try {
      check.loadSignature(inOneLine(alone(source, signature!)))
      if (!check.checkSignature(inOneLine(source))) continue
    } catch {
      continue // made by another key, or for another text
    }
    const [bytes, ...more] = check.getSignedReferences()
    // what was looked up by its id is what the signature stands in
    if (bytes !== undefined && more.length === 0 && readXml(bytes, XML).attributes.get('ID') === id) return bytes
  }
  throw new SamlProblem('signature-invalid', 'no key of the provider made the signature, or the text was changed')
}

/**
 * The parser of the library takes two more characters for ends of lines, as XML 1.1 has it, and the digest would not fit. They can
 * stand in texts and values only, where a reference is the same.
 */
const inOneLine = (text: string): string =>
  text.replace(/[\u0085\u2028]/g, (sign) => `&#x${sign.codePointAt(0)!.toString(16)};`)

function aroundOf({ response, responseSigned }: ResponseShape): VerifiedResponse['around'] {
  const { attributes, children } = response
  return {
    destination: attributes.get('Destination'),
    inResponseTo: attributes.get('InResponseTo'),
    issuer: children.find(({ name }) => name === 'Issuer')?.text,
    signed: responseSigned,
  }
}
