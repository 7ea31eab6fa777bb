/** Answers of SAML providers that must not be believed: each is refused, with its cause for the administrator. */
import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  assertionIn,
  encryptedData,
  encryptedFor,
  type HowSigned,
  type Keys,
  makeKeys,
  posted,
  responseXml,
  type Said,
  signed,
  signedAs,
  type What,
} from '../support/saml-provider.ts'
import { WRAPPINGS } from '../support/saml-wrapping.ts'
import { ACS, ENTITY, openSaml, type SamlHouse } from './saml-house.ts'

let keys: Keys
let stranger: Keys
let house: SamlHouse
beforeAll(async () => {
  ;[keys, stranger] = await Promise.all([makeKeys(), makeKeys()])
  house = await openSaml(keys)
  await house.certificate()
})
afterAll(() => house.close())

const SIGNED: Readonly<Record<string, readonly What[]>> = {
  'signed Response': ['Response'],
  'signed Assertion': ['Assertion'],
  'both signed': ['Response', 'Assertion'],
}

/** A request, and an answer to it with the changes. */
async function asked(changes: Partial<Said> = {}) {
  const { requestId } = await house.begin()
  const base = { now: house.clock.now(), requestId, acs: ACS, audience: ENTITY }
  return { requestId, xml: responseXml(base, changes) }
}

describe.each(Object.entries(SIGNED))('with a %s', (_name, whats) => {
  test.each(Object.entries(WRAPPINGS))('%s', async (_form, rewrite) => {
    const { requestId, xml } = await asked()
    const genuine = signedAs(xml, whats, keys)
    const forged = rewrite(genuine)
    expect(forged).toContain('>attacker<')
    expect(await house.cause(posted(forged), requestId)).not.toBe('accepted')
    // what was wrapped was good: the very answer is taken
    expect(await house.cause(posted(genuine), requestId)).toBe('accepted')
  })

  test.each([
    ['a name that was changed', (xml: string) => xml.replace('ann-for-ever', 'bob-for-ever')],
    ['a group that was added', (xml: string) => xml.replace('>repairs<', '>administrators<')],
    ['a comment that splits the name', (xml: string) => xml.replace('ann-for-ever', 'ann<!-- -->-for-ever')],
    ['a signature that is cut out', (xml: string) => xml.replace(/<ds:Signature[\s\S]*<\/ds:Signature>/, '')],
  ])('%s is refused', async (_what, change) => {
    const { requestId, xml } = await asked()
    expect(await house.cause(posted(change(signedAs(xml, whats, keys))), requestId)).not.toBe('accepted')
  })

  test('a key that is not the provider’s is refused, whatever certificate the answer brings along', async () => {
    const { requestId, xml } = await asked()
    expect(await house.cause(posted(signedAs(xml, whats, stranger)), requestId)).toBe('signature-invalid')
  })
})

