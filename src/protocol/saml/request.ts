/** What an app asks for (SAML 2.0 Core §3.4.1, SAML 2.0 Profiles §4.1.4.1), checked, in our words. */
import type { Instant } from '#core/clock'
import { ASSERTION, BINDINGS, childrenOf, headOf, NAME_ID_FORMATS, PROTOCOL, SamlProblem, type XmlElement } from '#saml'
import { strengthOf } from './contexts.ts'
import type { Received } from './incoming.ts'
import { PATHS } from './metadata.ts'
import type { NameFormat } from './names.ts'
import type { Status } from './response.ts'

/** What is kept while somebody signs in: nothing of it came from anywhere but a checked request or the registration. */
export interface Wish {
  readonly app: string
  /** Absent where nobody asked. */
  readonly requestId?: string
  /** INVARIANT: one of those that the app has registered. */
  readonly acs: string
  readonly relayState?: string
  /** No page may be shown. */
  readonly passive?: true
  /** A sign-in of before does not count. */
  readonly fresh?: true
  /** As they were asked for, the preferred first. */
  readonly classes: readonly string[]
  readonly format: NameFormat
  /** About whom the answer has to be. */
  readonly subject?: string
  /** It cannot be met, whoever it is about. */
  readonly status?: Status
  /** Under which its cause was noted. */
  readonly reference?: string
}

export interface Asking {
  readonly issuer: string
  readonly now: Instant
  /** The names of all strengths there are. */
  readonly strengths: readonly string[]
}

const MOST_CLASSES = 20
const LONGEST_SUBJECT = 256

const refused = (fault: string, say: string) => new SamlProblem(fault, say)
const isTrue = (text: string | undefined): boolean => text === 'true' || text === '1'

/** Throws `SamlProblem` for what gets no answer: nobody knows where it could go, or whether the app has asked. */
export function wishOf(received: Received, { issuer, now, strengths }: Asking): Wish {
  const { app, element, signed, relayState } = received
  const { saml } = app
  if (saml.requestsSigned && !signed)
    throw refused('signature-missing', 'the app signs its requests, and this one is not')
  const { id } = headOf(element, 'AuthnRequest', {
    issuer: saml.entityId,
    destination: issuer + PATHS.signOn,
    // Bindings §3.4.5.2, §3.5.5.2: what is signed says where it had to go; nothing else has to, as over SOAP
    ...(signed ? {} : { soap: true }),
    now,
  })
  const { attributes } = element
  const acs = acsOf(element, saml)
  const format = formatOf(element, saml)
  const classes = classesOf(element)
  const known = classes?.filter((uri) => strengthOf(uri, issuer, strengths) !== undefined)
  const subject = subjectOf(element)
  const status: Status | undefined =
    format === undefined
      ? ['Requester', 'InvalidNameIDPolicy']
      : known === undefined || (known.length === 0 && classes!.length > 0)
        ? ['Responder', 'NoAuthnContext']
        : undefined
  return {
    app: app.id,
    requestId: id,
    acs,
    ...(relayState === undefined ? {} : { relayState }),
    ...(isTrue(attributes.get('IsPassive')) ? { passive: true } : {}),
    ...(isTrue(attributes.get('ForceAuthn')) ? { fresh: true } : {}),
    classes: known ?? [],
    format: format ?? saml.nameIdFormat,
    ...(subject === undefined ? {} : { subject }),
    ...(status ? { status } : {}),
  }
}

/**
 * INVARIANT: an address of the registration, compared exactly.
 * ATTACK: whoever can have an answer sent to an address of their own signs in as whoever follows their link.
 */
function acsOf({ attributes }: XmlElement, { acsUrls, acsIndexes }: Received['app']['saml']): string {
  const url = attributes.get('AssertionConsumerServiceURL')
  const index = attributes.get('AssertionConsumerServiceIndex')
  const binding = attributes.get('ProtocolBinding')
  if (url !== undefined && index !== undefined) throw refused('acs', 'the request names two addresses for its answer')
  if (binding !== undefined && binding !== BINDINGS.post)
    throw refused('binding', 'the request wants its answer in another way than a form')
  if (index !== undefined && !/^\d{1,5}$/.test(index)) throw refused('acs', 'the index of an address is no number')
  const place = index === undefined ? 0 : acsIndexes.indexOf(Number(index))
  const found = url === undefined ? acsUrls[place] : acsUrls.find((one) => one === url)
  if (found === undefined) throw refused('acs', 'the answer would go to an address that is not registered')
  return found
}

/**
 * Core §3.4.1.1. The app's own format, one that tells less, or none that matters. What an administrator has registered as
 * a name of this app only is not given out as a mail address because a request says so. Undefined where it is another one.
 */
function formatOf(element: XmlElement, { nameIdFormat, entityId }: Received['app']['saml']): NameFormat | undefined {
  const [policy] = childrenOf(element, PROTOCOL, 'NameIDPolicy')
  const format = policy?.attributes.get('Format') ?? NAME_ID_FORMATS.unspecified
  const qualifier = policy?.attributes.get('SPNameQualifier') ?? entityId
  // one that is made for several apps together: nobody registers such groups here
  if (qualifier !== entityId && qualifier !== '') return undefined
  if (format === NAME_ID_FORMATS.unspecified || format === NAME_ID_FORMATS[nameIdFormat]) return nameIdFormat
  return format === NAME_ID_FORMATS.transient ? 'transient' : undefined
}

/**
 * Core §3.3.2.2.1: of what is listed one has to be met. `minimum` is met by the same: strengths are sets of factors, and whoever
 * gives more has given these as well. Undefined where it cannot be met by anything that is known here.
 */
function classesOf(element: XmlElement): readonly string[] | undefined {
  const [requested] = childrenOf(element, PROTOCOL, 'RequestedAuthnContext')
  if (!requested) return []
  const comparison = requested.attributes.get('Comparison') ?? 'exact'
  const classes = childrenOf(requested, ASSERTION, 'AuthnContextClassRef').map(({ text }) => text.trim())
  if (!['exact', 'minimum'].includes(comparison) || classes.length === 0) return undefined
  return classes.slice(0, MOST_CLASSES)
}

/** Core §3.4.1.4. How it is confirmed is for the answer to say. */
function subjectOf(element: XmlElement): string | undefined {
  const [subject] = childrenOf(element, ASSERTION, 'Subject')
  const [name] = subject ? childrenOf(subject, ASSERTION, 'NameID') : []
  const text = name?.text.trim() ?? ''
  return text === '' || text.length > LONGEST_SUBJECT ? undefined : text
}
