/** What a SAML provider says about sign-outs, in each binding; with its key, or as a liar. */
import { createSign } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { SignedXml } from 'xml-crypto'
import { at, type Keys, PERSISTENT, PROVIDER } from './saml-provider.ts'

export interface SaidLogout {
  readonly id: string
  readonly now: number
  readonly destination: string
  readonly issuer: string
  readonly nameId: string
  /** More attributes of the NameID. */
  readonly qualifiers: string
  readonly sessions: readonly string[]
  /** More attributes of the request. */
  readonly more: string
}

const NAMESPACES =
  'xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"'

/** A request that everything is right with, but for the changes. Texts of it are taken as XML. */
export function logoutXml(base: Pick<SaidLogout, 'id' | 'now' | 'destination'>, changes: Partial<SaidLogout> = {}) {
  const said: SaidLogout = {
    issuer: PROVIDER,
    nameId: 'ann-for-ever',
    qualifiers: ` Format="${PERSISTENT}"`,
    sessions: ['s1'],
    more: '',
    ...base,
    ...changes,
  }
  return (
    `<samlp:LogoutRequest ${NAMESPACES} ID="${said.id}" Version="2.0" IssueInstant="${at(said.now, 0)}" Destination="${said.destination}"${said.more}>` +
    `<saml:Issuer>${said.issuer}</saml:Issuer><saml:NameID${said.qualifiers}>${said.nameId}</saml:NameID>` +
    `${said.sessions.map((one) => `<samlp:SessionIndex>${one}</samlp:SessionIndex>`).join('')}</samlp:LogoutRequest>`
  )
}

const SUCCESS = 'urn:oasis:names:tc:SAML:2.0:status:Success'
export const logoutAnswerXml = (
  { now, destination, inResponseTo }: { now: number; destination: string; inResponseTo: string },
  { issuer = PROVIDER, status = SUCCESS }: { issuer?: string; status?: string } = {},
): string =>
  `<samlp:LogoutResponse ${NAMESPACES} ID="_answer" Version="2.0" IssueInstant="${at(now, 0)}" Destination="${destination}" InResponseTo="${inResponseTo}">` +
  `<saml:Issuer>${issuer}</saml:Issuer><samlp:Status><samlp:StatusCode Value="${status}"/></samlp:Status></samlp:LogoutResponse>`

const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#'

/** With a signature of its own behind its Issuer. */
export function signedMessage(xml: string, keys: Keys, digest = 'http://www.w3.org/2001/04/xmlenc#sha256'): string {
  const signer = new SignedXml({
    privateKey: keys.key,
    publicCert: keys.certificate,
    signatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    canonicalizationAlgorithm: EXCLUSIVE,
  })
  signer.addReference({
    xpath: '/*',
    transforms: ['http://www.w3.org/2000/09/xmldsig#enveloped-signature', EXCLUSIVE],
    digestAlgorithm: digest,
  })
  signer.computeSignature(xml, {
    prefix: 'ds',
    location: { reference: "/*/*[local-name(.)='Issuer']", action: 'after' },
  })
  return signer.getSignedXml()
}

export interface HowSent {
  readonly name?: 'SAMLRequest' | 'SAMLResponse'
  readonly relayState?: string
  /** As a percent-encoder of another language writes it. */
  readonly encode?: (text: string) => string
}

/** The query of an address, signed as it stands there. */
export function signedQuery(xml: string, keys: Keys | undefined, how: HowSent = {}): string {
  const { name = 'SAMLRequest', relayState, encode = encodeURIComponent } = how
  const query = [
    `${name}=${encode(deflateRawSync(xml).toString('base64'))}`,
    ...(relayState === undefined ? [] : [`RelayState=${encode(relayState)}`]),
    `SigAlg=${encode('http://www.w3.org/2001/04/xmldsig-more#rsa-sha256')}`,
  ].join('&')
  if (!keys) return query.replace(/&SigAlg=.*/, '')
  return `${query}&Signature=${encode(createSign('RSA-SHA256').update(query).sign(keys.key, 'base64'))}`
}

export const inForm = (xml: string, how: HowSent = {}): ReadonlyMap<string, string> =>
  new Map([
    [how.name ?? 'SAMLRequest', Buffer.from(xml).toString('base64')],
    ...(how.relayState === undefined ? [] : ([['RelayState', how.relayState]] as const)),
  ])

export const inEnvelope = (xml: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?><S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body>${xml}</S:Body></S:Envelope>`

/** What stands in the query of an address. */
export const messageIn = (url: URL, name: 'SAMLRequest' | 'SAMLResponse'): string =>
  inflateRawSync(Buffer.from(url.searchParams.get(name) ?? '', 'base64')).toString()
