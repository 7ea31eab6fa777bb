/** Whether a verified Assertion is for us, now, and for this request; and what it says (SAML 2.0 Profiles §4.1.4.3). */
import type { KeyObject } from 'node:crypto'
import { type Instant, type Millis, seconds } from '#core/clock'
import { opened } from './decrypt.ts'
import { type NameId, nameIdsOf } from './name-id.ts'
import { ASSERTION } from './names.ts'
import { childrenOf, ShapeProblem } from './shape.ts'
import { SamlProblem, type VerifiedResponse } from './verify.ts'
import type { XmlElement } from './xml.ts'

export type AssertionFault =
  | 'issuer'
  | 'destination'
  | 'recipient'
  | 'audience'
  | 'in-response-to'
  | 'too-early'
  | 'expired'
  | 'conditions'
  | 'subject'
  | 'authn-statement'
  | 'encryption'

export interface Expected {
  /** The provider's entity id. */
  readonly issuer: string
  readonly audience: string
  /** Where the answer had to be posted to. */
  readonly acs: string
  /** Of the one request that is answered. */
  readonly requestId: string
  readonly now: Instant
  /** Of ours; without it nothing encrypted is taken. */
  readonly decryptionKey?: KeyObject | undefined
}

export interface AssertionFacts {
  readonly id: string
  readonly nameId: NameId | undefined
  /** It was encrypted by itself: whoever looks at messages on their way is not to read it. */
  readonly nameIdEncrypted: boolean
  readonly attributes: ReadonlyMap<string, readonly string[]>
  readonly context: string | undefined
  readonly authnInstant: Instant
  readonly sessionIndex: string | undefined
  /** From then on it is refused for its age. */
  readonly goodUntil: Instant
}

/** By so much the clocks of two servers may differ. */
export const SKEW: Millis = seconds(60)
const BEARER = 'urn:oasis:names:tc:SAML:2.0:cm:bearer'
const MOST_VALUES = 1000
const MOST_ENCRYPTED = 50

const problem = (fault: AssertionFault, say: string) => new SamlProblem<AssertionFault>(fault, say)
const the = (parent: XmlElement, name: string): XmlElement[] => childrenOf(parent, ASSERTION, name)

/** Throws `SamlProblem`. */
export function factsOf({ assertion, around }: VerifiedResponse, expected: Expected): AssertionFacts {
  const issuers = the(assertion, 'Issuer')
  const others = around.issuer === undefined ? [] : [around.issuer]
  if (issuers.length !== 1 || [issuers[0]!.text, ...others].some((issuer) => issuer !== expected.issuer))
    throw problem('issuer', 'the answer is of another provider')
  // SAML 2.0 Bindings §3.5.5.2: signed, it says where it had to go
  const { destination } = around
  if (destination === undefined ? around.signed : destination !== expected.acs)
    throw problem('destination', 'the answer was meant for another address')
  if (around.inResponseTo !== expected.requestId)
    throw problem(
      'in-response-to',
      around.inResponseTo === undefined ? 'nobody asked for the answer' : 'the answer is to another request',
    )
  const confirmed = confirmation(assertion, expected)
  const valid = conditions(assertion, expected)
  const statement = authentication(assertion, expected)
  const id = assertion.attributes.get('ID')
  const hidden = inside(assertion, expected.decryptionKey)
  return {
    id: id!,
    ...hidden,
    ...statement,
    goodUntil: Math.min(confirmed, valid) + SKEW,
  }
}

/** xs:dateTime with its zone (Core §1.3.3); undefined for everything else. */
export function instantOf(text: string | undefined): Instant | undefined {
  if (text === undefined || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(text))
    return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : at
}

/** A time that is not there is no limit; one that cannot be read is. */
function within(element: XmlElement, now: Instant, what: string): Instant {
  const [from, until] = ['NotBefore', 'NotOnOrAfter'].map((name) => element.attributes.get(name))
  const [begins, ends] = [instantOf(from), instantOf(until)]
  if (from !== undefined && (begins === undefined || begins > now + SKEW))
    throw problem('too-early', `${what} is not valid yet`)
  if (until !== undefined && (ends === undefined || ends + SKEW <= now)) throw problem('expired', `${what} has expired`)
  return ends ?? Number.POSITIVE_INFINITY
}

