/**
 * Hostile requests to the SAML door. Whoever uses the browser is signed in, so everything that is taken would be answered: none
 * of these is, and none leads anywhere but to a page of ours.
 */
import { deflateRawSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser, formOf, formsOf, type Page } from '../../demo/browser.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { type Browser, typePassword } from '../support/relying-party.ts'
import {
  ACS,
  carryingForm,
  ENTITY_ID,
  formTo,
  redirectTo,
  requestId,
  requestXml,
  signedRequest,
  xmlOf,
} from '../support/saml-app.ts'
import { type Keys, makeKeys, signed } from '../support/saml-provider.ts'
import { cookiesOf } from './people.ts'

const SEALED = 'https://sealed.kestrel.example/metadata'
const SEALED_ACS = 'https://sealed.kestrel.example/acs'

let gateway: Gateway
let browser: Browser
let keys: Keys
let others: Keys

beforeAll(async () => {
  ;[keys, others] = await Promise.all([makeKeys(), makeKeys()])
  const app = (id: string, saml: object) => ({ id, name: id, policy: 'plain', audience: ['*'], saml })
  gateway = await startGateway({
    policies: POLICIES,
    people: ['sam', 'kim'].map((username) => ({ username, name: username, groups: ['staff'] })),
    apps: [
      app('open', { entity_id: ENTITY_ID, acs_urls: [ACS] }),
      app('sealed', {
        entity_id: SEALED,
        acs_urls: [SEALED_ACS],
        requests_signed: true,
        signing_certificates: [keys.certificate],
      }),
      app('keyed', {
        entity_id: 'https://keyed.kestrel.example/metadata',
        acs_urls: ['https://keyed.kestrel.example/acs'],
        signing_certificates: [keys.certificate],
      }),
    ] as never,
  })
  browser = createBrowser()
  const page = await typePassword(browser, await browser.open(redirectTo(sso(), requestXml(gateway.issuer))), 'sam')
  expect(carryingForm(page)!.action.href).toBe(ACS)
})
afterAll(() => gateway?.close())

const sso = () => `${gateway.issuer}/saml/sso`
const good = (changes: Parameters<typeof requestXml>[1] = {}) => requestXml(gateway.issuer, changes)
const sealed = (changes: Parameters<typeof requestXml>[1] = {}) => good({ issuer: SEALED, ...changes })
const withAttributes = (attributes: Record<string, string>) => good({ attributes })
const acs = (url: string) => withAttributes({ AssertionConsumerServiceURL: url })

/** What came of it: nothing that carries anything away. */
function expectNothing(page: Page, status = 400): void {
  expect([page.url.origin, page.status]).toEqual([gateway.issuer, status])
  expect(page.text).not.toContain('SAMLResponse')
  for (const { action } of formsOf(page)) expect(action.origin).toBe(gateway.issuer)
  expect(page.text).not.toMatch(/evil/)
}

const byBoth = async (xml: string | Buffer): Promise<void> => {
  expectNothing(await browser.open(redirectTo(sso(), xml)))
  expectNothing(await browser.submit(formTo(sso(), xml)))
}

test('what is not changed is answered: the others fail for what is changed in them', async () => {
  expect(carryingForm(await browser.open(redirectTo(sso(), good())))!.action.href).toBe(ACS)
  expect(carryingForm(await browser.submit(formTo(sso(), good())))!.action.href).toBe(ACS)
  expect(carryingForm(await browser.open(redirectTo(sso(), sealed(), { keys })))!.action.href).toBe(SEALED_ACS)
  const posted = await browser.submit(formTo(sso(), signedRequest(sealed(), keys)))
  expect(carryingForm(posted)!.action.href).toBe(SEALED_ACS)
})

const EVIL = 'https://evil.example/acs'
const doctype = (inside: string) => `<!DOCTYPE samlp:AuthnRequest ${inside}>`
const laughs = `[<!ENTITY a "ha">${[...'bcdefghij'].map((name, i) => `<!ENTITY ${name} "${`&${'abcdefghij'[i]};`.repeat(10)}">`).join('')}]`
const PREFIXES = Array.from({ length: 70 }, (_, i) => ` xmlns:p${i}="urn:x"`).join('')
const nested = ([first, second, ...rest]: readonly string[]): string =>
  first === undefined ? '' : `<a${first}${second}>${nested(rest)}</a>`

