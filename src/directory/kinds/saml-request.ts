/** What we say: a request to sign somebody in (SAML 2.0 Core §3.4, Bindings §3.4), and our metadata (Metadata §2.4.4). */
import type { Instant } from '#core/clock'
import { BINDINGS, canonical, keyInfo, PROTOCOL, redirectUrl, type SigningPair, XENC, XENC11, xml } from '#saml'

export interface Ourselves extends SigningPair {
  readonly entityId: string
  /** Where answers are posted to (AssertionConsumerService). */
  readonly acs: string
  /** Where sign-outs are told to (SingleLogoutService), in every binding. */
  readonly slo: string
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

/** The address that the browser is sent to. */
export function requestUrl({ entityId, acs, key }: Ourselves, wish: Wish): Promise<string> {
  const request = xml(
    'samlp:AuthnRequest',
    {
      ID: wish.id,
      Version: '2.0',
      IssueInstant: new Date(wish.at).toISOString(),
      Destination: wish.signInUrl,
      AssertionConsumerServiceURL: acs,
      ProtocolBinding: BINDINGS.post,
      ForceAuthn: wish.anew ? 'true' : undefined,
    },
    xml('saml:Issuer', {}, entityId),
    xml('samlp:NameIDPolicy', { Format: wish.nameIdFormat, AllowCreate: 'true' }),
    wish.context === undefined
      ? undefined
      : xml('samlp:RequestedAuthnContext', { Comparison: 'exact' }, xml('saml:AuthnContextClassRef', {}, wish.context)),
  )
  return redirectUrl({ to: wish.signInUrl, name: 'SAMLRequest', xml: canonical(request), relayState: wish.state }, key)
}

/** What the administrator of the provider gives to it. */
export function ourMetadata({ entityId, acs, slo, certificate }: Ourselves, nameIdFormat: string): string {
  // AES-CBC is taken in signed Responses only, so nobody is told of it
  const methods = [`${XENC11}aes256-gcm`, `${XENC11}aes128-gcm`, `${XENC}rsa-oaep-mgf1p`]
  const metadata = xml(
    'md:EntityDescriptor',
    { entityID: entityId },
    xml(
      'md:SPSSODescriptor',
      { AuthnRequestsSigned: 'true', WantAssertionsSigned: 'true', protocolSupportEnumeration: PROTOCOL },
      xml('md:KeyDescriptor', { use: 'signing' }, keyInfo(certificate)),
      xml(
        'md:KeyDescriptor',
        { use: 'encryption' },
        keyInfo(certificate),
        ...methods.map((method) => xml('md:EncryptionMethod', { Algorithm: method })),
      ),
      ...[BINDINGS.redirect, BINDINGS.post, BINDINGS.soap].map((binding) =>
        xml('md:SingleLogoutService', { Binding: binding, Location: slo }),
      ),
      xml('md:NameIDFormat', {}, nameIdFormat),
      xml('md:AssertionConsumerService', { Binding: BINDINGS.post, Location: acs, index: '0', isDefault: 'true' }),
    ),
  )
  return `<?xml version="1.0" encoding="UTF-8"?>\n${canonical(metadata)}\n`
}
