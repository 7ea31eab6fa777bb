import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { selfSigned } from '../../src/saml/certificate.ts'
import { isSignedBy, readRedirect, redirectMessage, redirectUrl } from '../../src/saml/redirect.ts'
import { signed } from '../../src/saml/sign.ts'
import { SamlProblem, verifyMessage } from '../../src/saml/verify.ts'
import { canonical, type Xml, xml } from '../../src/saml/write.ts'
import { readXml } from '../../src/saml/xml.ts'

const pair = () => {
  const key = createPrivateKey(
    generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
  )
  return { key, certificate: selfSigned(key, 'portico.test', 0) }
}
const ours = pair()
const another = pair()

const response = (issuer: string, inside: string, destination: string): Xml =>
  xml(
    'samlp:Response',
    { Version: '2.0', ID: '_r', Destination: destination },
    xml('saml:Issuer', {}, issuer),
    xml('samlp:Status', {}, xml('samlp:StatusCode', { Value: 'x' })),
    xml('saml:Assertion', { ID: '_a' }, xml('saml:Issuer', {}, issuer), xml('saml:AttributeValue', {}, inside)),
  )

/** Characters that XML knows, line ends and signs of markup among them. */
const text = fc.string({
  unit: fc.oneof(fc.constantFrom(...'<>&"\'\r\n\t '), fc.string({ unit: 'grapheme', maxLength: 1 })),
})
const known = (value: string) => value.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')

test('what is written is read as it was meant, whatever it holds', () => {
  fc.assert(
    fc.property(text, text, text, (issuer, inside, destination) => {
      const read = readXml(canonical(response(issuer, inside, destination)), { size: 1e6, comments: 'refused' })
      expect(read.attributes.get('Destination')).toBe(known(destination))
      expect(read.children[0]!.text).toBe(known(issuer))
      expect(read.children[2]!.children[1]!.text).toBe(known(inside))
    }),
  )
})

test('a signature over any text is good for a verifier that makes the canonical form by itself', async () => {
  await fc.assert(
    fc.asyncProperty(text, text, text, async (issuer, inside, destination) => {
      const source = canonical(await signed(response(issuer, inside, destination), ours))
      const message = await verifyMessage(source, [another.certificate, ours.certificate])
      expect(message.signed).toBe(true)
      expect(message.element.children[0]!.text).toBe(known(issuer))
    }),
    { numRuns: 40 },
  )
})

test('a signature is good over what only newer XML takes for ends of lines', async () => {
  for (const inside of ['a\u0085b', 'a\u2028b', '\u2028']) {
    const { element } = await verifyMessage(canonical(await signed(response(inside, inside, inside), ours)), [
      ours.certificate,
    ])
    expect([element.attributes.get('Destination'), element.children[0]!.text]).toEqual([inside, inside])
  }
})

test('a signed message that was changed, or signed by somebody else, is refused', async () => {
  const source = canonical(await signed(response('us', 'Lea', 'https://app.test/acs'), ours))
  for (const [changed, certificates] of [
    [source.replace('Lea', 'Sam'), [ours.certificate]],
    [source.replace('https://app.test/acs', 'https://bad.test/acs'), [ours.certificate]],
    [source, [another.certificate]],
    [source, []],
  ] as const)
    await expect(verifyMessage(changed, certificates)).rejects.toMatchObject({ fault: 'signature-invalid' })
})

test('a message without a signature says so, and one with a signature elsewhere is refused', async () => {
  expect(await verifyMessage(canonical(response('us', '', '')), [ours.certificate])).toMatchObject({ signed: false })
  const inner = canonical(await signed(xml('saml:Assertion', { ID: '_a' }, xml('saml:Issuer', {}, 'us')), ours))
  const moved = canonical(xml('samlp:LogoutRequest', { ID: '_b' }, 'HERE')).replace('HERE', inner)
  await expect(verifyMessage(moved, [ours.certificate])).rejects.toMatchObject({ fault: 'signature-misplaced' })
})

const queryOf = (url: string) => url.slice(url.indexOf('?') + 1)