/** The bearer confirmation of the one subject: when it ends. */
function confirmation(assertion: XmlElement, { acs, requestId, now }: Expected): Instant {
  const subjects = the(assertion, 'Subject')
  const [subject] = subjects
  const names = subject ? [...the(subject, 'NameID'), ...the(subject, 'EncryptedID')] : []
  if (!subject || subjects.length > 1 || names.length > 1)
    throw problem('subject', 'the assertion is not about one person')
  const bearers = the(subject, 'SubjectConfirmation').filter(({ attributes }) => attributes.get('Method') === BEARER)
  const data = bearers.flatMap((bearer) => the(bearer, 'SubjectConfirmationData'))
  if (data.length !== 1 || bearers.length !== 1)
    throw problem('subject', 'the assertion has not exactly one bearer confirmation')
  const { attributes } = data[0]!
  if (attributes.get('Recipient') !== acs) throw problem('recipient', 'the assertion was made for another recipient')
  if (attributes.get('InResponseTo') !== requestId)
    throw problem('in-response-to', 'the assertion is to another request')
  if (instantOf(attributes.get('NotOnOrAfter')) === undefined) throw problem('expired', 'the confirmation says no end')
  return within(data[0]!, now, 'the confirmation')
}

/** Core §2.5.1: a condition that is not understood makes the assertion invalid. */
function conditions(assertion: XmlElement, { audience, now }: Expected): Instant {
  const all = the(assertion, 'Conditions')
  const [given] = all
  if (!given || all.length > 1) throw problem('conditions', 'the assertion has not exactly one list of conditions')
  const known = ['AudienceRestriction', 'OneTimeUse', 'ProxyRestriction']
  if (given.children.some(({ namespace, name }) => namespace !== ASSERTION || !known.includes(name)))
    throw problem('conditions', 'the assertion has a condition that is not known here')
  const restrictions = the(given, 'AudienceRestriction')
  const forUs = (restriction: XmlElement) => the(restriction, 'Audience').some(({ text }) => text.trim() === audience)
  if (restrictions.length === 0 || !restrictions.every(forUs))
    throw problem('audience', 'the assertion is for another audience')
  return within(given, now, 'the assertion')
}

function authentication(
  assertion: XmlElement,
  { now }: Expected,
): Pick<AssertionFacts, 'authnInstant' | 'context' | 'sessionIndex'> {
  const statements = the(assertion, 'AuthnStatement')
  const [statement] = statements
  const authnInstant = instantOf(statement?.attributes.get('AuthnInstant'))
  if (!statement || statements.length > 1 || authnInstant === undefined)
    throw problem('authn-statement', 'the assertion does not say when somebody signed in')
  if (authnInstant > now + SKEW) throw problem('too-early', 'the sign-in there was in the future')
  const ends = statement.attributes.get('SessionNotOnOrAfter')
  const end = instantOf(ends)
  if (ends !== undefined && (end === undefined || end + SKEW <= now))
    throw problem('expired', 'the session there has ended')
  const classes = the(statement, 'AuthnContext').flatMap((context) => the(context, 'AuthnContextClassRef'))
  return {
    authnInstant,
    context: classes.length === 1 ? classes[0]!.text.trim() || undefined : undefined,
    sessionIndex: statement.attributes.get('SessionIndex'),
  }
}

/**
 * Who and what, also where it is encrypted once more. What cannot be opened makes all of it invalid: a list of groups that is
 * left out would be taken for an empty one.
 */
function inside(
  assertion: XmlElement,
  decryptionKey: KeyObject | undefined,
): Pick<AssertionFacts, 'nameId' | 'nameIdEncrypted' | 'attributes'> {
  const statements = the(assertion, 'AttributeStatement')
  const encrypted = statements.flatMap((statement) => the(statement, 'EncryptedAttribute'))
  // each costs as much as a signature
  if (encrypted.length > MOST_ENCRYPTED) throw problem('encryption', 'there are too many encrypted attributes')
  try {
    const subject = the(assertion, 'Subject')[0]!
    const [nameId] = nameIdsOf(subject, decryptionKey)
    const attributes = [
      ...statements.flatMap((statement) => the(statement, 'Attribute')),
      ...encrypted.map((one) => opened(one, 'Attribute', decryptionKey)),
    ]
    const nameIdEncrypted = the(subject, 'EncryptedID').length > 0
    return { nameId, nameIdEncrypted, attributes: attributesOf(attributes) }
  } catch (error) {
    if (error instanceof ShapeProblem) throw problem('encryption', error.message)
    throw error
  }
}

/** By their names; the values of a name that comes twice are together. A value with elements inside is none. */
function attributesOf(attributes: readonly XmlElement[]): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const attribute of attributes) {
    const name = attribute.attributes.get('Name')
    if (name === undefined) continue
    const values = the(attribute, 'AttributeValue').filter(({ children }) => children.length === 0)
    found.set(name, [...(found.get(name) ?? []), ...values.map(({ text }) => text)].slice(0, MOST_VALUES))
  }
  return found
}
