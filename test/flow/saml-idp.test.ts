/** SAML apps sign people on (SAML 2.0 Profiles §4.1), as an app that checks everything sees it. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { certificatesOf, childrenOf, METADATA, readXml } from '#saml'
import { createBrowser, formOf, formsOf, headingOf, type Page } from '../../demo/browser.ts'
import { giveTotp, movableClock, stepOf } from '../abuse/people.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { type Browser, typePassword } from '../support/relying-party.ts'
import {
  ACS,
  CLASSES,
  carryingForm,
  ENTITY_ID,
  FORMATS,
  formTo,
  policy,
  readAnswer,
  redirectTo,
  requestId,
  requestXml,
  signedRequest,
  statusOf,
  wantedContext,
  xmlOf,
} from '../support/saml-app.ts'
import { type Keys, makeKeys } from '../support/saml-provider.ts'
import { totpCode } from '../support/totp.ts'

const SECOND_ACS = 'https://app.kestrel.example/saml/acs?tenant=2'
const REFEDS = 'https://refeds.org/profile/mfa'
const DAY = 86_400_000

const app = (id: string, more: object = {}, saml: object = {}) => ({
  id,
  name: `App ${id}`,
  policy: 'plain',
  audience: ['*'],
  ...more,
  saml: {
    entity_id: `https://${id}.kestrel.example/metadata`,
    acs_urls: [`https://${id}.kestrel.example/acs`],
    ...saml,
  },
})

let gateway: Gateway
let keys: Keys
const clock = movableClock()
const secrets = new Map<string, string>()
let people = 0

beforeAll(async () => {
  keys = await makeKeys()
  gateway = await startGateway({
    clock,
    policies: POLICIES,
    people: [
      {
        username: 'sam',
        name: 'Sam de Vries',
        givenName: 'Sam',
        familyName: 'de Vries',
        mail: 'sam@kestrel.example',
        groups: ['staff', 'store', 'care'],
        attributes: { quota: ['5 GB'], anchor: ['bG9uZyBzdGFuZGluZw=='], cost_centre: ['a', 'b<&>"'] },
      },
      { username: 'guest', name: 'Guest', groups: [] },
    ],
    apps: [
      app(
        'crm',
        {},
        {
          entity_id: ENTITY_ID,
          acs_urls: [ACS, SECOND_ACS],
          acs_indexes: [3, 7],
          signing_certificates: [keys.certificate],
          relay_state: '/welcome',
          groups: ['care', 'nobody'],
          attributes: [
            { name: 'mail', value: 'email' },
            { name: 'urn:oid:2.5.4.42', value: 'given_name' },
            { name: 'groups', value: 'groups' },
            { name: 'quota', value: 'quota' },
            { name: 'centre', value: 'attributes.cost_centre' },
            { name: 'profile', value: 'Salesforce profile id', required: false },
          ],
        },
      ),
      app('mail', {}, { name_id_format: 'emailAddress', sign: ['assertion'] }),
      app('names', {}, { name_id_format: 'unspecified', sign: ['response'] }),
      app('anchored', {}, { name_id: 'attributes.anchor' }),
      app('hidden', {}, { encrypt: true, encryption_certificate: keys.certificate }),
      app('sealed', {}, { signing_certificates: [keys.certificate], requests_signed: true }),
      app('strict', { policy: 'strict' }),
      app('closed', { policy: 'closed' }),
      app('staff', { audience: ['staff'] }, { attributes: [{ name: 'groups', value: 'groups' }] }),
      app(
        'passing',
        {},
        { name_id_format: 'transient', groups: 'none', attributes: [{ name: 'groups', value: 'groups' }] },
      ),
    ] as never,
  })
})
afterAll(() => gateway.close())

const sso = () => `${gateway.issuer}/saml/sso`
const asked = (changes: Parameters<typeof requestXml>[1] = {}) =>
  requestXml(gateway.issuer, { at: clock.now(), ...changes })
const entityOf = (id: string) => (id === 'crm' ? ENTITY_ID : `https://${id}.kestrel.example/metadata`)
const acsOf = (id: string) => (id === 'crm' ? ACS : `https://${id}.kestrel.example/acs`)

async function certificates(): Promise<string[]> {
  const xml = await (await fetch(`${gateway.issuer}/saml/metadata`)).text()
  const [role] = childrenOf(readXml(xml, { size: 1e6, comments: 'refused' }), METADATA, 'IDPSSODescriptor')
  return certificatesOf(role!, 'signing')
}

const read = async (page: Page, id: string, appId = 'crm', decryptionKey?: string) =>
  readAnswer(page, {
    certificates: await certificates(),
    issuer: gateway.issuer,
    requestId: id,
    now: clock.now(),
    acs: acsOf(appId),
    audience: entityOf(appId),
    ...(decryptionKey === undefined ? {} : { decryptionKey }),
  })

/** Opens the app, and signs in on the way where that is asked. */
async function open(browser: Browser, appId: string, username: string, inside = '', attributes = {}) {
  const id = requestId()
  let page = await browser.open(redirectTo(sso(), asked({ id, issuer: entityOf(appId), inside, attributes })))
  if (stepOf(page) === 'identifier') page = await typePassword(browser, page, username)
  return { id, page }
}

