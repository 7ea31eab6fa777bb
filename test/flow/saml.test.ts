/** Signing in at a SAML provider that is not ours, LemonLDAP::NG, through the whole gateway. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formsOf, headingOf, type Page } from '../../demo/browser.ts'
import { movableClock } from '../abuse/people.ts'
import { browserOf } from '../support/federation.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { type Lemonldap, startLemonldap } from '../support/lemonldap.ts'
import { CONTEXTS, type LemonldapPerson } from '../support/lemonldap-files.ts'
import { samlAnswer, signInAtLemonldap } from '../support/lemonldap-pages.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { atCallback, type Browser, CALLBACK, relyingParty } from '../support/relying-party.ts'

const RENATE: LemonldapPerson = {
  uid: 'renate',
  password: 'a kite over the dunes',
  name: 'Renate Köhler',
  mail: 'renate@partner.example',
  groups: ['repairs'],
}
const MIRA: LemonldapPerson = {
  uid: 'mira',
  password: 'two ferries at dawn',
  name: 'Mira Okafor',
  mail: 'mira@partner.example',
  groups: ['repairs'],
  totp: 'JBSWY3DPEHPK3PXP',
}
const PEOPLE = [RENATE, MIRA]
const clock = movableClock()
let gateway: Gateway
let plain: Lemonldap
let sealed: Lemonldap

beforeAll(async () => {
  const [plainPort, sealedPort] = await Promise.all([freePort(), freePort()])
  const at = (id: string, port: number) => ({
    id,
    kind: 'saml',
    entity_id: `http://localhost:${port}/saml/metadata`,
    metadata_url: `http://localhost:${port}/saml/metadata`,
    domains: ['partner.example'],
    newcomers: 'create',
    mail_verified: true,
    attributes: { name: 'cn' },
    groups: { map: { repairs: ['staff'] } },
    assurance: [{ acr: [CONTEXTS.twoFactors], is: 'two-factors' }],
  })
  const app = (id: string, policy: string) => ({
    id,
    name: `App ${id}`,
    policy,
    audience: ['*'],
    oidc: { redirect_uris: [CALLBACK], scopes: ['openid', 'profile', 'email'] },
  })
  gateway = await startGateway({
    clock,
    policies: POLICIES,
    apps: [app('web', 'plain'), app('strict', 'strict')] as never,
    settings: { directories: [{ id: 'local', kind: 'local' }, at('plain', plainPort), at('sealed', sealedPort)] },
  })
  // the administrators of the two give each other their metadata
  const ours = async (id: string) => {
    const answer = await fetch(`${gateway.issuer}/signin/back/${id}/metadata`)
    expect(answer.headers.get('content-type')).toContain('application/samlmetadata+xml')
    return answer.text()
  }
  const [forPlain, forSealed] = [await ours('plain'), await ours('sealed')]
  ;[plain, sealed] = await Promise.all([
    startLemonldap({ people: PEOPLE, port: plainPort, serviceProviders: [{ metadata: forPlain }] }),
    startLemonldap({
      people: PEOPLE,
      port: sealedPort,
      serviceProviders: [{ metadata: forSealed, encrypt: 'assertion' }],
    }),
  ])
})
afterAll(async () => {
  await gateway?.close()
  await Promise.all([plain?.end(), sealed?.end()])
})

/** The page of the provider that somebody is sent to by an app, and what to do when they are back. */
async function onTheWay(browser: Browser, { id = 'web', idp = 'plain', ...more }: Record<string, string> = {}) {
  const party = await relyingParty(gateway, id)
  const begun = await party.begin({ idp, ...more })
  const page = await browser.open(begun.url.href)
  return { page, claims: async (back: Page) => (await party.finish(begun, back.url)).claims()! }
}
const postBack = (browser: Browser, page: Page) => browser.submit(samlAnswer(page))
async function signedIn(person: LemonldapPerson, more: Record<string, string> = {}, browser = browserOf()) {
  const { page, claims } = await onTheWay(browser, more)
  const back = await postBack(browser, await signInAtLemonldap(browser, page, person))
  if (!atCallback(back)) throw new Error(`stopped at ${back.url.pathname}: ${headingOf(back)}`)
  return claims(back)
}

describe('somebody from a SAML provider', () => {
  test('comes in, and is the same person each time, with what the provider says about them', async () => {
    const first = await signedIn(RENATE)
    const again = await signedIn(RENATE)
    expect(again.sub).toBe(first.sub)
    expect(await gateway.server.house.people.byId(first.sub)).toMatchObject({
      directory: 'plain',
      username: 'renate@plain',
      name: 'Renate Köhler',
      mail: 'renate@partner.example',
      mailVerified: true,
      groups: ['staff'],
    })
  })

  test('comes in with an assertion that was encrypted for us', async () => {
    const browser = browserOf()
    const { page, claims } = await onTheWay(browser, { idp: 'sealed' })
    const answer = samlAnswer(await signInAtLemonldap(browser, page, RENATE))
    const xml = Buffer.from(answer.fields.get('SAMLResponse')!, 'base64').toString()
    // with CBC, whatever our metadata say: it counts because the Response around it is signed
    expect(xml).toMatch(/EncryptionMethod Algorithm="[^"]*#aes\d+-cbc"/)
    const { sub } = await claims(await browser.submit(answer))
    expect(await gateway.server.house.people.byId(sub)).toMatchObject({ directory: 'sealed', name: 'Renate Köhler' })
  })

  test('is not asked for a second factor here that they gave there', async () => {
    expect(await signedIn(MIRA, { id: 'strict' })).toMatchObject({ acr: 'two-factors' })
  })

  test('is asked for one here where they gave none there', async () => {
    const browser = browserOf()
    const { page } = await onTheWay(browser, { id: 'strict' })
    const back = await postBack(browser, await signInAtLemonldap(browser, page, RENATE))
    expect(atCallback(back)).toBe(false)
    expect(back.url.origin).toBe(gateway.issuer)
    expect(back.status).toBe(200)
  })

  test('signs in there anew where an app wants that', async () => {
    const browser = browserOf()
    await signedIn(RENATE, {}, browser)
    // here they are nobody yet, there they are known
    for (const name of browser.jar.keys()) if (!name.startsWith('lemonldap')) browser.jar.delete(name)
    // within the second of a sign-in it is taken for a new one there
    const asked = async () => {
      const { page } = await onTheWay(browser, { prompt: 'login' })
      return formsOf(page).some(({ action }) => action.pathname === '/renewsession')
    }
    await expect.poll(asked, { timeout: 10_000 }).toBe(true)
  })
})

