/** Signing in at a SAML provider: what is asked, what is taken from the answer, and what is known of the provider. */
import { createVerify, X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { OutboundAnswer } from '#http'
import {
  encryptedData,
  encryptedFor,
  type Keys,
  makeKeys,
  metadataOf,
  posted,
  responseXml,
  type Said,
  signed,
  signedAs,
  type What,
} from '../support/saml-provider.ts'
import { ACS, ENTITY, openSaml, type SamlHouse, type SamlHouseOptions, STATE } from './saml-house.ts'

let keys: Keys
let next: Keys
let house: SamlHouse
beforeAll(async () => {
  ;[keys, next] = await Promise.all([makeKeys(), makeKeys()])
  house = await openSaml(keys)
})
afterAll(() => house.close())

const open = async (options: SamlHouseOptions): Promise<SamlHouse> => {
  const other = await openSaml(keys, options)
  onTestFinished(() => other.close())
  return other
}
async function asked(changes: Partial<Said> = {}, at = house) {
  const { requestId } = await at.begin()
  return { requestId, xml: responseXml({ now: at.clock.now(), requestId, acs: ACS, audience: ENTITY }, changes) }
}
const vouched = async (changes: Partial<Said> = {}, at = house) => {
  const { requestId, xml } = await asked(changes, at)
  return at.finish(posted(signed(xml, 'Response', keys)), requestId)
}

describe('an answer', () => {
  test.each<[string, readonly What[], 'plain' | 'aes-128-cbc' | 'aes-256-gcm']>([
    ['with a signed Response', ['Response'], 'plain'],
    ['with a signed Assertion', ['Assertion'], 'plain'],
    ['with both signed', ['Response', 'Assertion'], 'plain'],
    ['encrypted, with a signed Response', ['Response'], 'aes-256-gcm'],
    ['encrypted, with a signed Assertion', ['Assertion'], 'aes-256-gcm'],
    ['encrypted, with both signed', ['Response', 'Assertion'], 'aes-256-gcm'],
    ['encrypted with CBC, with a signed Response', ['Response'], 'aes-128-cbc'],
    ['encrypted with CBC, with both signed', ['Response', 'Assertion'], 'aes-128-cbc'],
  ])('%s says who it is, how and when', async (_name, whats, cipher) => {
    const { requestId, xml } = await asked()
    const inner = whats.includes('Assertion') ? signed(xml, 'Assertion', keys) : xml
    const outer = cipher === 'plain' ? inner : encryptedFor(inner, await house.certificate(), { cipher })
    const answer = whats.includes('Response') ? signed(outer, 'Response', keys) : outer
    expect(answer.includes('Ann Visser')).toBe(cipher === 'plain')
    const given = await house.finish(posted(answer), requestId)
    expect(given).toEqual({
      person: {
        upstreamId: 'ann-for-ever',
        usernames: ['ann', 'ann@partner.example'],
        name: 'Ann Visser',
        mail: 'ann@partner.example',
        mailVerified: false,
        groups: [],
      },
      amr: [],
      acr: 'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport',
      at: house.clock.now() - 5000,
      session: expect.objectContaining({ sid: expect.stringContaining('s1') }),
    })
  })

  test('keeps its texts whole: entities of XML, spaces, other writings', async () => {
    const { person } = await vouched({
      attributes: { uid: ['ann'], displayName: ['  Zoë &lt;b&gt; &amp; Söhne &#x1F426; '] },
    })
    expect(person.name).toBe('Zoë <b> & Söhne 🐦')
  })

  test('in lines, as some providers write base64, is the same answer', async () => {
    const { requestId, xml } = await asked()
    const lines = posted(signed(xml, 'Response', keys)).replace(/.{76}/g, '$&\r\n')
    expect((await house.finish(lines, requestId)).person.upstreamId).toBe('ann-for-ever')
  })

  test('with line ends of Windows, or namespaces at the root only, is the same answer', async () => {
    const { requestId, xml } = await asked()
    const genuine = signed(xml.replaceAll('><', '>\n<'), 'Response', keys)
    expect(await house.cause(posted(genuine.replaceAll('\n', '\r\n')), requestId)).toBe('accepted')
    const again = await asked()
    const rooted = signed(
      again.xml.replace('<samlp:Response ', '<samlp:Response xmlns:ds="http://www.w3.org/2000/09/xmldsig#" '),
      'Assertion',
      keys,
    )
    const lifted = rooted.replace('<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">', '<ds:Signature>')
    expect(lifted).not.toBe(rooted)
    expect(await house.cause(posted(lifted), again.requestId)).toBe('accepted')
  })

  test('has the groups that the settings map, and the attributes that they name', async () => {
    const mapped = await open({
      settings: {
        groups: { map: { repairs: ['staff'] } },
        mail_verified: true,
        attributes: { methods: 'amr', other: { employee_number: 'number' } },
      },
    })
    const attributes = {
      uid: ['ann'],
      mail: ['ann@partner.example'],
      groups: ['repairs', 'administrators'],
      amr: ['pwd', 'mfa'],
      number: ['4711'],
    }
    const given = await vouched({ attributes }, mapped)
    expect(given.amr).toEqual(['pwd', 'mfa'])
    expect(given.person).toMatchObject({
      groups: ['staff'],
      mailVerified: true,
      attributes: { employee_number: ['4711'] },
    })
  })

  test.each(['aes-128-cbc', 'aes-256-gcm'] as const)(
    'may encrypt who it is, and what, by themselves (%s)',
    async (cipher) => {
      const ours = new X509Certificate(await house.certificate()).publicKey
      const { requestId, xml } = await asked()
      const sealed = xml
        .replace(
          /<saml:NameID[^>]*>[^<]*<\/saml:NameID>/,
          (name) => `<saml:EncryptedID>${encryptedData(name, ours, cipher)}</saml:EncryptedID>`,
        )
        .replace(
          /<saml:Attribute Name="displayName">.*?<\/saml:Attribute>/,
          (one) => `<saml:EncryptedAttribute>${encryptedData(one, ours, cipher)}</saml:EncryptedAttribute>`,
        )
      expect(sealed).not.toMatch(/ann-for-ever|Ann Visser/)
      for (const whole of [sealed, encryptedFor(sealed, await house.certificate())]) {
        const answer = signed(whole.replace(/ ID="_a[^"]*"/, ` ID="_another-${cipher}"`), 'Response', keys)
        expect((await house.finish(posted(answer), requestId)).person).toMatchObject({
          upstreamId: 'ann-for-ever',
          name: 'Ann Visser',
        })
      }
    },
  )

  test('may name people by an attribute, also where the NameID is for this time only', async () => {
    const other = await open({ settings: { attributes: { id: 'number' } } })
    const transient = 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient'
    const said = (number: string[]) => ({ nameIdFormat: transient, nameId: '_x', attributes: { uid: ['ann'], number } })
    expect((await vouched(said(['4711']), other)).person.upstreamId).toBe('4711')
    for (const number of [[], ['4711', '4712']]) {
      const { requestId, xml } = await asked(said(number), other)
      expect(await other.cause(posted(signed(xml, 'Response', keys)), requestId)).toBe('no-stable-id')
    }
  })
})

describe('a request', () => {
  test('is signed with the key of our metadata, over the query as it is sent', async () => {
    const { url, xml, requestId } = await house.begin()
    expect(url.origin + url.pathname).toBe('https://idp.partner.example/sso')
    expect(url.searchParams.get('tenant')).toBe('1')
    expect(url.searchParams.get('RelayState')).toBe(STATE)
    const [, query] = /[?&](SAMLRequest=.*)&Signature=/.exec(url.href)!
    const verify = createVerify('RSA-SHA256').update(query!)
    expect(verify.verify(await house.certificate(), url.searchParams.get('Signature')!, 'base64')).toBe(true)
    expect(xml).toContain(`ID="${requestId}"`)
    expect(xml).toContain(`AssertionConsumerServiceURL="https://id.kestrel.example/signin/back/partner"`)
    expect(xml).toContain(`>${ENTITY}</saml:Issuer>`)
    expect(xml).toContain('nameid-format:persistent')
    expect(xml).not.toContain('ForceAuthn')
  })

  test('is another one each time', async () => {
    expect((await house.begin()).requestId).not.toBe((await house.begin()).requestId)
  })

  test('asks for a new sign-in and for a strength where they are missing', async () => {
    const other = await open({ settings: { step_up_context: { 'two-factors': 'https://refeds.org/profile/mfa' } } })
    const { xml } = await other.begin({ maxAge: 300, strength: 'two-factors' })
    expect(xml).toContain('ForceAuthn="true"')
    expect(xml).toContain('>https://refeds.org/profile/mfa</saml:AuthnContextClassRef>')
    expect((await other.begin({ strength: 'hardware' })).xml).not.toContain('AuthnContext')
  })
})

describe('our own key', () => {
  test('has a certificate that others can read, and stays the same over restarts', async () => {
    const certificate = new X509Certificate(await house.certificate())
    expect(certificate.verify(certificate.publicKey)).toBe(true)
    expect(certificate.subject).toBe('CN=id.kestrel.example')
    expect(Date.parse(certificate.validFrom)).toBe(house.clock.now())
    expect(certificate.publicKey.asymmetricKeyDetails?.modulusLength).toBe(3072)
    expect(await house.certificate()).toBe(await house.certificate())
  })

  test('is made once, whoever asks first', async () => {
    const other = await open({})
    const all = await Promise.all([other.certificate(), other.begin(), other.certificate(), other.metadata()])
    expect(new Set([all[0], all[2]]).size).toBe(1)
  })

  test('stands in metadata with where answers go', async () => {
    const metadata = await house.metadata()
    expect(metadata).toContain(`entityID="${ENTITY}"`)
    expect(metadata).toContain(`Location="${ACS}"`)
    for (const binding of ['HTTP-Redirect', 'HTTP-POST', 'SOAP'])
      expect(metadata).toContain(
        `<md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:${binding}" Location="${ACS}/logout">`,
      )
    expect(metadata).not.toContain('cbc')
    expect(metadata.match(/use="(signing|encryption)"/g)).toHaveLength(2)
  })
})

describe('what is known of the provider', () => {
  const answer = async (at: SamlHouse, by: Keys) => {
    const { requestId, xml } = await asked({}, at)
    return at.cause(posted(signedAs(xml, ['Response'], by)), requestId)
  }

  test('is every key that it lists, so that it can change them with overlap', async () => {
    const other = await open({ metadata: metadataOf([keys.certificate, next.certificate]) })
    expect(await answer(other, keys)).toBe('accepted')
    expect(await answer(other, next)).toBe('accepted')
  })

  test('is read again at once where a signature is by a key that is new, and not more often than that', async () => {
    const other = await open({})
    expect(await answer(other, keys)).toBe('accepted')
    await other.publish(metadataOf([keys.certificate, next.certificate]))
    expect(await answer(other, next)).toBe('signature-invalid')
    other.clock.pass(31_000)
    expect(await answer(other, next)).toBe('accepted')
  })

  test('is forgotten with a key that it does not list any more', async () => {
    const other = await open({})
    expect(await answer(other, keys)).toBe('accepted')
    await other.publish(metadataOf([next.certificate]))
    other.clock.pass(3_700_000)
    expect(await answer(other, keys)).toBe('signature-invalid')
    expect(await answer(other, next)).toBe('accepted')
  })

  test('comes from its URL, asked once for many, kept for a day when it is down, and no longer', async () => {
    let asks = 0
    let up = true
    const outbound = async (url: string): Promise<OutboundAnswer> => {
      asks++
      expect(url).toBe('https://idp.partner.example/metadata')
      if (!up) throw new Error('down')
      return { status: 200, headers: {}, setCookies: [], body: metadataOf([keys.certificate]) }
    }
    const other = await open({ outbound, settings: { metadata_url: 'https://idp.partner.example/metadata' } })
    await Promise.all(Array.from({ length: 10 }, () => other.begin()))
    expect(asks).toBe(1)
    up = false
    other.clock.pass(3_700_000)
    await other.begin()
    await other.begin()
    expect(asks).toBe(2)
    expect(other.logged.join()).toContain('saml-metadata-stale')
    other.clock.pass(24 * 3_600_000)
    for (let i = 0; i < 3; i++) await expect(other.begin()).rejects.toMatchObject({ code: 'directory-unavailable' })
    // those who come after the first do not wait for it
    expect(asks).toBe(3)
    up = true
    other.clock.pass(3000)
    expect((await other.begin()).requestId).toMatch(/^_/)
  })

  test('tells whether the provider answers, from a URL and never from a file', async () => {
    let up = false
    const outbound = async (): Promise<OutboundAnswer> => ({
      status: up ? 200 : 502,
      headers: {},
      setCookies: [],
      body: metadataOf([keys.certificate]),
    })
    const { directory } = await open({ outbound, settings: { metadata_url: 'https://idp.partner.example/metadata' } })
    expect(directory.health!()).toEqual({ state: 'unknown' })
    for (let i = 0; i < 2; i++) expect(await directory.look!()).toBe(false)
    expect(directory.health!()).toMatchObject({ state: 'down', code: 'status-502' })
    up = true
    expect(await directory.look!()).toBe(true)
    expect(directory.health!()).toEqual({ state: 'up' })
    const file = (await open({})).directory
    expect([file.health, file.look]).toEqual([undefined, undefined])
  })

  test.each([
    ['of another entity', (xml: string) => xml.replace('entityID="https', 'entityID="https://x')],
    ['of a service provider', (xml: string) => xml.replaceAll('IDPSSODescriptor', 'SPSSODescriptor')],
    ['without a certificate', (xml: string) => xml.replace(/<md:KeyDescriptor[\s\S]*<\/md:KeyDescriptor>/, '')],
    [
      'with a certificate that is none',
      (xml: string) => xml.replace(/<ds:X509Certificate>[^<]*/, '<ds:X509Certificate>AAAA'),
    ],
    ['with a key for encryption only', (xml: string) => xml.replace('use="signing"', 'use="encryption"')],
    ['with a document type', (xml: string) => `<!DOCTYPE x>${xml}`],
    ['that has run out', (xml: string) => xml.replace(' entityID', ' validUntil="2026-11-29T00:00:00Z" entityID')],
    ['that runs out nobody knows when', (xml: string) => xml.replace(' entityID', ' validUntil="soon" entityID')],
    ['that sends people into a script', (xml: string) => xml.replaceAll('Location="https:', 'Location="javascript:')],
  ])('is nothing where it says something %s', async (_what, change) => {
    const other = await open({ metadata: change(metadataOf([keys.certificate])) })
    await expect(other.begin()).rejects.toMatchObject({ code: 'directory-unavailable' })
    expect((await other.test()).at(-1)).toMatchObject({ step: 'metadata', ok: false })
  })

  test('has no keys that are too short', async () => {
    const short = await makeKeys(1024)
    const other = await open({ metadata: metadataOf([short.certificate]) })
    await expect(other.begin()).rejects.toMatchObject({ code: 'directory-unavailable' })
  })

  test('may stand among others, with comments', async () => {
    const all = `<?xml version="1.0" encoding="UTF-8"?>\n<!-- ours -->\n<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">${metadataOf([next.certificate]).replace('entityID="https', 'entityID="https://x')}${metadataOf([keys.certificate])}</md:EntitiesDescriptor>`
    const other = await open({ metadata: all })
    expect(await answer(other, keys)).toBe('accepted')
    expect(await answer(other, next)).toBe('signature-invalid')
    expect(await other.test()).toEqual([
      { step: 'metadata', ok: true, say: 'https://idp.partner.example/metadata' },
      { step: 'keys', ok: true, say: '1 certificates' },
      { step: 'sign-in', ok: true, say: 'https://idp.partner.example/sso?tenant=1' },
      { step: 'sign-out', ok: true, say: 'https://idp.partner.example/slo?tenant=1' },
      { step: 'strength', ok: true, say: 'any' },
    ])
  })

  test('is not known without a place to read it from, or with two', async () => {
    for (const settings of [{ metadata_file: undefined }, { metadata_url: 'https://idp.partner.example/metadata' }])
      await expect(openSaml(keys, { settings })).rejects.toMatchObject({ code: 'settings-invalid' })
  })
})
