/** A SAML app of the tests that can also lie: asks what it is told to, and reads what it is answered. */
import { constants, createPrivateKey, sign as cryptoSign, randomBytes } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import { factsOf, type VerifiedResponse, verifyResponse } from '#saml'
import { type Form, formsOf, type Page } from '../../demo/browser.ts'
import type { Keys } from './saml-provider.ts'
import { signed as signedXml } from './saml-provider.ts'

export const ACS = 'https://app.kestrel.example/saml/acs'
export const ENTITY_ID = 'https://app.kestrel.example/saml/metadata'
export const CLASSES = 'urn:oasis:names:tc:SAML:2.0:ac:classes:'
export const FORMATS = Object.freeze({
  persistent: 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
  transient: 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient',
  emailAddress: 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress',
  unspecified: 'urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified',
} as const)

export interface Asked {
  readonly id: string
  readonly issuer: string
  readonly destination: string | undefined
  readonly at: number
  readonly version: string
  /** More attributes of the AuthnRequest. */
  readonly attributes: Readonly<Record<string, string>>
  /** More XML behind the Issuer. */
  readonly inside: string
}

export const requestId = (): string => `_${randomBytes(16).toString('hex')}`
const quoted = (text: string) => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')

/** An AuthnRequest that everything is right with, but for the changes. Texts of `inside` are taken as XML. */
export function requestXml(issuer: string, changes: Partial<Asked> = {}): string {
  const said: Asked = {
    id: requestId(),
    issuer: ENTITY_ID,
    destination: `${issuer}/saml/sso`,
    at: Date.now(),
    version: '2.0',
    attributes: {},
    inside: '',
    ...changes,
  }
  const attributes = Object.entries({
    ID: said.id,
    Version: said.version,
    IssueInstant: new Date(said.at).toISOString(),
    ...(said.destination === undefined ? {} : { Destination: said.destination }),
    ...said.attributes,
  }).map(([name, value]) => ` ${name}="${quoted(value)}"`)
  return (
    `<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"${attributes.join('')}>` +
    `<saml:Issuer>${said.issuer}</saml:Issuer>${said.inside}</samlp:AuthnRequest>`
  )
}

export const policy = (format: string, more = ''): string => `<samlp:NameIDPolicy Format="${format}"${more}/>`
export const wantedContext = (uris: readonly string[], comparison?: string): string =>
  `<samlp:RequestedAuthnContext${comparison ? ` Comparison="${comparison}"` : ''}>${uris.map((uri) => `<saml:AuthnContextClassRef>${uri}</saml:AuthnContextClassRef>`).join('')}</samlp:RequestedAuthnContext>`

const RSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256'

export interface Sent {
  readonly relayState?: string
  readonly keys?: Keys
  readonly algorithm?: string
  /** `SAMLRequest` unless given. */
  readonly name?: string
}

/** The address with the message in it (SAML 2.0 Bindings §3.4), signed where keys are given. */
export function redirectTo(to: string, xml: string | Buffer, sent: Sent = {}): string {
  const { relayState, keys, algorithm = RSA_SHA256, name = 'SAMLRequest' } = sent
  const query = [
    `${name}=${encodeURIComponent(deflateRawSync(xml).toString('base64'))}`,
    ...(relayState === undefined ? [] : [`RelayState=${encodeURIComponent(relayState)}`]),
    ...(keys ? [`SigAlg=${encodeURIComponent(algorithm)}`] : []),
  ].join('&')
  if (!keys) return `${to}?${query}`
  const hash = /sha1$/.test(algorithm) ? 'sha1' : /sha512$/.test(algorithm) ? 'sha512' : 'sha256'
  const padding = /MGF1$/.test(algorithm) ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING
  const value = cryptoSign(hash, Buffer.from(query), { key: createPrivateKey(keys.key), padding }).toString('base64')
  return `${to}?${query}&Signature=${encodeURIComponent(value)}`
}

/** A form as the app's page has it (SAML 2.0 Bindings §3.5). */
export function formTo(to: string, xml: string | Buffer, fields: Readonly<Record<string, string>> = {}): Form {
  const message = Buffer.from(xml as string).toString('base64')
  return { action: new URL(to), fields: new URLSearchParams({ SAMLRequest: message, ...fields }) }
}

/** The signature inside of the request, after its Issuer. */
export const signedRequest = (xml: string, keys: Keys, how: Parameters<typeof signedXml>[3] = {}): string =>
  signedXml(xml, 'AuthnRequest', keys, how)

