/** What all requests and answers have in common (SAML 2.0 Core §3.2.1, §3.2.2): from whom, for whom, when. */
import { type Instant, minutes } from '#core/clock'
import { instantOf, SKEW } from './assertion.ts'
import { ASSERTION, PROTOCOL } from './names.ts'
import { childrenOf } from './shape.ts'
import { SamlProblem } from './verify.ts'
import { type QualifiedName, type Xml, xml } from './write.ts'
import type { XmlElement } from './xml.ts'

export type MessageFault = 'not-the-message' | 'issuer' | 'destination' | 'too-early' | 'expired'

/** How a message begins that we write. */
export interface Head {
  /** Core §1.3.4: an NCName of at least 128 random bits; `_` and `randomId()`. */
  readonly id: string
  /** Entity id. */
  readonly issuer: string
  /** Where it is sent to; a message over SOAP may be without. */
  readonly destination?: string | undefined
  readonly at: Instant
}

export interface ExpectedHead {
  readonly issuer: string
  /** The very address that it came to. */
  readonly destination: string
  /** SAML 2.0 Bindings §3.2: over SOAP nobody has to write it; what is written has to be right all the same. */
  readonly soap?: true | undefined
  readonly now: Instant
}

export interface ReadHead {
  readonly id: string
  readonly issuer: string
  /** From then on it is refused for its age: until then it has to be remembered, so that it counts once. */
  readonly goodUntil: Instant
}

/** Longer than a browser needs from one server to the next. */
const LONGEST_WAY = minutes(5)
const ID = /^[A-Za-z_][\w.-]{0,255}$/

/** `children` come behind the Issuer. */
export const message = (
  name: QualifiedName,
  { id, issuer, destination, at }: Head,
  attributes: Readonly<Record<string, string | undefined>>,
  ...children: readonly (Xml | undefined)[]
): Xml =>
  xml(
    name,
    { ID: id, Version: '2.0', IssueInstant: new Date(at).toISOString(), Destination: destination, ...attributes },
    xml('saml:Issuer', {}, issuer),
    ...children,
  )

/**
 * Who says to have sent it: to know whose keys to look with, and nothing to believe before one of them fits.
 * Undefined where it does not say so exactly once.
 */
export function issuerOf(element: XmlElement): string | undefined {
  const [issuer, ...more] = childrenOf(element, ASSERTION, 'Issuer')
  return more.length === 0 ? issuer?.text : undefined
}

/** `name`: the local part, such as `LogoutRequest`. Throws `SamlProblem`. */
export function headOf(element: XmlElement, name: string, { issuer, destination, soap, now }: ExpectedHead): ReadHead {
  const problem = (fault: MessageFault, say: string) => new SamlProblem<MessageFault>(fault, say)
  const { attributes } = element
  const id = attributes.get('ID') ?? ''
  if (element.namespace !== PROTOCOL || element.name !== name || attributes.get('Version') !== '2.0' || !ID.test(id))
    throw problem('not-the-message', `this is no SAML 2.0 ${name}`)
  if (issuerOf(element) !== issuer) throw problem('issuer', 'the message is of somebody else')
  const to = attributes.get('Destination')
  // ATTACK: what was signed for another address must not be handed on to this one (Bindings §3.4.5.2, §3.5.5.2)
  if (to === undefined ? !soap : to !== destination)
    throw problem('destination', 'the message was meant for another address')
  const issued = instantOf(attributes.get('IssueInstant'))
  if (issued === undefined || issued > now + SKEW) throw problem('too-early', 'the message was not written yet')
  if (issued + LONGEST_WAY + SKEW <= now) throw problem('expired', 'the message was too long on its way')
  return { id, issuer, goodUntil: issued + LONGEST_WAY + SKEW }
}