describe('XML', () => {
  test.each<[string, () => string | Buffer]>([
    ['a document type', () => doctype('SYSTEM "https://evil.example/x.dtd"') + good()],
    ['an entity', () => doctype(`[<!ENTITY x "${ENTITY_ID}">]`) + good({ issuer: '&x;' })],
    ['an entity from a file', () => doctype('[<!ENTITY x SYSTEM "file:///etc/hostname">]') + good({ issuer: '&x;' })],
    ['a parameter entity', () => doctype('[<!ENTITY % x SYSTEM "https://evil.example/x">%x;]') + good()],
    ['a billion laughs', () => doctype(laughs) + good({ issuer: '&j;' })],
    ['an entity that nobody declared', () => good({ issuer: `${ENTITY_ID}&nbsp;` })],
    ['a processing instruction', () => `<?xml-stylesheet href="https://evil.example/x.xsl"?>${good()}`],
    ['a comment in the issuer', () => good({ issuer: ENTITY_ID.replace('.example', '.example<!---->') })],
    ['a comment before the end', () => `${good()}<!-- -->`],
    ['CDATA', () => good({ issuer: `<![CDATA[${ENTITY_ID}]]>` })],
    ['UTF-16', () => Buffer.from(`\ufeff${good()}`, 'utf16le')],
    ['an encoding that is not UTF-8', () => `<?xml version="1.0" encoding="ISO-8859-1"?>${good()}`],
    ['bytes that are no UTF-8', () => Buffer.concat([Buffer.from(good()), Buffer.from([0xc3, 0x28])])],
    ['a NUL', () => good({ issuer: `${ENTITY_ID}\0` })],
    ['depth', () => good({ inside: '<a>'.repeat(100) + '</a>'.repeat(100) })],
    [
      'more prefixes than anybody needs, at each of many elements',
      () => good({ inside: `<a${PREFIXES}><b/><b/></a>` }),
    ],
    ['the same, one inside of the other', () => good({ inside: nested(PREFIXES.split(/(?= )/)) })],
    ['two roots', () => good() + good()],
    ['half of it', () => good().slice(0, -30)],
    ['nothing', () => ' '],
    ['no XML', () => 'SAMLRequest'],
    ['an attribute twice', () => good().replace(' Version=', ' Version="2.0" Version=')],
    [
      'XInclude',
      () =>
        good({
          inside: '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="https://evil.example"/>',
          issuer: EVIL,
        }),
    ],
  ])('%s', async (_, xml) => byBoth(xml()))

  test('10 MB in a form are not read', async () => {
    expectNothing(await browser.submit(formTo(sso(), good({ inside: ' '.repeat(10_000_000) }))), 413)
  })

  test.each<[string, () => Buffer]>([
    ['100 MB of nothing', () => deflateRawSync(Buffer.alloc(100_000_000, ' '))],
    ['a message with 10 MB inside', () => deflateRawSync(good({ inside: ' '.repeat(10_000_000) }))],
    ['a bomb in a bomb', () => deflateRawSync(deflateRawSync(Buffer.alloc(100_000_000)))],
    ['gzip', () => gzipSync(good())],
    ['half of a stream', () => deflateRawSync(good()).subarray(0, 100)],
  ])('in an address: %s', async (_, bytes) => {
    const message = encodeURIComponent(bytes().toString('base64'))
    const response = await fetch(`${sso()}?SAMLRequest=${message}`, { headers: { cookie: cookiesOf(browser) } })
    // what is longer than any address is not looked at at all
    expect(message.length > 16_000 ? [414, 431] : [400]).toContain(response.status)
    expect(await response.text()).not.toContain('SAMLResponse')
  })

  test.each(['', '%E0%A4%A', '!!!', 'AAAA', '%00'])('a message that is %j', async (message) => {
    expectNothing(await browser.open(`${sso()}?SAMLRequest=${message}`))
  })

  test('no message at all', async () => {
    expectNothing(await browser.open(sso()))
    expectNothing(await browser.submit({ action: new URL(sso()), fields: new URLSearchParams({ RelayState: 'x' }) }))
  })
})

