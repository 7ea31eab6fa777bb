/** Ending sessions at the other end as well (SAML 2.0 Core §3.7, SAML 2.0 Profiles §4.4). */
import type { KeyObject } from 'node:crypto'
import type { Instant } from '#core/clock'
import { instantOf, SKEW } from './assertion.ts'
import { encryptedId } from './encrypt.ts'
import { type ExpectedHead, type Head, headOf, message, type ReadHead } from './message.ts'
import { type NameId, nameIdsOf, nameIdXml } from './name-id.ts'
import { PROTOCOL } from './names.ts'
import { childrenOf, ShapeProblem } from './shape.ts'
import { SamlProblem } from './verify.ts'
import { type Xml, xml } from './write.ts'
import type { XmlElement } from './xml.ts'

export type LogoutFault = 'subject' | 'expired' | 'in-response-to' | 'status' | 'encryption'

export interface LogoutRequest {
  readonly nameId: NameId
  /** None: all sessions of that name with the two of us. */
  readonly sessionIndexes: readonly string[]
  readonly notOnOrAfter?: Instant | undefined
  /** A URI of Core §3.7.3, or any other. */
  readonly reason?: string | undefined
}

export interface LogoutResponse {
  /** Of the LogoutRequest. */
  readonly inResponseTo: string
  /** Core §3.2.2.2, without their prefix, the first one at the top: `['Success']`, `['Responder', 'PartialLogout']`. */
  readonly status: readonly [string, ...string[]]
}

/** Core §3.7.3. */
export const LOGOUT_REASONS = Object.freeze({
  user: 'urn:oasis:names:tc:SAML:2.0:logout:user',
  admin: 'urn:oasis:names:tc:SAML:2.0:logout:admin',
} as const)

const STATUS = 'urn:oasis:names:tc:SAML:2.0:status:'
const MOST_SESSIONS = 500

const problem = (fault: LogoutFault, say: string) => new SamlProblem<LogoutFault>(fault, say)

/**
 * To be signed by whoever sends it: `redirectUrl`, or `signed` for the others. `encryptFor`: a certificate (PEM) for whose key
 * the name is encrypted (Core §3.7.1).
 */
export const logoutRequest = (
  head: Head,
  { nameId, sessionIndexes, notOnOrAfter, reason, encryptFor }: LogoutRequest & { readonly encryptFor?: string },
): Xml =>
  message(
    'samlp:LogoutRequest',
    head,
    { NotOnOrAfter: notOnOrAfter === undefined ? undefined : new Date(notOnOrAfter).toISOString(), Reason: reason },
    encryptFor === undefined ? nameIdXml(nameId) : encryptedId(nameIdXml(nameId), encryptFor),
    ...sessionIndexes.map((index) => xml('samlp:SessionIndex', {}, index)),
  )

/** Signed like the request. */
export const logoutResponse = (head: Head, { inResponseTo, status }: LogoutResponse): Xml => {
  const code = status.reduceRight<Xml | undefined>(
    (inner, word) => xml('samlp:StatusCode', { Value: STATUS + word }, inner),
    undefined,
  )
  return message('samlp:LogoutResponse', head, { InResponseTo: inResponseTo }, xml('samlp:Status', {}, code))
}

/**
 * `element`: of a message whose signature was good. Throws `SamlProblem`.
 * Remembering `id` until `goodUntil` is the caller's, so that the message counts once.
 */
export function readLogoutRequest(
  element: XmlElement,
  expected: ExpectedHead,
  decryptionKey?: KeyObject,
): ReadHead & LogoutRequest {
  const head = headOf(element, 'LogoutRequest', expected)
  const until = element.attributes.get('NotOnOrAfter')
  const notOnOrAfter = instantOf(until)
  if (until !== undefined && (notOnOrAfter === undefined || notOnOrAfter + SKEW <= expected.now))
    throw problem('expired', 'the request has expired')
  const names = namesOf(element, decryptionKey)
  const [nameId] = names
  const others = element.children.some(({ name }) => name === 'BaseID')
  if (!nameId || names.length > 1 || others || nameId.value.trim() === '')
    throw problem('subject', 'the request is not about one person')
  const sessionIndexes = childrenOf(element, PROTOCOL, 'SessionIndex').map(({ text }) => text)
  // ATTACK: a name that cannot be read is no reason to end all of them
  if (sessionIndexes.length > MOST_SESSIONS || sessionIndexes.some((index) => index.trim() === ''))
    throw problem('subject', 'the request does not say which sessions')
  return { ...head, nameId, sessionIndexes, notOnOrAfter, reason: element.attributes.get('Reason') }
}

function namesOf(element: XmlElement, decryptionKey: KeyObject | undefined): NameId[] {
  try {
    return nameIdsOf(element, decryptionKey)
  } catch (error) {
    if (error instanceof ShapeProblem) throw problem('encryption', error.message)
    throw error
  }
}

/** As the request. Whether `inResponseTo` is a request of ours that still waits is for the caller to see. */
export function readLogoutResponse(element: XmlElement, expected: ExpectedHead): ReadHead & LogoutResponse {
  const head = headOf(element, 'LogoutResponse', expected)
  const inResponseTo = element.attributes.get('InResponseTo')
  if (!inResponseTo) throw problem('in-response-to', 'nobody asked for the answer')
  const [status, ...more] = childrenOf(element, PROTOCOL, 'Status')
  const words: string[] = []
  let [code] = status ? childrenOf(status, PROTOCOL, 'StatusCode') : []
  while (code) {
    words.push((code.attributes.get('Value') ?? '').replace(STATUS, '').slice(0, 80))
    ;[code] = childrenOf(code, PROTOCOL, 'StatusCode')
  }
  const [first, ...rest] = words
  if (more.length > 0 || !first) throw problem('status', 'the answer does not say what became of the request')
  return { ...head, inResponseTo, status: [first, ...rest] }
}
