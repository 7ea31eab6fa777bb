/**
 * The one shape of an answer that is looked at any further (SAML 2.0 Core §3.3.3, §5; SAML 2.0 Profiles §4.1.4): one Response
 * with one Assertion, each signed by a signature of its own that is its child and covers it whole.
 *
 * ATTACK: signature wrapping puts what was signed where the verifier looks and something else where the reader looks. With one
 * Response, one Assertion, no id twice and no room for anything else there are not two places.
 */
import { ASSERTION, DSIG, ENVELOPED, EXCLUSIVE, PROTOCOL, RSA_SHA256, SHA256, XENC } from './names.ts'
import { elementsOf, type XmlElement } from './xml.ts'

export type ShapeFault =
  | 'not-a-response'
  | 'status'
  | 'assertion-missing'
  | 'several-assertions'
  | 'duplicate-id'
  | 'signature-missing'
  | 'signature-misplaced'
  | 'algorithm'
  | 'encryption'

export class ShapeProblem extends Error {
  readonly fault: ShapeFault
  constructor(fault: ShapeFault, say: string) {
    super(say)
    this.fault = fault
  }
}

/** RFC 9231; nothing on SHA-1, and nothing with a shared secret: a public key must not be taken for one. */
const SIGNATURES = new Set([
  RSA_SHA256,
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512',
  'http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1',
])
const DIGESTS = new Set([SHA256, 'http://www.w3.org/2001/04/xmlenc#sha512'])

const is = (element: XmlElement, namespace: string, name: string) =>
  element.namespace === namespace && element.name === name
export const childrenOf = (element: XmlElement, namespace: string, name: string): XmlElement[] =>
  element.children.filter((child) => is(child, namespace, name))

const idOf = (element: XmlElement): string | undefined => element.attributes.get('ID')

export interface ResponseShape {
  readonly response: XmlElement
  readonly assertion: XmlElement
  readonly encrypted: boolean
  readonly responseSigned: boolean
  readonly assertionSigned: boolean
}

/** Throws `ShapeProblem`. */
export function shapeOf(response: XmlElement): ResponseShape {
  if (!is(response, PROTOCOL, 'Response') || response.attributes.get('Version') !== '2.0')
    throw new ShapeProblem('not-a-response', 'this is no SAML 2.0 Response')
  requireSuccess(response)
  const all = [...elementsOf(response)]
  // by the local name: a library may look at that only
  const assertions = all.filter(({ name }) => name === 'Assertion' || name === 'EncryptedAssertion')
  if (all.filter(({ name }) => name === 'Response').length > 1 || assertions.length > 1)
    throw new ShapeProblem('several-assertions', 'there is more than one Assertion or Response')
  const [assertion] = assertions
  if (!assertion || assertion.namespace !== ASSERTION || !response.children.includes(assertion))
    throw new ShapeProblem('assertion-missing', 'the Response has no Assertion of its own')
  const encrypted = assertion.name === 'EncryptedAssertion'
  requireUniqueIds(all)
  const responseSigned = signs(response)
  const assertionSigned = !encrypted && signs(assertion)
  requireNoOtherSignature(all, Number(responseSigned) + Number(assertionSigned))
  if (encrypted) requireOneEncryption(assertion)
  return { response, assertion, encrypted, responseSigned, assertionSigned }
}

/**
 * Whether a message that is signed as a whole or not at all is so: requests, and answers without an Assertion. Throws
 * `ShapeProblem` where anything about its signature is not as it is known.
 */
export function messageIsSigned(message: XmlElement): boolean {
  const all = [...elementsOf(message)]
  requireUniqueIds(all)
  const signed = signs(message)
  requireNoOtherSignature(all, Number(signed))
  return signed
}

/** Core §3.2.2.2. Nobody signs an error, and nothing of it is believed: it is told to the administrator. */
function requireSuccess(response: XmlElement): void {
  const [status] = childrenOf(response, PROTOCOL, 'Status')
  const codes = status ? [...elementsOf(status)].filter((one) => is(one, PROTOCOL, 'StatusCode')) : []
  const [code] = codes
  if (code?.attributes.get('Value') === 'urn:oasis:names:tc:SAML:2.0:status:Success') return
  const words = codes.map(
    (one) =>
      (one.attributes.get('Value') ?? '')
        .split(':')
        .pop()
        ?.replace(/[^\w-]/g, '') ?? '',
  )
  throw new ShapeProblem('status', `the provider says ${words.join(', ').slice(0, 80) || 'nothing about success'}`)
}