/** Somebody new of the staff. */
async function somebody(withTotp = false): Promise<string> {
  const username = `person${++people}`
  const { people: directory } = gateway.server.house
  const mail = `${username}@kestrel.example`
  const { id } = await directory.add({ username, name: username, mail, groups: ['staff'], password: PASSWORD }, 'test')
  if (withTotp) {
    secrets.set(username, await giveTotp(gateway, id, clock.now()))
    clock.at += 30_000
  }
  return username
}

async function giveCode(browser: Browser, page: Page, username: string): Promise<Page> {
  const next = await browser.submit(formOf(page, 'totp'), { code: totpCode(secrets.get(username)!, clock.now()) })
  clock.at += 30_000
  return next
}

describe('a sign-on', () => {
  test('somebody signs in once, and the app learns who it is, how, when and until when', async () => {
    const browser = createBrowser()
    const { id, page } = await open(browser, 'crm', 'sam')
    const { facts, acs } = await read(page, id)
    expect(acs).toBe(ACS)
    expect(facts.nameId).toMatchObject({
      format: FORMATS.persistent,
      nameQualifier: `${gateway.issuer}/saml/metadata`,
      spNameQualifier: ENTITY_ID,
    })
    expect(facts.nameId!.value).toMatch(/^[\w-]{43}$/)
    expect(facts.context).toBe(`${CLASSES}PasswordProtectedTransport`)
    expect(facts.authnInstant).toBeGreaterThan(clock.now() - 60_000)
    expect(Object.fromEntries(facts.attributes)).toEqual({
      mail: ['sam@kestrel.example'],
      'urn:oid:2.5.4.42': ['Sam'],
      groups: ['care'],
      quota: ['5 GB'],
      centre: ['a', 'b<&>"'],
    })
    const [session] = await gateway.server.house.sessions.ofPerson(gateway.ids.get('sam')!)
    expect(xmlOf(page)).toContain(`SessionNotOnOrAfter="${new Date(session!.endsAt).toISOString()}"`)
    expect(session!.apps).toMatchObject([{ app: 'crm', sid: facts.sessionIndex }])
  })

  test('the next app opens silently; each knows the person by another name, and always by the same', async () => {
    const browser = createBrowser()
    const first = await open(browser, 'crm', 'sam')
    const names = [(await read(first.page, first.id)).facts]
    for (const appId of ['hidden', 'crm']) {
      const { id, page } = await open(browser, appId, 'nobody')
      names.push((await read(page, id, appId, appId === 'hidden' ? keys.key : undefined)).facts)
    }
    const elsewhere = await open(createBrowser(), 'crm', 'sam')
    names.push((await read(elsewhere.page, elsewhere.id)).facts)
    const [one, hidden, again, other] = names.map(({ nameId, sessionIndex }) => [nameId!.value, sessionIndex])
    expect(again).toEqual(one)
    expect(hidden![0]).not.toBe(one![0])
    expect(hidden![1]).not.toBe(one![1])
    expect(other![0]).toBe(one![0])
    expect(other![1]).not.toBe(one![1])
  })

  test('RelayState comes back as it was sent, whatever it looks like', async () => {
    const browser = createBrowser()
    await open(browser, 'crm', 'sam')
    for (const relayState of [
      'https://evil.example/"><script>',
      '//evil.example',
      'ü €',
      'javascript:alert(1)',
      ' a ',
    ]) {
      const page = await browser.open(redirectTo(sso(), asked(), { relayState }))
      expect(carryingForm(page)!.fields.get('RelayState')).toBe(relayState)
      expect(carryingForm(page)!.action.href).toBe(ACS)
      const posted = await browser.submit(formTo(sso(), signedRequest(asked(), keys), { RelayState: relayState }))
      expect(carryingForm(posted)!.fields.get('RelayState')).toBe(relayState)
    }
  })

  test('a request by a form comes without cookies, and is answered all the same', async () => {
    const browser = createBrowser()
    await open(browser, 'crm', 'sam')
    const id = requestId()
    const { action, fields } = formTo(sso(), signedRequest(asked({ id }), keys), { RelayState: 'r' })
    const posted = await fetch(action, {
      method: 'POST',
      body: fields,
      redirect: 'manual',
      headers: { origin: 'https://app.kestrel.example', 'sec-fetch-site': 'cross-site' },
    })
    expect(posted.status).toBe(303)
    const location = new URL(posted.headers.get('location')!, sso())
    expect([location.origin, location.search]).toEqual([gateway.issuer, ''])
    const page = await browser.open(location.href)
    expect((await read(page, id)).relayState).toBe('r')
    // once
    expect((await browser.open(location.href)).status).toBe(400)
  })

  test('what a form brought waits a minute and no longer', async () => {
    const browser = createBrowser()
    await open(browser, 'crm', 'sam')
    const { action, fields } = formTo(sso(), signedRequest(asked(), keys))
    const posted = await fetch(action, { method: 'POST', body: fields, redirect: 'manual' })
    clock.at += 60_001
    const page = await browser.open(new URL(posted.headers.get('location')!, sso()).href)
    expect([page.status, carryingForm(page)]).toEqual([400, undefined])
  })

  test('the answer goes to the address that the request names, if it is registered', async () => {
    const browser = createBrowser()
    await open(browser, 'crm', 'sam')
    const to = async (attributes: Record<string, string>) =>
      carryingForm(await browser.open(redirectTo(sso(), asked({ attributes }))))?.action.href
    expect(await to({})).toBe(ACS)
    expect(await to({ AssertionConsumerServiceURL: SECOND_ACS })).toBe(SECOND_ACS)
    expect(await to({ AssertionConsumerServiceIndex: '7' })).toBe(SECOND_ACS)
    expect(await to({ AssertionConsumerServiceIndex: '3' })).toBe(ACS)
  })

  test('the page works without scripts, in four languages, and its policy lets the form go to the app only', async () => {
    const browser = createBrowser()
    await open(browser, 'crm', 'sam')
    const headings = new Set<string>()
    for (const language of ['en', 'nl', 'de', 'ru']) {
      const address = redirectTo(sso(), asked())
      const cookie = [...browser.jar].map(([name, value]) => `${name}=${value}`).join('; ')
      const response = await fetch(address, { headers: { cookie, 'accept-language': language } })
      const page: Page = { url: new URL(address), status: response.status, text: await response.text() }
      headings.add(headingOf(page))
      expect(page.text).toMatch(/<button class="main">/)
      const policyOf = response.headers.get('content-security-policy')!
      expect(/form-action ([^;]*)/.exec(policyOf)![1]).toBe("'self' https://app.kestrel.example")
      expect(response.headers.get('cache-control')).toBe('no-store')
    }
    expect(headings.size).toBe(4)
  })
})