describe('what is no XML that SAML needs', () => {
  const good = async () => {
    const { requestId, xml } = await asked()
    return { requestId, xml: signedAs(xml, ['Response'], keys) }
  }
  const DOCTYPE = '<!DOCTYPE samlp:Response [<!ENTITY who "attacker">]>'
  const NESTED = `${'<a>'.repeat(60)}${'</a>'.repeat(60)}`
  test.each<[string, string, (xml: string) => string | Buffer]>([
    ['a document type', 'doctype', (xml) => `<!DOCTYPE Response>${xml}`],
    ['a document type with an entity', 'doctype', (xml) => DOCTYPE + xml.replace('ann-for-ever', '&who;')],
    ['a document type that asks others', 'doctype', (xml) => `<!DOCTYPE r SYSTEM "http://127.0.0.1/x">${xml}`],
    ['an entity that nobody declared', 'entity', (xml) => xml.replace('ann-for-ever', '&who;')],
    ['a reference to no character', 'entity', (xml) => xml.replace('ann-for-ever', 'ann&#0;')],
    ['an ampersand of its own', 'entity', (xml) => xml.replace('ann-for-ever', 'ann & co')],
    ['a processing instruction', 'processing-instruction', (xml) => `<?php echo 1 ?>${xml}`],
    ['another in a value', 'processing-instruction', (xml) => xml.replace('ann-for-ever', 'ann<?x?>-for-ever')],
    ['a comment in a value', 'comment', (xml) => xml.replace('ann-for-ever', 'ann<!-- x -->-for-ever')],
    ['a comment at the end', 'comment', (xml) => `${xml}<!-- x -->`],
    ['CDATA', 'cdata', (xml) => xml.replace('ann-for-ever', '<![CDATA[ann-for-ever]]>')],
    ['UTF-16', 'not-utf8', (xml) => Buffer.from(`\ufeff${xml}`, 'utf16le')],
    ['bytes that are not UTF-8', 'not-utf8', (xml) => Buffer.concat([Buffer.from(xml), Buffer.from([0xc3, 0x28])])],
    ['an encoding of its own', 'processing-instruction', (xml) => `<?xml version="1.0" encoding="UTF-7"?>${xml}`],
    ['a tag that is not closed', 'not-well-formed', (xml) => xml.replace('</samlp:Status>', '')],
    ['an attribute twice', 'not-well-formed', (xml) => xml.replace(' Version="2.0"', ' Version="2.0" Version="2.0"')],
    ['an attribute without quotes', 'not-well-formed', (xml) => xml.replace('Version="2.0"', 'Version=2.0')],
    [
      'a prefix that nobody declared',
      'not-well-formed',
      (xml) => xml.replace('<samlp:Status>', '<x:y/><samlp:Status>'),
    ],
    ['more after the end', 'not-well-formed', (xml) => xml + xml],
    [
      'endless depth',
      'too-deep',
      (xml) => xml.replace('<samlp:Status>', `<samlp:Extensions>${NESTED}</samlp:Extensions><samlp:Status>`),
    ],
    [
      'prefixes without end',
      'too-deep',
      (xml) => {
        const prefixes = Array.from({ length: 70 }, (_, i) => ` xmlns:p${i}="urn:x"`).join('')
        return xml.replace('<samlp:Status>', `<samlp:Extensions${prefixes}/><samlp:Status>`)
      },
    ],
    ['more than 256 KiB', 'too-large', (xml) => xml.replace('ann-for-ever', 'a'.repeat(256 * 1024))],
    ['another document', 'not-a-response', () => '<html/>'],
    [
      'SAML 1.1',
      'not-a-response',
      (xml) => xml.replace('ID=', 'MajorVersion="1" ID=').replace('Version="2.0"', 'Version="1.1"'),
    ],
    ['nothing', 'not-base64', () => ''],
  ])('%s is refused', async (_what, cause, change) => {
    const { requestId, xml } = await good()
    expect(await house.cause(posted(change(xml)), requestId)).toBe(cause)
  })

  test('base64 in another spelling is refused', async () => {
    const { requestId, xml } = await good()
    expect(await house.cause(`${posted(xml).replace(/=*$/, '')}===`, requestId)).toBe('not-base64')
    expect(await house.cause(posted(xml).replace('A', '*'), requestId)).toBe('not-base64')
    expect(await house.cause('A'.repeat(600_000), requestId)).toBe('too-large')
  })
})

