/** What we say: a request to sign somebody in (SAML 2.0 Core §3.4, Bindings §3.4), and our metadata (Metadata §2.4.4). */
import { type KeyObject, sign } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import type { Instant } from '#core/clock'
import { base64Of } from './saml-certificate.ts'
import { ASSERTION, DSIG, PROTOCOL, XENC } from './saml-shape.ts'

export interface Ourselves {
  readonly entityId: string
  /** Where answers are posted to (AssertionConsumerService). */
  readonly acs: string
  readonly key: KeyObject
  /** PEM. */
  readonly certificate: string
}

export interface Wish {
  readonly id: string
  readonly state: string
  readonly signInUrl: string
  readonly nameIdFormat: string
  /** Not to take a sign-in of before. */
  readonly anew: boolean
  /** `AuthnContextClassRef`, where a certain one is asked for. */
  readonly context: string | undefined
  readonly at: Instant
}

const RSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256'
const POST = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST'
const escaped = (text: string) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

/** The address that the browser is sent to. Signed over the very text of the query (Bindings §3.4.4.1). */
export function requestUrl({ entityId, acs, key }: Ourselves, wish: Wish): string {
  const context =
    wish.context === undefined
      ? ''
      : `<samlp:RequestedAuthnContext Comparison="exact"><saml:AuthnContextClassRef>${escaped(wish.context)}</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>`
  const xml =
    `<samlp:AuthnRequest xmlns:samlp="${PROTOCOL}" xmlns:saml="${ASSERTION}" ID="${wish.id}" Version="2.0" IssueInstant="${new Date(wish.at).toISOString()}"` +
    ` Destination="${escaped(wish.signInUrl)}" AssertionConsumerServiceURL="${escaped(acs)}" ProtocolBinding="${POST}"${wish.anew ? ' ForceAuthn="true"' : ''}>` +
    `<saml:Issuer>${escaped(entityId)}</saml:Issuer><samlp:NameIDPolicy Format="${wish.nameIdFormat}" AllowCreate="true"/>${context}</samlp:AuthnRequest>`
  const query =
    `SAMLRequest=${encodeURIComponent(deflateRawSync(xml).toString('base64'))}` +
    `&RelayState=${encodeURIComponent(wish.state)}&SigAlg=${encodeURIComponent(RSA_SHA256)}`
  const signature = encodeURIComponent(sign('sha256', Buffer.from(query), key).toString('base64'))
  return `${wish.signInUrl}${wish.signInUrl.includes('?') ? '&' : '?'}${query}&Signature=${signature}`
}

/** What the administrator of the provider gives to it. */
export function ourMetadata({ entityId, acs, certificate }: Ourselves, nameIdFormat: string): string {
  const info = `<ds:KeyInfo xmlns:ds="${DSIG}"><ds:X509Data><ds:X509Certificate>${base64Of(certificate)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`
  const methods = [
    'http://www.w3.org/2009/xmlenc11#aes256-gcm',
    'http://www.w3.org/2009/xmlenc11#aes128-gcm',
    `${XENC}aes256-cbc`,
    `${XENC}rsa-oaep-mgf1p`,
  ]
  const encryption = methods.map((method) => `<md:EncryptionMethod Algorithm="${method}"/>`).join('')
  return `<?xml version="1.0" encoding="UTF-8"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="${escaped(entityId)}">
  <md:SPSSODescriptor AuthnRequestsSigned="true" WantAssertionsSigned="true" protocolSupportEnumeration="${PROTOCOL}">
    <md:KeyDescriptor use="signing">${info}</md:KeyDescriptor>
    <md:KeyDescriptor use="encryption">${info}${encryption}</md:KeyDescriptor>
    <md:NameIDFormat>${nameIdFormat}</md:NameIDFormat>
    <md:AssertionConsumerService Binding="${POST}" Location="${escaped(acs)}" index="0" isDefault="true"/>
  </md:SPSSODescriptor>
</md:EntityDescriptor>
`
}
