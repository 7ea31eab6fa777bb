/** A message as it came, by an address, a form, or from server to server: from whom, and whether their key made its signature. */
import type { App, AppSaml, Catalog } from '#catalog'
import {
  type Incoming,
  isSignedBy,
  issuerOf,
  postedXml,
  readMessage,
  readRedirect,
  SamlProblem,
  soapMessage,
  verifyMessage,
  type XmlElement,
} from '#saml'

export type Binding = 'redirect' | 'post' | 'soap'

/** An app that speaks SAML. */
export type SamlApp = App & { readonly saml: AppSaml }

export interface Received {
  readonly app: SamlApp
  /** Read from signed bytes where `signed`. */
  readonly element: XmlElement
  readonly signed: boolean
  readonly relayState: string | undefined
  readonly binding: Binding
}

export type Carried =
  | { readonly binding: 'redirect'; readonly query: string }
  | { readonly binding: 'post'; readonly message: string; readonly relayState: string | undefined }
  | { readonly binding: 'soap'; readonly body: string }

/** Bindings §3.4.3 says 80 bytes, and apps write more. */
const LONGEST_STATE = 2048

const refused = (fault: string, say: string) => new SamlProblem(fault, say)

/**
 * ATTACK: a message says by itself who sent it, so that is only where to look for keys. A signature that none of these made is
 * refused, also where none was asked for: somebody has changed what was signed. Where an app has given no keys its signature says
 * nothing, and the message is as good as one without.
 *
 * Throws `SamlProblem`.
 */
export async function receive(
  carried: Carried,
  name: 'SAMLRequest' | 'SAMLResponse',
  apps: Pick<Catalog['apps'], 'findNamed'>,
): Promise<Received> {
  const incoming = carried.binding === 'redirect' ? readRedirect(carried.query, name) : undefined
  const source = incoming?.xml ?? sourceOf(carried as Exclude<Carried, { binding: 'redirect' }>)
  const unread = readMessage(source)
  const app = await senderOf(unread, apps)
  const relayState = stateOf(incoming?.relayState ?? (carried.binding === 'post' ? carried.relayState : undefined))
  const { element, signed } = incoming
    ? { element: unread, signed: redirectSigned(incoming, app) }
    : await bodySigned(source, unread, app)
  return { app, element, signed, relayState, binding: carried.binding }
}

const sourceOf = (carried: Exclude<Carried, { binding: 'redirect' }>): string =>
  carried.binding === 'post' ? postedXml(carried.message) : soapMessage(carried.body)

/** What came, before anything of it was checked; `text` is what a signature would stand in. Throws `SamlProblem`. */
export function unreadOf(
  carried: Carried,
  name: 'SAMLRequest' | 'SAMLResponse',
): { readonly element: XmlElement; readonly text: string } {
  if (carried.binding === 'redirect') {
    const { xml, signature } = readRedirect(carried.query, name)
    return { element: readMessage(xml), text: signature?.algorithm ?? '' }
  }
  const text = sourceOf(carried)
  return { element: readMessage(text), text }
}

async function senderOf(element: XmlElement, apps: Pick<Catalog['apps'], 'findNamed'>): Promise<SamlApp> {
  const issuer = issuerOf(element)
  const app = issuer === undefined ? undefined : await apps.findNamed({ kind: 'entity-id', name: issuer })
  if (!app?.saml) throw refused('unknown-issuer', 'no app has this entity id')
  return app as SamlApp
}

/** Bindings §3.4.4.1: a signature inside of the XML counts for nothing there. */
function redirectSigned(incoming: Incoming, { saml }: SamlApp): boolean {
  if (!incoming.signature || saml.signingCertificates.length === 0) return false
  if (!isSignedBy(incoming, saml.signingCertificates))
    throw refused('signature-invalid', 'no key of the app made the signature, or the address was changed')
  return true
}

const bodySigned = async (source: string, unread: XmlElement, { saml }: SamlApp) =>
  saml.signingCertificates.length === 0
    ? { element: unread, signed: false }
    : verifyMessage(source, saml.signingCertificates)

/** Carried untouched, so what a form would change on the way cannot be carried. */
function stateOf(state: string | undefined): string | undefined {
  if (state === undefined || state === '') return undefined
  if (state.length > LONGEST_STATE || /\p{Cc}/u.test(state))
    throw refused('relay-state', 'the RelayState is too long, or has control characters')
  return state
}
