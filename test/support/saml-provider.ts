/** A SAML identity provider of the tests that can also lie: writes and signs what it is told to. */
import { execFile } from 'node:child_process'
import { constants, createCipheriv, type KeyObject, publicEncrypt, randomBytes, X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { SignedXml } from 'xml-crypto'

const run = promisify(execFile)

export interface Keys {
  readonly key: string
  readonly certificate: string
}

export async function makeKeys(bits = 2048): Promise<Keys> {
  const folder = await mkdtemp(join(tmpdir(), 'portico-saml-'))
  try {
    const kind = ['-newkey', `rsa:${bits}`, '-nodes', '-days', '2', '-subj', '/CN=provider of the test']
    await run('openssl', ['req', '-x509', ...kind, '-keyout', 'key.pem', '-out', 'certificate.pem'], { cwd: folder })
    const read = (name: string) => readFile(join(folder, name), 'utf8')
    return { key: await read('key.pem'), certificate: await read('certificate.pem') }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export const PROVIDER = 'https://idp.partner.example/metadata'
const MD = 'urn:oasis:names:tc:SAML:2.0:metadata'
export const derOf = (certificate: string): string => new X509Certificate(certificate).raw.toString('base64')

export const LEAVE = 'https://idp.partner.example/slo?tenant=1'
export const LEFT = 'https://idp.partner.example/slo-answers'

export const metadataOf = (certificates: readonly string[], more = ''): string =>
  `<md:EntityDescriptor xmlns:md="${MD}" entityID="${PROVIDER}"${more}><md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">${certificates
    .map(
      (one) =>
        `<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>${derOf(one)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`,
    )
    .join(
      '',
    )}<md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="${LEAVE}" ResponseLocation="${LEFT}"/><md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.partner.example/sso?tenant=1"/></md:IDPSSODescriptor></md:EntityDescriptor>`

export interface Said {
  readonly now: number
  readonly requestId: string
  readonly acs: string
  readonly audience: string
  readonly issuer: string
  readonly destination: string
  readonly recipient: string
  /** In the response and in the confirmation; undefined leaves both out. */
  readonly inResponseTo: string | undefined
  readonly assertionId: string
  readonly nameId: string
  readonly nameIdFormat: string
  /** Milliseconds from now. */
  readonly notBefore: number
  readonly notOnOrAfter: number
  readonly authnInstant: number
  readonly context: string
  readonly attributes: Readonly<Record<string, readonly string[]>>
  /** More XML in these places. */
  readonly inConditions: string
  readonly inSubject: string
  readonly status: string
}

export const at = (now: number, ms: number): string => new Date(now + ms).toISOString()
const SUCCESS = 'urn:oasis:names:tc:SAML:2.0:status:Success'
export const PERSISTENT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent'

/** An answer that everything is right with, but for the changes. Texts of it are taken as XML. */
export function responseXml(
  base: Pick<Said, 'now' | 'requestId' | 'acs' | 'audience'>,
  changes: Partial<Said> = {},
): string {
  const { now, requestId, acs, audience } = base
  const said: Said = {
    ...base,
    issuer: PROVIDER,
    destination: acs,
    recipient: acs,
    inResponseTo: requestId,
    assertionId: `_a${randomBytes(16).toString('hex')}`,
    nameId: 'ann-for-ever',
    nameIdFormat: PERSISTENT,
    notBefore: -1000,
    notOnOrAfter: 300_000,
    authnInstant: -5000,
    context: 'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport',
    attributes: {
      uid: ['ann'],
      displayName: ['Ann Visser'],
      mail: ['ann@partner.example'],
      groups: ['repairs', 'stores'],
    },
    inConditions: `<saml:AudienceRestriction><saml:Audience>${changes.audience ?? audience}</saml:Audience></saml:AudienceRestriction>`,
    inSubject: '',
    status: SUCCESS,
    ...changes,
  }
  const reply = said.inResponseTo === undefined ? '' : ` InResponseTo="${said.inResponseTo}"`
  const values = Object.entries(said.attributes)
    .map(
      ([name, list]) =>
        `<saml:Attribute Name="${name}">${list.map((value) => `<saml:AttributeValue>${value}</saml:AttributeValue>`).join('')}</saml:Attribute>`,
    )
    .join('')
  return (
    `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_r${randomBytes(16).toString('hex')}" Version="2.0" IssueInstant="${at(now, 0)}" Destination="${said.destination}"${reply}>` +
    `<saml:Issuer>${said.issuer}</saml:Issuer><samlp:Status><samlp:StatusCode Value="${said.status}"/></samlp:Status>` +
    `<saml:Assertion ID="${said.assertionId}" Version="2.0" IssueInstant="${at(now, 0)}"><saml:Issuer>${said.issuer}</saml:Issuer>` +
    `<saml:Subject><saml:NameID Format="${said.nameIdFormat}">${said.nameId}</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">` +
    `<saml:SubjectConfirmationData NotOnOrAfter="${at(now, said.notOnOrAfter)}" Recipient="${said.recipient}"${reply}/></saml:SubjectConfirmation>${said.inSubject}</saml:Subject>` +
    `<saml:Conditions NotBefore="${at(now, said.notBefore)}" NotOnOrAfter="${at(now, said.notOnOrAfter)}">${said.inConditions}</saml:Conditions>` +
    `<saml:AuthnStatement AuthnInstant="${at(now, said.authnInstant)}" SessionIndex="s1"><saml:AuthnContext><saml:AuthnContextClassRef>${said.context}</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>` +
    `<saml:AttributeStatement>${values}</saml:AttributeStatement></saml:Assertion></samlp:Response>`
  )
}

export type What = 'Response' | 'Assertion' | 'AuthnRequest' | 'LogoutRequest' | 'LogoutResponse'
export interface HowSigned {
  readonly signature?: string
  readonly digest?: string
  readonly canonical?: string
  readonly transforms?: readonly string[]
  /** The certificate as the secret of an HMAC. */
  readonly hmac?: boolean
}

const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#'

/** Signs the element, by its place: the signature comes after its Issuer. */
export function signed(xml: string, what: What, keys: Keys, how: HowSigned = {}): string {
  const path = `${what === 'Assertion' ? '//' : '/'}*[local-name(.)='${what}']`
  const signer = new SignedXml({
    privateKey: how.hmac ? keys.certificate : keys.key,
    publicCert: keys.certificate,
    signatureAlgorithm: (how.signature ?? 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256') as never,
    canonicalizationAlgorithm: (how.canonical ?? EXCLUSIVE) as never,
  })
  if (how.hmac) signer.enableHMAC()
  signer.addReference({
    xpath: path,
    transforms: [...(how.transforms ?? ['http://www.w3.org/2000/09/xmldsig#enveloped-signature', EXCLUSIVE])],
    digestAlgorithm: how.digest ?? 'http://www.w3.org/2001/04/xmlenc#sha256',
  })
  signer.computeSignature(xml, {
    prefix: 'ds',
    location: { reference: `${path}/*[local-name(.)='Issuer']`, action: 'after' },
  })
  return signer.getSignedXml()
}

export const signedAs = (xml: string, whats: readonly What[], keys: Keys): string =>
  // the assertion first: the signature of the response covers that of the assertion
  [...whats].sort().reduce((text, what) => signed(text, what, keys), xml)

export interface HowEncrypted {
  readonly cipher?: 'aes-128-cbc' | 'aes-256-gcm'
  readonly transport?: 'oaep' | 'rsa-1_5'
}

const ASSERTION = /<saml:Assertion[\s\S]*<\/saml:Assertion>/
export const assertionIn = (xml: string): string => ASSERTION.exec(xml)![0]

/** Puts the Assertion of the response, signed or not, or another text, into an EncryptedAssertion for the key of `certificate`. */
export function encryptedFor(
  xml: string,
  certificate: string,
  how: HowEncrypted & { readonly text?: string } = {},
): string {
  const { cipher = 'aes-256-gcm', transport = 'oaep', text = assertionIn(xml) } = how
  const encrypted = encryptedData(text, new X509Certificate(certificate).publicKey, cipher, transport)
  return xml.replace(ASSERTION, () => `<saml:EncryptedAssertion>${encrypted}</saml:EncryptedAssertion>`)
}

/** An EncryptedData of any text. */
export function encryptedData(
  text: string,
  key: KeyObject,
  cipher: 'aes-128-cbc' | 'aes-256-gcm' = 'aes-256-gcm',
  transport: 'oaep' | 'rsa-1_5' = 'oaep',
): string {
  const secret = randomBytes(cipher === 'aes-128-cbc' ? 16 : 32)
  const iv = randomBytes(cipher === 'aes-128-cbc' ? 16 : 12)
  const machine = createCipheriv(cipher as 'aes-256-gcm', secret, iv)
  const sealed = Buffer.concat([iv, machine.update(text), machine.final()])
  const bytes = cipher === 'aes-256-gcm' ? Buffer.concat([sealed, machine.getAuthTag()]) : sealed
  const padding = transport === 'oaep' ? constants.RSA_PKCS1_OAEP_PADDING : constants.RSA_PKCS1_PADDING
  const wrapped = publicEncrypt({ key, padding }, secret)
  const names = {
    'aes-128-cbc': 'http://www.w3.org/2001/04/xmlenc#aes128-cbc',
    'aes-256-gcm': 'http://www.w3.org/2009/xmlenc11#aes256-gcm',
    oaep: 'http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p',
    'rsa-1_5': 'http://www.w3.org/2001/04/xmlenc#rsa-1_5',
  }
  const value = (part: Buffer) =>
    `<xenc:CipherData><xenc:CipherValue>${part.toString('base64')}</xenc:CipherValue></xenc:CipherData>`
  return (
    `<xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Type="http://www.w3.org/2001/04/xmlenc#Element"><xenc:EncryptionMethod Algorithm="${names[cipher]}"/>` +
    `<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="${names[transport]}"/>${value(wrapped)}</xenc:EncryptedKey></ds:KeyInfo>${value(bytes)}</xenc:EncryptedData>`
  )
}

export const posted = (xml: string | Buffer): string => Buffer.from(xml as string).toString('base64')