test('a message in an address comes out as it went in, signed by the key that it was signed by', async () => {
  await fc.assert(
    fc.asyncProperty(text, fc.option(fc.string({ maxLength: 80 }), { nil: undefined }), async (inside, relayState) => {
      const source = canonical(response('us', inside, ''))
      const url = await redirectUrl(
        { to: 'https://app.test/slo?tenant=1', name: 'SAMLRequest', xml: source, relayState },
        ours.key,
      )
      // as a browser writes it that is sent there
      const incoming = readRedirect(new URL(url).search.slice(1), 'SAMLRequest')
      expect(incoming).toMatchObject({ xml: source, relayState })
      expect(isSignedBy(incoming, [another.certificate, ours.certificate])).toBe(true)
      expect(isSignedBy(incoming, [another.certificate])).toBe(false)
    }),
    { numRuns: 40 },
  )
})

test('the signature of an address covers the message, the state beside it and the algorithm', async () => {
  const wish = { to: 'https://app.test/slo', name: 'SAMLRequest', xml: '<a/>', relayState: 'one' } as const
  const query = queryOf(await redirectUrl(wish, ours.key))
  const other = queryOf(await redirectUrl({ ...wish, xml: '<b/>' }, ours.key))
  const field = (of: string, name: string) => of.split('&').find((part) => part.startsWith(`${name}=`))!
  for (const changed of [
    query.replace('RelayState=one', 'RelayState=two'),
    query.replace('RelayState=one&', ''),
    query.replace(field(query, 'SAMLRequest'), field(other, 'SAMLRequest')),
    query.replace('rsa-sha256', 'rsa-sha512'),
    query.replace(/SigAlg=[^&]*/, `SigAlg=${encodeURIComponent('http://www.w3.org/2000/09/xmldsig#rsa-sha1')}`),
    query.replace(/&Signature=.*/, ''),
    query.replace(/&Signature=.*/, '&Signature='),
  ])
    expect(isSignedBy(readRedirect(changed, 'SAMLRequest'), [ours.certificate]), changed).toBe(false)
})

test.each([
  ['a field twice', 'SAMLRequest=a&SAMLRequest=b', 'query'],
  ['no message', 'RelayState=a', 'query'],
  ['stray percent signs', 'SAMLRequest=%E0%A4%A', 'query'],
  [
    'something that is not deflated',
    `SAMLRequest=${encodeURIComponent(Buffer.from('<a/>').toString('base64'))}`,
    'not-deflated',
  ],
])('an address with %s is refused', (_, query, fault) => {
  expect(() => readRedirect(query, 'SAMLRequest')).toThrow(expect.objectContaining({ fault }))
})

test('the message of an address is signed by its query alone, and read as strictly as any other', async () => {
  const inside = canonical(await signed(response('us', '', ''), ours))
  const to = 'https://app.test/slo'
  const read = async (xml: string, certificate = ours.certificate) => {
    const url = await redirectUrl({ to, name: 'SAMLRequest', xml }, ours.key)
    return redirectMessage(readRedirect(queryOf(url), 'SAMLRequest'), [certificate])
  }
  expect(await read(inside)).toMatchObject({ signed: true, element: { name: 'Response' } })
  expect((await read(inside, another.certificate)).signed).toBe(false)
  const bare = `SAMLRequest=${encodeURIComponent(deflateRawSync(inside).toString('base64'))}`
  expect(redirectMessage(readRedirect(bare, 'SAMLRequest'), [ours.certificate]).signed).toBe(false)
  for (const [change, fault] of [
    [(xml: string) => `<!DOCTYPE x>${xml}`, 'doctype'],
    [(xml: string) => xml.replace('>us<', '>u<!-- -->s<'), 'comment'],
    [(xml: string) => xml.replace('>us<', '>&us;<'), 'entity'],
  ] as const)
    await expect(read(change(inside))).rejects.toMatchObject({ name: 'Error', fault, constructor: SamlProblem })
  const latin = `SAMLRequest=${encodeURIComponent(deflateRawSync(Buffer.from([0x3c, 0xff])).toString('base64'))}`
  expect(() => readRedirect(latin, 'SAMLRequest')).toThrow(expect.objectContaining({ fault: 'not-utf8' }))
})

test('a message that inflates to ten megabytes is not inflated', async () => {
  const bomb = deflateRawSync(Buffer.alloc(10_000_000, 0x20)).toString('base64')
  expect(() => readRedirect(`SAMLRequest=${encodeURIComponent(bomb)}`, 'SAMLRequest')).toThrow(SamlProblem)
})