describe('signatures and ciphers', () => {
  test.each([
    ['crm', ['assertion', 'response']],
    ['mail', ['assertion']],
    ['names', ['response']],
  ])('%s gets its answer signed at %s', async (appId, at) => {
    const { page } = await open(createBrowser(), appId, 'sam')
    const root = readXml(xmlOf(page), { size: 1e6, comments: 'refused' })
    const has = (element: typeof root) => element.children.some(({ name }) => name === 'Signature')
    const assertion = root.children.find(({ name }) => name === 'Assertion')!
    expect({ response: has(root), assertion: has(assertion) }).toEqual({
      response: at.includes('response'),
      assertion: at.includes('assertion'),
    })
  })

  test('xmlsec1 finds both signatures good, and opens what is encrypted', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portico-xmlsec-'))
    try {
      const file = (name: string, text: string) => {
        writeFileSync(join(folder, name), text)
        return join(folder, name)
      }
      const certificate = file('idp.pem', (await certificates())[0]!)
      const key = file('app.key', keys.key)
      const xmlsec = (...words: string[]) => execFileSync('xmlsec1', words, { encoding: 'utf8', stdio: 'pipe' })
      const verify = (xml: string, what: string) =>
        xmlsec(
          '--verify',
          '--pubkey-cert-pem',
          certificate,
          '--id-attr:ID',
          'urn:oasis:names:tc:SAML:2.0:protocol:Response',
          '--id-attr:ID',
          'urn:oasis:names:tc:SAML:2.0:assertion:Assertion',
          '--node-xpath',
          `//*[local-name()='${what}']/*[local-name()='Signature']`,
          file('answer.xml', xml),
        )
      const { page } = await open(createBrowser(), 'crm', 'sam')
      const xml = xmlOf(page)
      verify(xml, 'Response')
      verify(xml, 'Assertion')
      expect(() => verify(xml.replace('sam@kestrel.example', 'eva@kestrel.example'), 'Assertion')).toThrow()

      const hidden = await open(createBrowser(), 'hidden', 'sam')
      const sealed = xmlOf(hidden.page)
      verify(sealed, 'Response')
      expect(sealed).not.toContain('<saml:Assertion')
      const openedXml = xmlsec('--decrypt', '--privkey-pem', key, file('sealed.xml', sealed))
      expect(openedXml).toContain('<saml:Assertion')
      verify(openedXml.replace(/^<\?xml[^>]*>\n/, ''), 'Assertion')
      expect((await read(hidden.page, hidden.id, 'hidden', keys.key)).facts.nameId?.value).toBeTruthy()
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test('a request that has to be signed is answered when it is, by a form or in an address', async () => {
    const browser = createBrowser()
    await open(browser, 'crm', 'sam')
    const issuer = entityOf('sealed')
    const id = requestId()
    expect((await browser.open(redirectTo(sso(), asked({ id, issuer })))).status).toBe(400)
    const page = await browser.open(redirectTo(sso(), asked({ id, issuer }), { keys, relayState: 'x' }))
    expect((await read(page, id, 'sealed')).relayState).toBe('x')
    expect((await browser.submit(formTo(sso(), asked({ id, issuer })))).status).toBe(400)
    const posted = await browser.submit(formTo(sso(), signedRequest(asked({ id, issuer }), keys)))
    expect((await read(posted, id, 'sealed')).acs).toBe(acsOf('sealed'))
  })
})

describe('names (Core §8.3)', () => {
  test('an app that is registered for mail addresses gets one', async () => {
    const { id, page } = await open(createBrowser(), 'mail', 'sam')
    const { nameId } = (await read(page, id, 'mail')).facts
    expect(nameId).toMatchObject({ value: 'sam@kestrel.example', format: FORMATS.emailAddress })
  })

  test('unspecified is the user name unless the registration says otherwise', async () => {
    const { id, page } = await open(createBrowser(), 'names', 'sam')
    expect((await read(page, id, 'names')).facts.nameId).toMatchObject({ value: 'sam', format: FORMATS.unspecified })
  })

  test('a persistent name is a field of the person where the registration names one', async () => {
    const { id, page } = await open(createBrowser(), 'anchored', 'sam')
    // the app matches it with what its own directory says, so nothing of ours stands beside it
    expect((await read(page, id, 'anchored')).facts.nameId).toEqual({
      value: 'bG9uZyBzdGFuZGluZw==',
      format: FORMATS.persistent,
    })
  })

  test('a transient name lives as long as the session', async () => {
    const browser = createBrowser()
    const transient = async (from: Browser) => {
      const { id, page } = await open(from, 'crm', 'sam', policy(FORMATS.transient))
      const { nameId } = (await read(page, id)).facts
      expect(nameId!.format).toBe(FORMATS.transient)
      return nameId!.value
    }
    const one = await transient(browser)
    expect(await transient(browser)).toBe(one)
    expect(await transient(createBrowser())).not.toBe(one)
  })

  test('two apps cannot tell by transient names that the same person is in both', async () => {
    const browser = createBrowser()
    const names: string[] = []
    for (const appId of ['crm', 'staff']) {
      const { id, page } = await open(browser, appId, 'sam', policy(FORMATS.transient))
      names.push((await read(page, id, appId)).facts.nameId!.value)
    }
    expect(names[0]).not.toBe(names[1])
    // also where it is the registered format, and nothing was asked for
    const { id, page } = await open(browser, 'passing', 'sam')
    const { nameId } = (await read(page, id, 'passing')).facts
    expect(nameId!.format).toBe(FORMATS.transient)
    expect(names).not.toContain(nameId!.value)
  })

  test.each([
    ['passing', undefined],
    ['staff', ['staff', 'store', 'care']],
  ])('the groups of %s are those of its registration', async (appId, groups) => {
    const { id, page } = await open(createBrowser(), appId, 'sam')
    const told = (await read(page, id, appId)).facts.attributes.get('groups')
    expect(told && [...told].sort()).toEqual(groups && [...groups].sort())
  })

  test.each([
    ['another format than the registered one', policy(FORMATS.emailAddress)],
    ['a format that does not exist', policy('urn:oasis:names:tc:SAML:2.0:nameid-format:entity')],
    ['a name for several apps', policy(FORMATS.persistent, ' SPNameQualifier="https://all.kestrel.example"')],
  ])('%s is told to be none that can be given', async (_, inside) => {
    const { page } = await open(createBrowser(), 'crm', 'sam', inside)
    expect(statusOf(xmlOf(page))).toEqual(['Requester', 'InvalidNameIDPolicy'])
    expect(xmlOf(page)).not.toContain('<saml:Assertion')
    expect(carryingForm(page)!.action.href).toBe(ACS)
  })

  test('who has no mail address cannot be called by one', async () => {
    const { page } = await open(createBrowser(), 'mail', 'guest')
    // the guest is let in nowhere by policy, so somebody of the staff without a mail address
    expect(carryingForm(page)).toBeUndefined()
    const { people: directory } = gateway.server.house
    await directory.add({ username: 'plain', name: 'Plain', groups: ['staff'], password: PASSWORD }, 'test')
    const own = await open(createBrowser(), 'mail', 'plain')
    expect(statusOf(xmlOf(own.page))).toEqual(['Responder', 'InvalidNameIDPolicy'])
  })

  test('changing the master key changes no name: it is made with a key of its own', async () => {
    const { id, page } = await open(createBrowser(), 'crm', 'sam')
    const { value } = (await read(page, id)).facts.nameId!
    const { storage, keys: sealing } = gateway.server.house
    const { sealed } = await storage.records.selectFrom('saml_secrets').selectAll().executeTakeFirstOrThrow()
    const { createHmac } = await import('node:crypto')
    const mac = createHmac('sha256', sealing.unseal(sealed as string, 'saml-secret:names'))
    for (const part of ['persistent', ENTITY_ID, gateway.ids.get('sam')!]) mac.update(`${part.length}:${part}`)
    expect(value).toBe(mac.digest('base64url'))
  })
})

describe('what a request can ask for', () => {
  test('ForceAuthn asks for the password again, and the answer says when it was given', async () => {
    const browser = createBrowser()
    const username = await somebody()
    await open(browser, 'crm', username)
    clock.at += 600_000
    const { id, page } = await open(browser, 'crm', username, '', { ForceAuthn: 'true' })
    expect(stepOf(page)).toBe('password')
    expect((await browser.open(redirectTo(sso(), asked({ attributes: { ForceAuthn: '1' } })))).status).toBe(200)
    const back = await browser.submit(formOf(page, 'password'), { password: PASSWORD })
    expect((await read(back, id)).facts.authnInstant).toBe(Math.floor(clock.now() / 1000) * 1000)
    // and without it the session is enough again
    expect(carryingForm((await open(browser, 'crm', username)).page)).toBeDefined()
  })

  test('a password given for one request is none for another that asks anew', async () => {
    const browser = createBrowser()
    const username = await somebody()
    const first = await open(browser, 'crm', username, '', { ForceAuthn: 'true' })
    expect(carryingForm(first.page)).toBeDefined()
    clock.at += 1000
    expect(stepOf((await open(browser, 'crm', username, '', { ForceAuthn: 'true' })).page)).toBe('password')
  })

  test('IsPassive shows no page: the app hears that one would be needed', async () => {
    const browser = createBrowser()
    const passive = { IsPassive: 'true' }
    // xs:boolean has two spellings
    for (const IsPassive of ['true', '1']) {
      const nobody = await open(browser, 'crm', 'sam', '', { IsPassive })
      expect(statusOf(xmlOf(nobody.page)), IsPassive).toEqual(['Responder', 'NoPassive'])
    }
    await open(browser, 'crm', 'sam')
    const { id, page } = await open(browser, 'crm', 'sam', '', passive)
    expect((await read(page, id)).facts.nameId).toBeDefined()
    const more = await open(browser, 'strict', 'sam', '', passive)
    expect(statusOf(xmlOf(more.page))).toEqual(['Responder', 'NoPassive'])
    const closed = await open(browser, 'closed', 'sam', '', passive)
    expect(statusOf(xmlOf(closed.page))).toEqual(['Responder', 'RequestDenied'])
  })

  test.each([
    ['REFEDS', [REFEDS], undefined],
    ['a class of SAML', [`${CLASSES}TimeSyncToken`], undefined],
    ['at least', [REFEDS], 'minimum'],
    ['the first of several that is known', ['urn:made:up', REFEDS], 'exact'],
  ])('two factors, asked for by %s', async (_, uris, comparison) => {
    const browser = createBrowser()
    const username = await somebody(true)
    await open(browser, 'crm', username)
    const { id, page } = await open(browser, 'crm', username, wantedContext(uris, comparison))
    expect(stepOf(page)).toBe('totp')
    const back = await giveCode(browser, page, username)
    expect((await read(back, id)).facts.context).toBe(uris.at(-1))
    const again = await open(browser, 'crm', username, wantedContext(uris, comparison))
    expect(carryingForm(again.page)).toBeDefined()
  })

  test('our own strengths have addresses, and the answer names the one that was met', async () => {
    const browser = createBrowser()
    const username = await somebody(true)
    const own = `${gateway.issuer}/saml/strengths/two-factors`
    const { id, page } = await open(browser, 'crm', username, wantedContext([own]))
    expect((await read(await giveCode(browser, page, username), id)).facts.context).toBe(own)
    const strict = await open(browser, 'strict', username)
    expect((await read(strict.page, strict.id, 'strict')).facts.context).toBe(REFEDS)
  })

  test('whoever has given more than a password is answered as the app asked', async () => {
    const browser = createBrowser()
    const username = await somebody(true)
    await giveCode(browser, (await open(browser, 'strict', username)).page, username)
    const { id, page } = await open(browser, 'crm', username, wantedContext([`${CLASSES}PasswordProtectedTransport`]))
    expect((await read(page, id)).facts.context).toBe(`${CLASSES}PasswordProtectedTransport`)
  })

  test.each([
    ['a class that nobody knows', wantedContext(['urn:made:up'])],
    ['our strengths with a name that none has', wantedContext(['ISSUER/saml/strengths/made-up'])],
    [
      'a declaration',
      '<samlp:RequestedAuthnContext><saml:AuthnContextDeclRef>x</saml:AuthnContextDeclRef></samlp:RequestedAuthnContext>',
    ],
    ['something better than', wantedContext([REFEDS], 'better')],
    ['nothing but', wantedContext([`${CLASSES}Password`], 'maximum')],
  ])('%s cannot be promised', async (_, inside) => {
    const { page } = await open(createBrowser(), 'crm', 'sam', inside.replace('ISSUER', gateway.issuer))
    expect(statusOf(xmlOf(page))).toEqual(['Responder', 'NoAuthnContext'])
  })

  test('a name in the request is filled in, and whoever is signed in as somebody else is asked', async () => {
    const subject = (text: string) => `<saml:Subject><saml:NameID>${text}</saml:NameID></saml:Subject>`
    const browser = createBrowser()
    const stranger = await browser.open(redirectTo(sso(), asked({ inside: subject('sam') })))
    expect(formOf(stranger, 'identifier').fields.get('username')).toBe('sam')
    await typePassword(browser, stranger, 'sam')
    const { id, page } = await open(browser, 'crm', 'sam')
    const called = (await read(page, id)).facts.nameId!.value
    for (const own of ['sam', 'SAM@kestrel.example', called])
      expect(statusOf(xmlOf((await open(browser, 'crm', 'nobody', subject(own))).page)), own).toEqual(['Success'])
    const other = await browser.open(redirectTo(sso(), asked({ inside: subject('eva') })))
    expect(stepOf(other)).toBe('identifier')
    // who insists on being somebody else gets no answer about themselves
    const insisted = await typePassword(browser, other, 'sam')
    expect(statusOf(xmlOf(insisted))).toEqual(['Responder', 'UnknownPrincipal'])
    const passive = await open(browser, 'crm', 'sam', subject('eva'), { IsPassive: 'true' })
    expect(statusOf(xmlOf(passive.page))).toEqual(['Responder', 'NoPassive'])
  })
})

describe('a no', () => {
  test('who may not is told so here, and the app hears it when they go back', async () => {
    const browser = createBrowser()
    const { page } = await open(browser, 'staff', 'guest')
    expect([page.status, carryingForm(page)]).toEqual([403, undefined])
    const back = /href="(\/signin\/[^"]*back)"/.exec(page.text)![1]!.replaceAll('&amp;', '&')
    const told = await browser.open(`${gateway.issuer}${back}`)
    expect(statusOf(xmlOf(told))).toEqual(['Responder', 'RequestDenied'])
    expect(carryingForm(told)!.action.href).toBe(acsOf('staff'))
    expect(xmlOf(told)).toContain('<ds:Signature')
  })

  test('somebody switched off while signing in is let in nowhere', async () => {
    const username = await somebody()
    const browser = createBrowser()
    await open(browser, 'crm', username)
    const { people: directory } = gateway.server.house
    await directory.disable((await directory.find(username))!.id, 'test')
    const { page } = await open(browser, 'crm', username)
    expect(carryingForm(page)).toBeUndefined()
  })

  test('what was given in one browser opens nothing in another that follows the link', async () => {
    const username = await somebody()
    const browser = createBrowser()
    await open(browser, 'crm', username)
    clock.at += 1000
    const page = await browser.open(redirectTo(sso(), asked({ attributes: { ForceAuthn: 'true' } })))
    const errand = page.url.pathname.split('/').at(-1)!
    // the victim has a session, and gave nothing for this request
    const victim = createBrowser()
    await open(victim, 'crm', 'sam')
    clock.at += 1000
    const posted = await fetch(formOf(page, 'password').action, {
      method: 'POST',
      redirect: 'manual',
      headers: { cookie: [...browser.jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      body: new URLSearchParams({ ...Object.fromEntries(formOf(page, 'password').fields), password: PASSWORD }),
    })
    expect(posted.headers.get('location')).toBe(`/saml/sso/${errand}`)
    const followed = await victim.open(`${gateway.issuer}/saml/sso/${errand}`)
    expect([stepOf(followed), carryingForm(followed)]).toEqual(['password', undefined])
  })
})

describe('begun here (Profiles §4.1.5)', () => {
  test('the launcher lists the app, and the answer names no request and carries the registered state', async () => {
    const browser = createBrowser()
    await open(browser, 'crm', 'sam')
    const launcher = await browser.open(gateway.issuer)
    expect(launcher.text).toContain('href="/saml/init/crm"')
    const page = await browser.open(`${gateway.issuer}/saml/init/crm?RelayState=https://evil.example`)
    expect(carryingForm(page)!.fields.get('RelayState')).toBe('/welcome')
    expect(carryingForm(page)!.action.href).toBe(ACS)
    expect(xmlOf(page)).not.toContain('InResponseTo')
    const mail = await browser.open(`${gateway.issuer}/saml/init/mail?RelayState=x`)
    expect(carryingForm(mail)!.fields.has('RelayState')).toBe(false)
  })

  test('it asks whoever is not signed in, and takes nobody where there is no such app', async () => {
    const browser = createBrowser()
    const asked = await browser.open(`${gateway.issuer}/saml/init/crm`)
    const page = await typePassword(browser, asked, 'sam')
    expect(xmlOf(page)).toContain('<saml:Assertion')
    expect((await browser.open(`${gateway.issuer}/saml/init/nothing`)).status).toBe(404)
  })
})

describe('our keys', () => {
  test('a successor stands in the metadata long before it signs, and the old key for a while after', async () => {
    const browser = createBrowser()
    await open(browser, 'crm', 'sam')
    const before = await certificates()
    expect(before).toHaveLength(1)
    const { samlKeys } = gateway.server.house
    const successor = await samlKeys.rotate(14 * DAY, 'test')
    expect(await samlKeys.rotate(14 * DAY, 'test')).toEqual(successor)
    const both = await certificates()
    expect(both).toHaveLength(2)
    expect(both[0]).toBe(before[0])
    const signer = async (username: string) => {
      const { page } = await open(createBrowser(), 'crm', username)
      const inside = /<ds:X509Certificate>([^<]*)/.exec(xmlOf(page))![1]!
      return both.findIndex((pem) => pem.replace(/-----[^-]+-----|\s/g, '') === inside)
    }
    expect(await signer('sam')).toBe(0)
    clock.at += 14 * DAY
    await gateway.server.tick()
    expect(await signer('sam')).toBe(1)
    expect(await certificates()).toHaveLength(2)
    clock.at += 7 * DAY
    await gateway.server.tick()
    expect(await certificates()).toEqual([both[1]])
    const row = await gateway.server.house.storage.records
      .selectFrom('saml_keys')
      .selectAll()
      .orderBy('generation')
      .executeTakeFirstOrThrow()
    expect(row['private_sealed']).toBeNull()
  })

  test('the metadata names every address and every form of name', async () => {
    const response = await fetch(`${gateway.issuer}/saml/metadata`)
    expect(response.headers.get('content-type')).toBe('application/samlmetadata+xml')
    const text = await response.text()
    expect(text).toContain(`entityID="${gateway.issuer}/saml/metadata"`)
    for (const [service, binding] of [
      ['SingleSignOnService', 'HTTP-Redirect'],
      ['SingleSignOnService', 'HTTP-POST'],
      ['SingleLogoutService', 'HTTP-Redirect'],
      ['SingleLogoutService', 'HTTP-POST'],
      ['SingleLogoutService', 'SOAP'],
    ])
      expect(text).toContain(
        `<md:${service} Binding="urn:oasis:names:tc:SAML:2.0:bindings:${binding}" Location="${gateway.issuer}/saml/`,
      )
    for (const format of Object.values(FORMATS)) expect(text).toContain(`<md:NameIDFormat>${format}<`)
    expect(formsOf({ url: new URL(response.url), status: 200, text })).toEqual([])
  })
})
