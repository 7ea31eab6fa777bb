import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { selfSigned } from '../../src/saml/certificate.ts'
import {
  LOGOUT_REASONS,
  logoutRequest,
  logoutResponse,
  readLogoutRequest,
  readLogoutResponse,
} from '../../src/saml/logout.ts'
import { type ExpectedHead, issuerOf } from '../../src/saml/message.ts'
import { signed } from '../../src/saml/sign.ts'
import { verifyMessage } from '../../src/saml/verify.ts'
import { canonical, type Xml } from '../../src/saml/write.ts'
import { readXml } from '../../src/saml/xml.ts'
import { encryptedData } from '../support/saml-provider.ts'

const pair = () => {
  const key = createPrivateKey(
    generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
  )
  return { key, certificate: selfSigned(key, 'portico.test', 0) }
}
const ours = pair()
const theirs = pair()

const NOW = Date.UTC(2026, 10, 30, 9)
const SLO = 'https://id.kestrel.example/slo'
const expected: ExpectedHead = { issuer: 'https://app.test/metadata', destination: SLO, now: NOW }
const head = { id: '_0123456789abcdef', issuer: expected.issuer, destination: SLO, at: NOW }
const lea = {
  value: 'lea',
  format: 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
  nameQualifier: 'https://id.kestrel.example',
  spNameQualifier: 'https://app.test/metadata',
  spProvidedId: 'l-1',
}
const plain = logoutRequest(head, { nameId: lea, sessionIndexes: ['one', 'two'] })
const read = (source: string) => readXml(source, { size: 1e6, comments: 'refused' })
const written = (xml: Xml) => read(canonical(xml))

test('a request to sign out says who, which sessions, until when and why, exactly as it was written', () => {
  const asked = {
    nameId: lea,
    sessionIndexes: ['one', ' two '],
    notOnOrAfter: NOW + 60_000,
    reason: LOGOUT_REASONS.admin,
  }
  expect(readLogoutRequest(written(logoutRequest(head, asked)), expected)).toEqual({
    ...asked,
    id: head.id,
    issuer: head.issuer,
    goodUntil: NOW + 6 * 60_000,
  })
})

test('a name keeps all its attributes, or has none', () => {
  const text = fc.string({ minLength: 1 }).map((one) => `n${one.replace(/[^\x20-\x7e]/g, '')}`)
  const maybe = fc.option(text, { nil: undefined })
  fc.assert(
    fc.property(text, maybe, maybe, maybe, maybe, (value, format, nameQualifier, spNameQualifier, spProvidedId) => {
      const nameId = { value, format, nameQualifier, spNameQualifier, spProvidedId }
      expect(readLogoutRequest(written(logoutRequest(head, { nameId, sessionIndexes: [] })), expected).nameId).toEqual(
        nameId,
      )
    }),
  )
})

test('the answer says to what it answers and what became of it', () => {
  for (const status of [['Success'], ['Responder', 'PartialLogout'], ['Requester', 'UnknownPrincipal']] as const) {
    const answer = logoutResponse(head, { inResponseTo: '_asked', status })
    expect(readLogoutResponse(written(answer), expected)).toMatchObject({ inResponseTo: '_asked', status })
  }
})

test('both are good to whoever checks the signature, and say first of whom they are', async () => {
  for (const message of [plain, logoutResponse(head, { inResponseTo: '_asked', status: ['Success'] })]) {
    const source = canonical(await signed(message, theirs))
    expect(issuerOf(read(source))).toBe(expected.issuer)
    const verified = await verifyMessage(source, [ours.certificate, theirs.certificate])
    expect(verified.signed).toBe(true)
  }
})

test('an encrypted name is opened with our key, and no other', () => {
  const name =
    '<saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" Format="f" SPNameQualifier="q">lea</saml:NameID>'
  for (const cipher of ['aes-256-gcm', 'aes-128-cbc'] as const) {
    const encrypted = encryptedData(name, createPublicKey(ours.key), cipher)
    const source = canonical(plain).replace(
      /<saml:NameID.*<\/saml:NameID>/,
      () => `<saml:EncryptedID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">${encrypted}</saml:EncryptedID>`,
    )
    expect(readLogoutRequest(read(source), expected, ours.key).nameId).toEqual({
      value: 'lea',
      format: 'f',
      spNameQualifier: 'q',
    })
    for (const key of [theirs.key, undefined])
      expect(() => readLogoutRequest(read(source), expected, key)).toThrow(
        expect.objectContaining({ fault: 'encryption' }),
      )
  }
})

