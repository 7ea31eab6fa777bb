/** A Response of the probe, in which every part can be wrong (SAML 2.0 Core §2.3, §3.3.3, SAML 2.0 Profiles §4.1.4.2). */
import { createHash, createHmac, sign as cryptoSign } from 'node:crypto'
import type { App } from '#catalog'
import { type Instant, minutes } from '#core/clock'
import { randomId } from '#core/random'
import { canonical, keyInfo, message, NAME_ID_FORMATS, nameIdXml, type SigningPair, type Xml, xml } from '#saml'
import type { ProbePerson } from './person.ts'

export interface Said {
  readonly person: ProbePerson
  /** Behind every value that tells who it is. */
  readonly suffix: string
  readonly issuer: string
  readonly audience: string | undefined
  readonly destination: string
  readonly recipient: string
  /** In the Response and in the confirmation; undefined leaves both out. */
  readonly inResponseTo: string | undefined
  readonly at: Instant
  readonly notBefore: Instant
  readonly notOnOrAfter: Instant
  readonly confirmedUntil: Instant
  /** The last word of the status. */
  readonly status: 'Success' | 'Responder'
  readonly assertionId: string
}

const STATUS = 'urn:oasis:names:tc:SAML:2.0:status:'
const BEARER = 'urn:oasis:names:tc:SAML:2.0:cm:bearer'
const PASSWORD = 'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport'
export const GOOD_FOR = minutes(5)
const time = (at: Instant) => new Date(at).toISOString()

/** What an app may want to be told, in the words of a registration. */
const fieldsOf = ({
  id,
  username,
  name,
  givenName,
  familyName,
  mail,
}: ProbePerson): Readonly<Record<string, string>> => ({
  id,
  username,
  name,
  email: mail,
  given_name: givenName,
  family_name: familyName,
  language: 'en',
})

export function assertionXml(said: Said, { saml }: App): Xml {
  const { nameIdFormat, nameId, attributes } = saml!
  const fields = fieldsOf(said.person)
  const value = {
    persistent: fields['id'],
    transient: fields['id'],
    emailAddress: fields['email'],
    unspecified: fields[nameId ?? 'username'] ?? fields['username'],
  }[nameIdFormat]
  const wanted = attributes.length > 0 ? attributes : [{ name: 'displayName', value: 'name' }]
  const told = wanted.flatMap(({ name, value: field }) => {
    const text = fields[field]
    return text === undefined
      ? []
      : [xml('saml:Attribute', { Name: name }, xml('saml:AttributeValue', {}, text + said.suffix))]
  })
  return xml(
    'saml:Assertion',
    { ID: said.assertionId, Version: '2.0', IssueInstant: time(said.at) },
    xml('saml:Issuer', {}, said.issuer),
    xml(
      'saml:Subject',
      {},
      nameIdXml({ value: value + said.suffix, format: NAME_ID_FORMATS[nameIdFormat] }),
      xml(
        'saml:SubjectConfirmation',
        { Method: BEARER },
        xml('saml:SubjectConfirmationData', {
          InResponseTo: said.inResponseTo,
          NotOnOrAfter: time(said.confirmedUntil),
          Recipient: said.recipient,
        }),
      ),
    ),
    xml(
      'saml:Conditions',
      { NotBefore: time(said.notBefore), NotOnOrAfter: time(said.notOnOrAfter) },
      said.audience === undefined
        ? undefined
        : xml('saml:AudienceRestriction', {}, xml('saml:Audience', {}, said.audience)),
    ),
    xml(
      'saml:AuthnStatement',
      { AuthnInstant: time(said.at), SessionIndex: `_${randomId()}` },
      xml('saml:AuthnContext', {}, xml('saml:AuthnContextClassRef', {}, PASSWORD)),
    ),
    told.length > 0 ? xml('saml:AttributeStatement', {}, ...told) : undefined,
  )
}

/** `children` come behind the Status. */
export const responseXml = (said: Said, ...children: readonly Xml[]): Xml =>
  message(
    'samlp:Response',
    { id: `_${randomId()}`, issuer: said.issuer, destination: said.destination, at: said.at },
    { InResponseTo: said.inResponseTo },
    xml('samlp:Status', {}, xml('samlp:StatusCode', { Value: STATUS + said.status })),
    ...children,
  )

const DSIG = 'http://www.w3.org/2000/09/xmldsig#'
const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#'
const METHODS = {
  'rsa-sha1': { uri: `${DSIG}rsa-sha1`, digest: 'sha1', digestUri: `${DSIG}sha1` },
  'hmac-sha256': {
    uri: 'http://www.w3.org/2001/04/xmldsig-more#hmac-sha256',
    digest: 'sha256',
    digestUri: 'http://www.w3.org/2001/04/xmlenc#sha256',
  },
} as const

/** A signature as nobody should take one, behind the first child. HMAC: with the certificate, which everybody has, as the secret. */
export function badlySigned(element: Xml, { key, certificate }: SigningPair, method: keyof typeof METHODS): Xml {
  const { uri, digest, digestUri } = METHODS[method]
  const info = xml(
    'ds:SignedInfo',
    {},
    xml('ds:CanonicalizationMethod', { Algorithm: EXCLUSIVE }),
    xml('ds:SignatureMethod', { Algorithm: uri }),
    xml(
      'ds:Reference',
      { URI: `#${element.attributes['ID']}` },
      xml(
        'ds:Transforms',
        {},
        xml('ds:Transform', { Algorithm: `${DSIG}enveloped-signature` }),
        xml('ds:Transform', { Algorithm: EXCLUSIVE }),
      ),
      xml('ds:DigestMethod', { Algorithm: digestUri }),
      xml('ds:DigestValue', {}, createHash(digest).update(canonical(element)).digest('base64')),
    ),
  )
  const bytes = Buffer.from(canonical(info))
  const value =
    method === 'rsa-sha1' ? cryptoSign('sha1', bytes, key) : createHmac('sha256', certificate).update(bytes).digest()
  return behindFirst(
    element,
    xml('ds:Signature', {}, info, xml('ds:SignatureValue', {}, value.toString('base64')), keyInfo(certificate)),
  )
}

export const behindFirst = (element: Xml, ...more: readonly Xml[]): Xml => {
  const [first, ...rest] = element.children
  return { ...element, children: [first!, ...more, ...rest] }
}
export const atEnd = (element: Xml, ...more: readonly Xml[]): Xml => ({
  ...element,
  children: [...element.children, ...more],
})