function requireUniqueIds(all: readonly XmlElement[]): void {
  const seen = new Set<string>()
  for (const { attributes } of all)
    for (const [name, value] of attributes) {
      if (!/^(\{.*\})?id$/i.test(name)) continue
      if (seen.has(value)) throw new ShapeProblem('duplicate-id', 'two elements have the same id')
      seen.add(value)
    }
}

/** Whether the element has a signature of its own. Throws where it has one of another form than the one that is known. */
function signs(element: XmlElement): boolean {
  const signatures = element.children.filter(({ name }) => name === 'Signature')
  const [signature] = signatures
  if (!signature) return false
  const misplaced = (say: string) => new ShapeProblem('signature-misplaced', say)
  if (signatures.length > 1 || signature.namespace !== DSIG) throw misplaced('an element has more than one signature')
  const infos = childrenOf(signature, DSIG, 'SignedInfo')
  const values = childrenOf(signature, DSIG, 'SignatureValue')
  const others = signature.children.filter(({ name }) => !['SignedInfo', 'SignatureValue', 'KeyInfo'].includes(name))
  const [info] = infos
  if (!info || infos.length > 1 || values.length !== 1 || others.length > 0)
    throw misplaced('a signature has not exactly one SignedInfo and one SignatureValue')
  const references = childrenOf(info, DSIG, 'Reference')
  const [reference] = references
  const id = idOf(element)
  // Core §5.4.2: the one reference is to the id of the element that the signature stands in
  if (!reference || references.length > 1 || !id || reference.attributes.get('URI') !== `#${id}`)
    throw misplaced('a signature covers something else than the element that it stands in')
  requireAlgorithms(info, reference)
  return true
}

function requireAlgorithms(info: XmlElement, reference: XmlElement): void {
  const algorithm = (parent: XmlElement, name: string): string => {
    const [one, ...more] = childrenOf(parent, DSIG, name)
    return more.length === 0 ? (one?.attributes.get('Algorithm') ?? '') : ''
  }
  const transforms = childrenOf(reference, DSIG, 'Transforms').flatMap(({ children }) => children)
  const known =
    algorithm(info, 'CanonicalizationMethod') === EXCLUSIVE &&
    SIGNATURES.has(algorithm(info, 'SignatureMethod')) &&
    DIGESTS.has(algorithm(reference, 'DigestMethod')) &&
    // Core §5.4.4: these two and no others, in this order
    transforms.length === 2 &&
    transforms[0]!.attributes.get('Algorithm') === ENVELOPED &&
    transforms[1]!.attributes.get('Algorithm') === EXCLUSIVE
  if (!known) throw new ShapeProblem('algorithm', 'a signature uses an algorithm or a transform that is not accepted')
}

function requireNoOtherSignature(all: readonly XmlElement[], own: number): void {
  const count = (name: string) => all.filter((one) => one.name === name).length
  if (count('Signature') !== own || count('SignedInfo') !== own || count('Object') > 0 || count('Manifest') > 0)
    throw new ShapeProblem('signature-misplaced', 'there is a signature where none belongs')
}

/** One ciphertext and the one key for it, both inside of `holder`. Throws `ShapeProblem`. */
export function requireOneEncryption(holder: XmlElement): void {
  const all = [...elementsOf(holder)]
  const count = (name: string) => all.filter((one) => is(one, XENC, name)).length
  const [data] = childrenOf(holder, XENC, 'EncryptedData')
  const outside = all.some(({ name }) => name === 'CipherReference' || name === 'RetrievalMethod')
  if (!data || count('EncryptedData') !== 1 || count('EncryptedKey') !== 1 || outside)
    throw new ShapeProblem('encryption', 'what is encrypted is not one part with one key inside of it')
}