describe('signatures of another form', () => {
  test.each<[string, string, (xml: string) => string]>([
    ['no signature at all', 'signature-missing', (xml) => xml.replace(/<ds:Signature[\s\S]*<\/ds:Signature>/, '')],
    [
      'two SignedInfo',
      'signature-misplaced',
      (xml) => xml.replace(/(<ds:SignedInfo>[\s\S]*?<\/ds:SignedInfo>)/, '$1$1'),
    ],
    [
      'two SignedInfo, one of them hidden',
      'signature-misplaced',
      (xml) =>
        xml.replace(/(<ds:SignedInfo>[\s\S]*?<\/ds:SignedInfo>)/, (info) => `${info}<ds:Object>${info}</ds:Object>`),
    ],
    ['two signatures', 'signature-misplaced', (xml) => xml.replace(/(<ds:Signature [\s\S]*<\/ds:Signature>)/, '$1$1')],
    [
      'a signature in another place',
      'signature-misplaced',
      (xml) => xml.replace(/(<ds:Signature [\s\S]*?<\/ds:Signature>)/, '$1<samlp:Extensions>$1</samlp:Extensions>'),
    ],
    ['two references', 'signature-misplaced', (xml) => xml.replace(/(<ds:Reference [\s\S]*?<\/ds:Reference>)/, '$1$1')],
    ['a reference to everything', 'signature-misplaced', (xml) => xml.replace(/URI="#[^"]*"/, 'URI=""')],
    [
      'a reference by XPointer',
      'signature-misplaced',
      (xml) => xml.replace(/URI="#([^"]*)"/, `URI="#xpointer(id('$1'))"`),
    ],
    [
      'an id twice',
      'duplicate-id',
      (xml) => xml.replace('<samlp:Status>', `<samlp:Status ID="${/ID="([^"]*)"/.exec(xml)![1]}">`),
    ],
    [
      'an id twice, in other letters',
      'duplicate-id',
      (xml) => xml.replace('<samlp:Status>', `<samlp:Status Id="${/ID="([^"]*)"/.exec(xml)![1]}">`),
    ],
    [
      'a transform more',
      'algorithm',
      (xml) =>
        xml.replace(
          '</ds:Transforms>',
          '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/></ds:Transforms>',
        ),
    ],
    [
      'no algorithm',
      'algorithm',
      (xml) => xml.replace(/<ds:SignatureMethod [^>]*\/>/, '<ds:SignatureMethod Algorithm="none"/>'),
    ],
    ['an empty value', 'signature-invalid', (xml) => xml.replace(/<ds:SignatureValue>[^<]*/, '<ds:SignatureValue>')],
    [
      'two assertions',
      'several-assertions',
      (xml) =>
        xml.replace(/(<saml:Assertion [\s\S]*<\/saml:Assertion>)/, (one) => one + one.replace(/ID="[^"]*"/, 'ID="_b"')),
    ],
    ['no assertion', 'assertion-missing', (xml) => xml.replace(/<saml:Assertion [\s\S]*<\/saml:Assertion>/, '')],
    [
      'an assertion of another namespace',
      'assertion-missing',
      (xml) => xml.replaceAll('urn:oasis:names:tc:SAML:2.0:assertion', 'urn:oasis:names:tc:SAML:1.0:assertion'),
    ],
  ])('%s is refused', async (_what, cause, change) => {
    const { requestId, xml } = await asked()
    expect(await house.cause(posted(change(signed(xml, 'Response', keys))), requestId)).toBe(cause)
  })

  const SHA1 = 'http://www.w3.org/2000/09/xmldsig#'
  const INCLUSIVE = 'http://www.w3.org/TR/2001/REC-xml-c14n-20010315'
  test.each<[string, HowSigned]>([
    ['SHA-1 for the signature', { signature: `${SHA1}rsa-sha1` }],
    ['SHA-1 for the digest', { digest: `${SHA1}sha1` }],
    ['an HMAC with the public certificate', { signature: `${SHA1}hmac-sha1`, hmac: true }],
    ['comments that count', { canonical: 'http://www.w3.org/2001/10/xml-exc-c14n#WithComments' }],
    ['a canonical form that depends on its surroundings', { transforms: [`${SHA1}enveloped-signature`, INCLUSIVE] }],
    ['nothing canonical', { transforms: [`${SHA1}enveloped-signature`] }],
  ])('%s is refused, of the right key as well', async (_what, how) => {
    const { requestId, xml } = await asked()
    for (const what of ['Response', 'Assertion'] as const)
      expect(await house.cause(posted(signed(xml, what, keys, how)), requestId)).toBe('algorithm')
  })

  test('a good signature beside a bad one is not enough', async () => {
    const { requestId, xml } = await asked()
    const inner = signed(signed(xml, 'Assertion', stranger), 'Response', keys)
    expect(await house.cause(posted(inner), requestId)).toBe('signature-invalid')
    const outer = signed(signed(xml, 'Assertion', keys), 'Response', stranger)
    expect(await house.cause(posted(outer), requestId)).toBe('signature-invalid')
  })
})

describe('signed well, and not for here and now', () => {
  const OTHER = 'https://elsewhere.example'
  const CONFIRMATION = '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"/>'
  test.each<[string, string, Partial<Said>]>([
    ['another provider', 'issuer', { issuer: `${OTHER}/metadata` }],
    ['another audience', 'audience', { audience: OTHER }],
    ['no audience', 'audience', { inConditions: '' }],
    [
      'ours as one of two restrictions',
      'audience',
      {
        inConditions: [ENTITY, OTHER]
          .map((one) => `<saml:AudienceRestriction><saml:Audience>${one}</saml:Audience></saml:AudienceRestriction>`)
          .join(''),
      },
    ],
    ['an audience that begins like ours', 'audience', { audience: `${ENTITY}.example` }],
    ['another recipient', 'recipient', { recipient: `${OTHER}/acs` }],
    ['another destination', 'destination', { destination: `${OTHER}/acs` }],
    ['a directory next door', 'destination', { destination: `${ACS}-2` }],
    ['no request', 'in-response-to', { inResponseTo: undefined }],
    ['another request', 'in-response-to', { inResponseTo: '_another' }],
    ['too late', 'expired', { notOnOrAfter: -61_000 }],
    ['too early', 'too-early', { notBefore: 61_000 }],
    ['signed in in the future', 'too-early', { authnInstant: 61_000 }],
    ['two confirmations', 'subject', { inSubject: CONFIRMATION }],
    ['two names', 'subject', { inSubject: '<saml:NameID>other</saml:NameID>' }],
    [
      'a condition that nobody knows',
      'conditions',
      {
        inConditions: `<saml:AudienceRestriction><saml:Audience>${ENTITY}</saml:Audience></saml:AudienceRestriction><saml:Condition/>`,
      },
    ],
    ['a failure', 'status', { status: 'urn:oasis:names:tc:SAML:2.0:status:Responder' }],
    ['a name for this time only', 'name-id', { nameIdFormat: 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient' }],
    [
      'a name that is a mail address',
      'name-id',
      { nameIdFormat: 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress' },
    ],
    ['an empty name', 'no-stable-id', { nameId: ' ' }],
    ['a name with a line in it', 'no-stable-id', { nameId: 'ann&#10;admin' }],
  ])('%s is refused', async (_what, cause, changes) => {
    const { requestId, xml } = await asked(changes)
    for (const whats of [['Response'], ['Response', 'Assertion']] as const)
      expect(await house.cause(posted(signedAs(xml, whats, keys)), requestId)).toBe(cause)
  })

  test.each([
    ['says no end', / NotOnOrAfter="[^"]*"( Recipient)/, '$1', 'expired'],
    ['says an end that is none', /NotOnOrAfter="[^"]*"( Recipient)/, 'NotOnOrAfter="tomorrow"$1', 'expired'],
    ['says a time without its zone', /(Conditions NotBefore="[^"]*)Z"/, '$1"', 'too-early'],
    ['says not when somebody signed in', / AuthnInstant="[^"]*"/, '', 'authn-statement'],
    ['has no conditions', /<saml:Conditions [\s\S]*<\/saml:Conditions>/, '', 'conditions'],
    ['has no confirmation', /<saml:SubjectConfirmation [\s\S]*<\/saml:SubjectConfirmation>/, '', 'subject'],
    ['says a session that has ended', / SessionIndex="s1"/, ' SessionNotOnOrAfter="2026-11-30T08:00:00Z"', 'expired'],
  ] as const)('one that %s is refused', async (_what, from, to, cause) => {
    const { requestId, xml } = await asked()
    expect(await house.cause(posted(signed(xml.replace(from, to), 'Response', keys)), requestId)).toBe(cause)
  })

  test('the destination is missed in a signed Response, not around a signed Assertion', async () => {
    const { requestId, xml } = await asked()
    const bare = xml.replace(/ Destination="[^"]*"/, '')
    expect(await house.cause(posted(signed(bare, 'Response', keys)), requestId)).toBe('destination')
    expect(await house.cause(posted(signed(bare, 'Assertion', keys)), requestId)).toBe('accepted')
  })

  test('what stands around a signed Assertion cannot make it one of another request, provider or address', async () => {
    const { requestId, xml } = await asked({ inResponseTo: '_another' })
    const around = (text: string) => text.replace(/InResponseTo="_another"/, `InResponseTo="${requestId}"`)
    expect(await house.cause(posted(around(signed(xml, 'Assertion', keys))), requestId)).toBe('in-response-to')
    const other = await asked({ issuer: OTHER })
    const relabelled = signed(other.xml, 'Assertion', keys).replace(
      `<saml:Issuer>${OTHER}`,
      '<saml:Issuer>https://idp.partner.example/metadata',
    )
    expect(await house.cause(posted(relabelled), other.requestId)).toBe('issuer')
  })

  test('the same assertion counts once, however it comes', async () => {
    const { requestId, xml } = await asked()
    const first = signedAs(xml, ['Assertion'], keys)
    const copies = Array.from({ length: 20 }, () => house.cause(posted(first), requestId))
    expect((await Promise.all(copies)).sort()).toEqual(['accepted', ...Array.from({ length: 19 }, () => 'replayed')])
    const wrapped = posted(first).replace(/.{76}/g, '$&\r\n')
    expect(await house.cause(wrapped, requestId)).toBe('replayed')
    house.clock.pass(200_000)
    expect(await house.cause(posted(first), requestId)).toBe('replayed')
  })

  test('the state of another request is refused', async () => {
    const { requestId, xml } = await asked()
    expect(await house.cause(posted(signed(xml, 'Response', keys)), requestId, 'another')).toBe('relay-state')
    expect(await house.cause(posted(signed(xml, 'Response', keys)), '_another')).toBe('in-response-to')
  })

  test('a clock that is half a minute off is no reason', async () => {
    const { requestId, xml } = await asked({ notBefore: 30_000, notOnOrAfter: 40_000, authnInstant: 30_000 })
    expect(await house.cause(posted(signed(xml, 'Response', keys)), requestId)).toBe('accepted')
  })
})

describe('encrypted', () => {
  const encrypted = async (whats: readonly What[], how = {}, by = keys) => {
    const { requestId, xml } = await asked()
    const inner = whats.includes('Assertion') ? signed(xml, 'Assertion', by) : xml
    const outer = encryptedFor(inner, await house.certificate(), how)
    return { requestId, xml: whats.includes('Response') ? signed(outer, 'Response', by) : outer }
  }
  test('for another key', async () => {
    const { requestId, xml } = await asked()
    const outer = encryptedFor(signed(xml, 'Assertion', keys), stranger.certificate)
    expect(await house.cause(posted(outer), requestId)).toBe('encryption')
  })
  test('by somebody who has our certificate, and signed by nobody', async () => {
    const { requestId, xml } = await encrypted([])
    expect(await house.cause(posted(xml), requestId)).toBe('signature-missing')
  })
  test('and signed by another key, inside or outside', async () => {
    for (const what of ['Response', 'Assertion'] as const) {
      const { requestId, xml } = await encrypted([what], {}, stranger)
      expect(await house.cause(posted(xml), requestId)).toBe('signature-invalid')
    }
  })
  test('with a document type, comments or two assertions inside', async () => {
    for (const [change, cause] of [
      [(text: string) => `<!DOCTYPE x>${text}`, 'doctype'],
      [(text: string) => text.replace('ann-for-ever', 'ann<!-- -->-for-ever'), 'comment'],
      [(text: string) => text + text.replace(/ID="[^"]*"/, 'ID="_b"'), 'several-assertions'],
      [(text: string) => `<saml:EncryptedAssertion>${text}</saml:EncryptedAssertion>`, 'several-assertions'],
    ] as const) {
      const { requestId, xml } = await asked()
      const inner = signed(xml, 'Assertion', keys)
      const text = change(assertionIn(inner))
      const direct = encryptedFor(inner, await house.certificate(), { text })
      expect(await house.cause(posted(direct), requestId)).toBe(cause)
    }
  })
  test('with a forged assertion in the place of the signed one', async () => {
    const { requestId, xml } = await asked()
    const genuine = signed(xml, 'Assertion', keys)
    const forged = genuine.replace('ann-for-ever', 'bob-for-ever')
    expect(await house.cause(posted(encryptedFor(forged, await house.certificate())), requestId)).toBe(
      'signature-invalid',
    )
  })
  test('in ways that are broken', async () => {
    const { requestId, xml } = await encrypted(['Assertion'], { transport: 'rsa-1_5' })
    expect(await house.cause(posted(xml), requestId)).toBe('encryption')
    const good = await encrypted(['Assertion'])
    for (const change of [
      (text: string) => text.replace('xmlenc11#aes256-gcm', 'xmlenc#tripledes-cbc'),
      (text: string) => text.replace(/(<\/xenc:EncryptedKey>)/, '$1<ds:RetrievalMethod URI="#x"/>'),
      (text: string) => text.replace(/(<xenc:EncryptedKey>[\s\S]*<\/xenc:EncryptedKey>)/, '$1$1'),
      (text: string) =>
        text.replace(
          /<xenc:CipherValue>[^<]*(<\/xenc:CipherValue><\/xenc:CipherData><\/xenc:EncryptedData>)/,
          '<xenc:CipherValue>AAAA$1',
        ),
    ])
      expect(await house.cause(posted(change(good.xml)), good.requestId)).toBe('encryption')
  })
  test('with AES-CBC that no checked signature covers, whatever is inside', async () => {
    const inner = await encrypted(['Assertion'], { cipher: 'aes-128-cbc' })
    expect(await house.cause(posted(inner.xml), inner.requestId)).toBe('encryption')
    // what was sealed with GCM is not opened as if it were CBC
    const relabelled = (await encrypted(['Assertion'])).xml.replace('xmlenc11#aes256-gcm', 'xmlenc#aes256-cbc')
    expect(await house.cause(posted(relabelled), inner.requestId)).toBe('encryption')
    // the signature is looked at first: what is made of the ciphertext tells nothing
    const outer = await encrypted(['Response'], { cipher: 'aes-128-cbc' })
    for (const at of [20, 200, 400]) {
      const changed = outer.xml.replace(
        new RegExp(
          `(<xenc:CipherValue>[^<]{${at}})(.)([^<]*</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>)`,
        ),
        (_all, before: string, one: string, after: string) => before + (one === 'A' ? 'B' : 'A') + after,
      )
      expect(changed).not.toBe(outer.xml)
      expect(await house.cause(posted(changed), outer.requestId)).toBe('signature-invalid')
    }
    expect(await house.cause(posted(outer.xml), outer.requestId)).toBe('accepted')
  })
  test('names and attributes that cannot be opened, or are something else', async () => {
    const ours = new X509Certificate(await house.certificate()).publicKey
    const theirs = new X509Certificate(stranger.certificate).publicKey
    const NS = 'xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"'
    const name = `<saml:NameID ${NS}>ann-for-ever</saml:NameID>`
    const attribute = `<saml:Attribute ${NS} Name="uid"><saml:AttributeValue>bob</saml:AttributeValue></saml:Attribute>`
    const id = (text: string, key = ours) => `<saml:EncryptedID>${encryptedData(text, key)}</saml:EncryptedID>`
    const hidden = (text: string, key = ours) =>
      `<saml:EncryptedAttribute>${encryptedData(text, key)}</saml:EncryptedAttribute>`
    const NAME = /<saml:NameID[^>]*>[^<]*<\/saml:NameID>/
    const END = '</saml:AttributeStatement>'
    for (const [cause, change] of [
      ['encryption', (xml) => xml.replace(NAME, () => id(name, theirs))],
      ['encryption', (xml) => xml.replace(NAME, () => id(attribute))],
      ['encryption', (xml) => xml.replace(NAME, () => id(`<!DOCTYPE x>${name}`))],
      ['encryption', (xml) => xml.replace(NAME, () => '<saml:EncryptedID/>')],
      ['subject', (xml) => xml.replace(NAME, (clear) => clear + id(name))],
      ['encryption', (xml) => xml.replace(END, () => hidden(attribute, theirs) + END)],
      ['encryption', (xml) => xml.replace(END, () => hidden(name) + END)],
      ['encryption', (xml) => xml.replace(END, () => hidden(attribute).repeat(51) + END)],
    ] as [string, (xml: string) => string][]) {
      const { requestId, xml } = await asked()
      const changed = change(xml)
      expect(changed).not.toBe(xml)
      expect(await house.cause(posted(signed(changed, 'Response', keys)), requestId)).toBe(cause)
    }
  })
  test('and changed on the way', async () => {
    for (const cipher of ['aes-128-cbc', 'aes-256-gcm'] as const) {
      const { requestId, xml } = await encrypted(['Assertion'], { cipher })
      const changed = xml.replace(
        /(<xenc:CipherValue>[^<]{400})(.)/g,
        (_all, before: string, one: string) => before + (one === 'A' ? 'B' : 'A'),
      )
      expect(changed).not.toBe(xml)
      expect(await house.cause(posted(changed), requestId)).not.toBe('accepted')
    }
  })
})