test.each([
  ['something that is no name', '<a/>'],
  ['no XML', 'lea'],
  ['a name of another namespace', '<NameID>lea</NameID>'],
  ['a comment in the name', '<NameID xmlns="urn:oasis:names:tc:SAML:2.0:assertion">lea<!---->x</NameID>'],
])('an encrypted name with %s inside is refused', (_, text) => {
  const encrypted = encryptedData(text, createPublicKey(ours.key))
  const source = canonical(plain).replace(
    /<saml:NameID.*<\/saml:NameID>/,
    () => `<saml:EncryptedID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">${encrypted}</saml:EncryptedID>`,
  )
  expect(() => readLogoutRequest(read(source), expected, ours.key)).toThrow(
    expect.objectContaining({ fault: 'encryption' }),
  )
})

const minutes = (count: number) => ({ ...expected, now: NOW + count * 60_000 })
const ANOTHER_NAME = '<saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">sam</saml:NameID>'

test.each<[string, (source: string) => string, string, ExpectedHead?]>([
  ['is of somebody else', (source) => source.replace('app.test/metadata<', 'bad.test/metadata<'), 'issuer'],
  ['says nobody as its sender', (source) => source.replace(/<saml:Issuer.*<\/saml:Issuer>/, ''), 'issuer'],
  ['was sent to another address', (source) => source.replace(SLO, 'https://other.test/slo'), 'destination'],
  ['says no address', (source) => source.replace(/ Destination="[^"]*"/, ''), 'destination'],
  ['is an answer', (source) => source.replaceAll('samlp:LogoutRequest', 'samlp:LogoutResponse'), 'not-the-message'],
  ['is of SAML 1.1', (source) => source.replace('Version="2.0"', 'Version="1.1"'), 'not-the-message'],
  ['has no id', (source) => source.replace(/ ID="[^"]*"/, ''), 'not-the-message'],
  ['is seven minutes old', (source) => source, 'expired', minutes(7)],
  ['comes from the future', (source) => source, 'too-early', minutes(-2)],
  ['does not say when it was written', (source) => source.replace(/ IssueInstant="[^"]*"/, ''), 'too-early'],
  [
    'had an end that is past',
    (source) => source.replace(' ID=', ` NotOnOrAfter="${new Date(NOW - 120_000).toISOString()}" ID=`),
    'expired',
  ],
  ['has an end that cannot be read', (source) => source.replace(' ID=', ' NotOnOrAfter="soon" ID='), 'expired'],
  ['is about nobody', (source) => source.replace(/<saml:NameID.*<\/saml:NameID>/, ''), 'subject'],
  ['is about two', (source) => source.replace('<samlp:SessionIndex', `${ANOTHER_NAME}<samlp:SessionIndex`), 'subject'],
  ['names an empty name', (source) => source.replace('>lea<', '> <'), 'subject'],
  ['names an empty session', (source) => source.replace('>one<', '><'), 'subject'],
  ['names nobody by a key', (source) => source.replaceAll('saml:NameID', 'saml:BaseID'), 'subject'],
])('a request that %s is refused', (_, change, fault, when = expected) => {
  const source = change(canonical(plain))
  expect(() => readLogoutRequest(read(source), when)).toThrow(expect.objectContaining({ fault }))
})

test('over SOAP the address may be missing, and may not be another one', () => {
  const source = canonical(plain)
  const soap = { ...expected, soap: true } as const
  expect(readLogoutRequest(read(source.replace(/ Destination="[^"]*"/, '')), soap).nameId.value).toBe('lea')
  expect(() => readLogoutRequest(read(source.replace(SLO, 'https://other.test/slo')), soap)).toThrow(
    expect.objectContaining({ fault: 'destination' }),
  )
})

test.each([
  ['to nothing', / InResponseTo="[^"]*"/, 'in-response-to'],
  ['without a status', /<samlp:Status>.*<\/samlp:Status>/, 'status'],
  ['without a code', /<samlp:StatusCode .*<\/samlp:StatusCode>/, 'status'],
])('an answer %s is refused', (_, missing, fault) => {
  const source = canonical(logoutResponse(head, { inResponseTo: '_asked', status: ['Success'] })).replace(missing, '')
  expect(() => readLogoutResponse(read(source), expected)).toThrow(expect.objectContaining({ fault }))
})