describe('what a message says', () => {
  test.each<[string, () => string]>([
    ['an app that is not registered', () => good({ issuer: EVIL })],
    ['an issuer in another case', () => good({ issuer: ENTITY_ID.toUpperCase() })],
    ['an issuer with blanks', () => good({ issuer: ` ${ENTITY_ID} ` })],
    ['an issuer with an element inside', () => good({ issuer: `${ENTITY_ID}<a/>${EVIL}` })],
    ['two issuers', () => good({ inside: `<saml:Issuer>${SEALED}</saml:Issuer>` })],
    ['no issuer', () => good().replace(/<saml:Issuer>.*<\/saml:Issuer>/, '')],
    ['an id of an app as issuer', () => good({ issuer: 'open' })],
    ['another message', () => good().replaceAll('AuthnRequest', 'LogoutRequest')],
    ['an answer', () => good().replaceAll('AuthnRequest', 'Response')],
    ['another namespace', () => good().replace('SAML:2.0:protocol', 'SAML:1.0:protocol')],
    ['version 1.1', () => good({ version: '1.1' })],
    ['no version', () => good().replace(' Version="2.0"', '')],
    ['no id', () => good().replace(/ ID="[^"]*"/, '')],
    ['an id that is markup', () => good({ id: '"><script>' })],
    ['an id that begins with a digit', () => good({ id: '1abc' })],
    ['an id without end', () => good({ id: `_${'a'.repeat(1000)}` })],
    ['a request of yesterday', () => good({ at: Date.now() - 86_400_000 })],
    ['a request of ten minutes ago', () => good({ at: Date.now() - 600_000 })],
    ['a request of tomorrow', () => good({ at: Date.now() + 86_400_000 })],
    ['no time', () => good().replace(/ IssueInstant="[^"]*"/, '')],
    ['a time that is none', () => good().replace(/ IssueInstant="[^"]*"/, ' IssueInstant="now"')],
    ['a time without a zone', () => good().replace(/(IssueInstant="[^"]*)Z"/, '$1"')],
    ['another destination', () => good({ destination: 'https://id.evil.example/saml/sso' })],
    ['the destination of sign-outs', () => good({ destination: `${gateway.issuer}/saml/slo` })],
    ['our address with a slash more', () => good({ destination: `${gateway.issuer}/saml/sso/` })],
    ['our address in another spelling', () => good({ destination: `${gateway.issuer}/saml/%73so` })],
    ['an empty destination', () => good({ destination: '' })],
  ])('%s', async (_, xml) => byBoth(xml()))
})

describe('where the answer would go', () => {
  test.each([
    EVIL,
    `${ACS}/`,
    `${ACS}?x=1`,
    `${ACS}#x`,
    `${ACS}@evil.example`,
    `${ACS}\\@evil.example`,
    ACS.replace('app.', 'APP.'),
    ACS.replace('.example', '.example.'),
    ACS.replace('.example', '.example:443'),
    ACS.replace('.example', '.example@evil.example'),
    ACS.replace('.example', '.example.evil.example'),
    ACS.replace('https', 'http'),
    ACS.replace('/acs', '/%61cs'),
    ACS.replace('/saml/', '/x/../saml/'),
    ACS.replace('/saml/', '//saml/'),
    ` ${ACS}`,
    `${ACS}\n`,
    `${ACS},${EVIL}`,
    `${ACS} ${EVIL}`,
    SEALED_ACS,
    '//evil.example/acs',
    '/\\evil.example',
    '/saml/sso',
    'javascript:alert(1)',
    'data:text/html,evil',
    '',
    `${ACS}"><form action="${EVIL}">`,
  ])('%j is not registered', async (url) => byBoth(acs(url)))

  test.each([
    ['an index that is not there', { AssertionConsumerServiceIndex: '1' }],
    ['an index below zero', { AssertionConsumerServiceIndex: '-1' }],
    ['an index that is no number', { AssertionConsumerServiceIndex: '0x0' }],
    ['an index of a prototype', { AssertionConsumerServiceIndex: 'constructor' }],
    ['a large index', { AssertionConsumerServiceIndex: '99999999999999999999' }],
    ['an address and an index', { AssertionConsumerServiceIndex: '0', AssertionConsumerServiceURL: ACS }],
    ['an artifact', { ProtocolBinding: 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact' }],
    ['an answer in an address', { ProtocolBinding: 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect' }],
    ['PAOS', { ProtocolBinding: 'urn:oasis:names:tc:SAML:2.0:bindings:PAOS' }],
  ] as const)('%s', async (_, attributes) => byBoth(withAttributes(attributes)))

  test('an attribute of another namespace is none of ours', async () => {
    const xml = good().replace(' ID=', ` xmlns:x="urn:x" x:AssertionConsumerServiceURL="${EVIL}" ID=`)
    expect(carryingForm(await browser.open(redirectTo(sso(), xml)))!.action.href).toBe(ACS)
  })

  test('the address of an app that is not registered any more gets nothing, though the request came before', async () => {
    const { apps } = gateway.server.house.catalog
    const leaving = {
      id: 'leaving',
      name: 'Leaving',
      policy: 'plain',
      audience: ['*'],
      saml: { entity_id: 'https://leaving.kestrel.example', acs_urls: ['https://leaving.kestrel.example/acs'] },
    }
    await apps.register(leaving, 'test')
    const nobody = createBrowser()
    const asked = await nobody.open(redirectTo(sso(), good({ issuer: 'https://leaving.kestrel.example' })))
    const changed = { ...leaving, saml: { ...leaving.saml, acs_urls: ['https://moved.kestrel.example/acs'] } }
    await apps.apply([{ file: 'leaving.yaml', text: JSON.stringify(changed) }], { by: 'test' })
    const page = await typePassword(nobody, asked, 'sam')
    expectNothing(page)
  })
})

describe('signatures', () => {
  const RSA_SHA1 = 'http://www.w3.org/2000/09/xmldsig#rsa-sha1'
  const HMAC = 'http://www.w3.org/2001/04/xmldsig-more#hmac-sha256'
  const signedUrl = (changes: Parameters<typeof requestXml>[1] = {}, sent = {}) =>
    redirectTo(sso(), sealed(changes), { keys, relayState: 'one', ...sent })

  test.each<[string, () => string]>([
    ['none', () => redirectTo(sso(), sealed())],
    ['of another key', () => signedUrl({}, { keys: others })],
    [
      'of another key where none is required',
      () => redirectTo(sso(), good({ issuer: 'https://keyed.kestrel.example/metadata' }), { keys: others }),
    ],
    ['SHA-1', () => signedUrl({}, { algorithm: RSA_SHA1 })],
    [
      'an algorithm that is not what it says',
      () => signedUrl().replace(/SigAlg=[^&]*/, `SigAlg=${encodeURIComponent(RSA_SHA1)}`),
    ],
    ['a shared secret', () => signedUrl().replace(/SigAlg=[^&]*/, `SigAlg=${encodeURIComponent(HMAC)}`)],
    ['an algorithm from a prototype', () => signedUrl().replace(/SigAlg=[^&]*/, 'SigAlg=constructor')],
    ['no algorithm', () => signedUrl().replace(/&SigAlg=[^&]*/, '')],
    ['an empty one', () => signedUrl().replace(/&Signature=.*/, '&Signature=')],
    ['taken away', () => signedUrl().replace(/&Signature=.*/, '')],
    ['over another state', () => signedUrl().replace('RelayState=one', 'RelayState=two')],
    ['over a state that is gone', () => signedUrl().replace('&RelayState=one', '')],
    [
      'over another message',
      () => signedUrl().replace(/SAMLRequest=[^&]*/, /SAMLRequest=[^&]*/.exec(redirectTo(sso(), sealed()))![0]),
    ],
    [
      'a message twice',
      () => `${signedUrl()}&SAMLRequest=${encodeURIComponent(deflateRawSync(sealed()).toString('base64'))}`,
    ],
    ['a state twice', () => `${signedUrl()}&RelayState=two`],
    ['over an old message', () => signedUrl({ at: Date.now() - 3_600_000 })],
    ['over a message for somebody else', () => signedUrl({ destination: 'https://id.other.example/saml/sso' })],
    ['over a message without a destination', () => signedUrl({ destination: undefined })],
    ['over an address that is not registered', () => signedUrl({ attributes: { AssertionConsumerServiceURL: EVIL } })],
    ['in the XML, which counts for nothing in an address', () => redirectTo(sso(), signedRequest(sealed(), keys))],
  ])('in an address: %s', async (_, url) => expectNothing(await browser.open(url())))

  const wrapped = (): string => {
    const original = signedRequest(sealed(), keys)
    const signature = /<ds:Signature[\s\S]*<\/ds:Signature>/.exec(original)![0]
    const evil = sealed({ attributes: { AssertionConsumerServiceURL: SEALED_ACS, ForceAuthn: 'false' } })
    const bare = original.replace(signature, '')
    return evil.replace(
      '</saml:Issuer>',
      () => `</saml:Issuer>${signature}<samlp:Extensions>${bare}</samlp:Extensions>`,
    )
  }

  test.each<[string, () => string]>([
    ['none', () => sealed()],
    ['of another key', () => signedRequest(sealed(), others)],
    [
      'of another key where none is required',
      () => signedRequest(good({ issuer: 'https://keyed.kestrel.example/metadata' }), others),
    ],
    ['SHA-1', () => signedRequest(sealed(), keys, { signature: RSA_SHA1 })],
    ['a digest by SHA-1', () => signedRequest(sealed(), keys, { digest: 'http://www.w3.org/2000/09/xmldsig#sha1' })],
    [
      'the certificate as a shared secret',
      () => signedRequest(sealed(), keys, { signature: 'http://www.w3.org/2000/09/xmldsig#hmac-sha1', hmac: true }),
    ],
    [
      'inclusive canonical form',
      () => signedRequest(sealed(), keys, { canonical: 'http://www.w3.org/TR/2001/REC-xml-c14n-20010315' }),
    ],
    [
      'changed afterwards',
      () =>
        signedRequest(sealed(), keys).replace(
          /IssueInstant="[^"]*"/,
          `IssueInstant="${new Date(Date.now() + 1000).toISOString()}"`,
        ),
    ],
    ['an attribute more', () => signedRequest(sealed(), keys).replace(' Version=', ' ForceAuthn="true" Version=')],
    ['wrapped', wrapped],
    [
      'twice',
      () => {
        const xml = signedRequest(sealed(), keys)
        const one = /<ds:Signature[\s\S]*<\/ds:Signature>/.exec(xml)![0]
        return xml.replace(one, one + one)
      },
    ],
    ['over nothing', () => signedRequest(sealed(), keys).replace(/URI="#[^"]*"/, 'URI=""')],
    ['over something else', () => signedRequest(sealed(), keys).replace(/URI="#[^"]*"/, 'URI="#x"')],
    ['over an old message', () => signedRequest(sealed({ at: Date.now() - 3_600_000 }), keys)],
    [
      'over a message for somebody else',
      () => signedRequest(sealed({ destination: 'https://id.other.example/saml/sso' }), keys),
    ],
    ['of another message', () => signed(sealed().replaceAll('AuthnRequest', 'LogoutRequest'), 'LogoutRequest', keys)],
    [
      'over an address that is not registered',
      () => signedRequest(sealed({ attributes: { AssertionConsumerServiceURL: EVIL } }), keys),
    ],
  ])('in a form: %s', async (_, xml) => expectNothing(await browser.submit(formTo(sso(), xml()))))
})

describe('around the message', () => {
  test('a state that is too long, or could end a line', async () => {
    for (const relayState of ['x'.repeat(2049), 'a\r\nSet-Cookie: b=c', 'a\0b']) {
      const response = await fetch(redirectTo(sso(), good(), { relayState }), {
        headers: { cookie: cookiesOf(browser) },
      })
      expect(response.status).toBe(400)
      const page = await browser.submit(formTo(sso(), good(), { RelayState: relayState }))
      expectNothing(page)
    }
  })

  test('a form with a field twice', async () => {
    const form = formTo(sso(), good())
    form.fields.append('SAMLRequest', form.fields.get('SAMLRequest')!)
    expectNothing(await browser.submit(form))
  })

  test('one that comes again is answered about whoever brings it, at the same address, and only there', async () => {
    const again = redirectTo(sso(), sealed(), { keys })
    const about = (page: Page) => {
      expect(carryingForm(page)!.action.href).toBe(SEALED_ACS)
      const [, id] = / ID="([^"]*)"/.exec(xmlOf(page))!
      return { id, name: /<saml:NameID[^>]*>([^<]*)/.exec(xmlOf(page))![1] }
    }
    const [first, second] = [about(await browser.open(again)), about(await browser.open(again))]
    expect(second.name).toBe(first.name)
    expect(second.id).not.toBe(first.id)
    // of sam's request nobody else gets anything about sam
    const other = createBrowser()
    const asked = await other.open(again)
    expect(carryingForm(asked)).toBeUndefined()
    expect(about(await typePassword(other, asked, 'kim')).name).not.toBe(first.name)
    // and it cannot be turned to another address
    const elsewhere = sealed({ attributes: { AssertionConsumerServiceURL: ACS } })
    expectNothing(await browser.open(redirectTo(sso(), elsewhere, { keys })))
  })

  test('requests that wait are found by their ids only', async () => {
    for (const id of ['x', 'a'.repeat(32), '..%2Fsaml', '%00', requestId().slice(1), 'a'.repeat(5000)])
      expectNothing(await browser.open(`${sso()}/${id}`))
  })

  test('an errand of another kind is no request of an app', async () => {
    const asked = await createBrowser().open(`${gateway.issuer}/account`)
    const id = formOf(asked, 'identifier').action.pathname.split('/').at(-1)
    expectNothing(await browser.open(`${sso()}/${id}`))
  })

  test('an app that is begun here gets nothing from the address', async () => {
    for (const query of [`RelayState=${EVIL}`, `AssertionConsumerServiceURL=${EVIL}`, `acs=${EVIL}`, `SAMLRequest=x`]) {
      const page = await browser.open(`${gateway.issuer}/saml/init/open?${query}`)
      expect(carryingForm(page)!.action.href).toBe(ACS)
      expect(page.text).not.toContain('evil')
    }
    for (const id of ['nothing', 'constructor', '__proto__', '..%2Fopen', 'OPEN'])
      expectNothing(await browser.open(`${gateway.issuer}/saml/init/${id}`), 404)
  })

  test('other methods are refused', async () => {
    for (const [method, path] of [
      ['PUT', '/saml/sso'],
      ['DELETE', '/saml/sso'],
      ['POST', '/saml/metadata'],
      ['POST', '/saml/init/open'],
    ] as const)
      expect((await fetch(gateway.issuer + path, { method, headers: { cookie: cookiesOf(browser) } })).status).toBe(405)
  })

  test('a copy of a request gives whoever has it their own answer, and nobody the one of somebody else', async () => {
    const url = redirectTo(sso(), good())
    const [one, two] = [xmlOf(await browser.open(url)), xmlOf(await browser.open(url))]
    expect(one).not.toBe(two)
    const stranger = await createBrowser().open(url)
    expect(carryingForm(stranger)).toBeUndefined()
  })

  test('the log says what was wrong, and the page does not', async () => {
    const before = gateway.log().length
    const page = await browser.open(redirectTo(sso(), acs(EVIL)))
    expectNothing(page)
    const [line] = gateway
      .log()
      .slice(before)
      .split('\n')
      .filter((one) => one.includes('saml-message-refused'))
    expect(JSON.parse(line!)).toMatchObject({ fault: 'acs', path: '/saml/sso' })
    expect(page.text).not.toContain('registered')
  })
})