/** The form that carries the answer to the app; undefined on every other page. */
export const carryingForm = (page: Page): Form | undefined =>
  formsOf(page).find(({ fields }) => fields.has('SAMLResponse'))

export const xmlOf = (page: Page): string => {
  const form = carryingForm(page)
  if (!form) throw new Error(`no answer to the app at ${page.url.pathname} (${page.status})`)
  return Buffer.from(form.fields.get('SAMLResponse')!, 'base64').toString()
}

/** The words of the status, the first one at the top. */
export const statusOf = (xml: string): string[] =>
  [...xml.matchAll(/<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2\.0:status:([^"]*)"/g)].map(([, word]) => word!)

export interface Read {
  readonly verified: VerifiedResponse
  readonly facts: ReturnType<typeof factsOf>
  readonly acs: string
  readonly relayState: string | null
}

/** What a careful app makes of the answer; throws where it would not take it. */
export async function readAnswer(
  page: Page,
  expected: {
    readonly certificates: readonly string[]
    readonly issuer: string
    readonly requestId: string
    readonly now?: number
    readonly acs?: string
    readonly audience?: string
    readonly decryptionKey?: string
  },
): Promise<Read> {
  const form = carryingForm(page)
  if (!form) throw new Error(`no answer to the app at ${page.url.pathname} (${page.status})`)
  const { certificates, issuer, now = Date.now(), acs = ACS, audience = ENTITY_ID, decryptionKey } = expected
  const key = decryptionKey === undefined ? {} : { decryptionKey: createPrivateKey(decryptionKey) }
  const verified = await verifyResponse(form.fields.get('SAMLResponse')!, { certificates, ...key })
  const facts = factsOf(verified, {
    issuer: `${issuer}/saml/metadata`,
    audience,
    acs,
    requestId: expected.requestId,
    now,
    ...key,
  })
  return { verified, facts, acs: form.action.href, relayState: form.fields.get('RelayState') }
}

export interface LogoutAsked {
  readonly id: string
  readonly issuer: string
  readonly destination: string | undefined
  readonly at: number
  readonly nameId: string
  readonly indexes: readonly string[]
  /** More attributes of the LogoutRequest. */
  readonly attributes: Readonly<Record<string, string>>
}

const PROTOCOL = 'xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"'

/** A LogoutRequest that everything is right with, but for the changes. */
export function logoutXml(issuer: string, changes: Partial<LogoutAsked> & Pick<LogoutAsked, 'nameId'>): string {
  const said: LogoutAsked = {
    id: requestId(),
    issuer: ENTITY_ID,
    destination: `${issuer}/saml/slo`,
    at: Date.now(),
    indexes: [],
    attributes: {},
    ...changes,
  }
  const attributes = Object.entries({
    ID: said.id,
    Version: '2.0',
    IssueInstant: new Date(said.at).toISOString(),
    ...(said.destination === undefined ? {} : { Destination: said.destination }),
    ...said.attributes,
  }).map(([name, value]) => ` ${name}="${quoted(value)}"`)
  const indexes = said.indexes.map((one) => `<samlp:SessionIndex>${one}</samlp:SessionIndex>`).join('')
  return (
    `<samlp:LogoutRequest ${PROTOCOL}${attributes.join('')}><saml:Issuer>${said.issuer}</saml:Issuer>` +
    `<saml:NameID>${said.nameId}</saml:NameID>${indexes}</samlp:LogoutRequest>`
  )
}

/** What the app says to a LogoutRequest of ours. */
export const logoutAnswerXml = (said: {
  readonly issuer: string
  readonly destination: string
  readonly at: number
  readonly inResponseTo: string
  readonly status?: string
}): string =>
  `<samlp:LogoutResponse ${PROTOCOL} ID="${requestId()}" Version="2.0" IssueInstant="${new Date(said.at).toISOString()}" Destination="${said.destination}" InResponseTo="${said.inResponseTo}">` +
  `<saml:Issuer>${said.issuer}</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:${said.status ?? 'Success'}"/></samlp:Status></samlp:LogoutResponse>`

export const signedMessage = (xml: string, what: 'LogoutRequest' | 'LogoutResponse', keys: Keys): string =>
  signedXml(xml, what, keys)

export const inEnvelope = (xml: string): string =>
  `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>${xml}</soap:Body></soap:Envelope>`