describe('an answer is refused, with a reference for the person and the cause for the administrator,', () => {
  async function refused(answer: (browser: Browser, page: Page) => Promise<Page>, cause: string) {
    const browser = browserOf()
    const { page } = await onTheWay(browser)
    const back = await answer(browser, await signInAtLemonldap(browser, page, RENATE))
    expect(atCallback(back)).toBe(false)
    expect(back.text).toMatch(/E-[0-9A-Z]{4}-[0-9A-Z]{4}/)
    expect(back.text).not.toMatch(/saml|assertion/i)
    const [reference] = /E-[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(back.text)!
    const line = gateway
      .log()
      .split('\n')
      .find((one) => one.includes('"upstream-refused"') && one.includes(reference))
    expect(line).toContain(`saml ${cause}:`)
    const trail = await gateway.server.house.audit.search({ event: 'upstream-refused' })
    expect(trail[0]).toMatchObject({ reason: `plain:${cause}` })
  }
  const changed = (change: (xml: string) => string) => (browser: Browser, page: Page) => {
    const { action, fields } = samlAnswer(page)
    const xml = Buffer.from(fields.get('SAMLResponse')!, 'base64').toString()
    const forged = change(xml)
    expect(forged).not.toBe(xml)
    fields.set('SAMLResponse', Buffer.from(forged).toString('base64'))
    return browser.submit({ action, fields })
  }

  test('that was changed on the way', () =>
    refused(
      changed((xml) => xml.replace('>renate<', '>mira<')),
      'signature-invalid',
    ))
  test('whose name is split by a comment', () =>
    refused(
      changed((xml) => xml.replace('>renate<', '>ren<!-- -->ate<')),
      'comment',
    ))
  test('without its signatures', () =>
    refused(
      changed((xml) => xml.replace(/<Signature [\s\S]*?<\/Signature>/g, '')),
      'signature-missing',
    ))
  test('with a document type', () =>
    refused(
      changed((xml) => `<!DOCTYPE x>${xml}`),
      'doctype',
    ))
  test('to another request', async () => {
    const first = browserOf()
    const other = await onTheWay(first)
    const { fields } = samlAnswer(await signInAtLemonldap(first, other.page, RENATE))
    await refused((browser, page) => {
      const form = samlAnswer(page)
      form.fields.set('SAMLResponse', fields.get('SAMLResponse')!)
      return browser.submit(form)
    }, 'in-response-to')
  })
  test('of the provider next door', async () => {
    const first = browserOf()
    const other = await onTheWay(first, { idp: 'sealed' })
    const { fields } = samlAnswer(await signInAtLemonldap(first, other.page, RENATE))
    await refused((browser, page) => {
      const form = samlAnswer(page)
      form.fields.set('SAMLResponse', fields.get('SAMLResponse')!)
      return browser.submit(form)
    }, 'signature-invalid')
  })

  test('that nobody asked for', async () => {
    const browser = browserOf()
    const { page } = await onTheWay(browser)
    const { action, fields } = samlAnswer(await signInAtLemonldap(browser, page, RENATE))
    fields.delete('RelayState')
    const back = await browserOf().submit({ action, fields })
    expect(back.status).toBeGreaterThanOrEqual(400)
  })

  test('in another browser than the one that asked', async () => {
    const browser = browserOf()
    const { page } = await onTheWay(browser)
    const answer = samlAnswer(await signInAtLemonldap(browser, page, RENATE))
    const stranger = await browserOf().submit(answer)
    expect(stranger.status).toBeGreaterThanOrEqual(400)
    expect(atCallback(stranger)).toBe(false)
  })

  test('a second time', async () => {
    const browser = browserOf()
    const { page } = await onTheWay(browser)
    const answer = samlAnswer(await signInAtLemonldap(browser, page, RENATE))
    expect(atCallback(await browser.submit(answer))).toBe(true)
    const again = await browser.submit(answer)
    expect(atCallback(again)).toBe(false)
    expect(again.status).toBeGreaterThanOrEqual(400)
  })
})

describe('a provider', () => {
  test('that has new keys is believed by them at the next sign-in', async () => {
    await plain.start({ newKeys: true })
    clock.at += 40_000
    expect((await signedIn(RENATE)).sub).toBeDefined()
  })

  test('that is down is said to be, once its metadata are too old', async () => {
    await plain.stop()
    clock.at += 26 * 3_600_000
    const page = await browserOf().open(`${gateway.issuer}/signin?idp=plain`)
    expect(page.url.origin).toBe(gateway.issuer)
    expect(page.text).toMatch(/E-[0-9A-Z]{4}-[0-9A-Z]{4}/)
  })
})
