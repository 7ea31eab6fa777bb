/** One sign-in, two ends: single logout with LemonLDAP::NG, which is not ours, in both directions. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Form, formsOf, headingOf, type Page } from '../../demo/browser.ts'
import { movableClock } from '../abuse/people.ts'
import { browserOf } from '../support/federation.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { type Lemonldap, startLemonldap } from '../support/lemonldap.ts'
import type { LemonldapPerson } from '../support/lemonldap-files.ts'
import { samlAnswer, signInAtLemonldap } from '../support/lemonldap-pages.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import type { Browser } from '../support/relying-party.ts'

const person = (uid: string): LemonldapPerson => ({ uid, password: `a kite of ${uid}`, name: uid, groups: [] })
/** One for each test, so that none sees what another has left. */
const PEOPLE = ['ann', 'bob', 'cas', 'dee', 'eve', 'fay', 'gus', 'hal', 'ida'].map(person)
const [ANN, BOB, CAS, DEE, EVE, FAY, GUS, HAL, IDA] = PEOPLE as [
  LemonldapPerson,
  LemonldapPerson,
  LemonldapPerson,
  LemonldapPerson,
  LemonldapPerson,
  LemonldapPerson,
  LemonldapPerson,
  LemonldapPerson,
  LemonldapPerson,
]
const clock = movableClock()
let gateway: Gateway
let provider: Lemonldap

/** Of our metadata a provider takes the first address for sign-outs: so each of these speaks another binding with us. */
const DIRECTORIES = { redirecting: 'HTTP-Redirect', posting: 'HTTP-POST', calling: 'SOAP', forms: 'HTTP-POST' } as const
type Id = keyof typeof DIRECTORIES
const IDS = Object.keys(DIRECTORIES) as Id[]

beforeAll(async () => {
  const port = await freePort()
  gateway = await startGateway({
    clock,
    policies: POLICIES,
    settings: {
      directories: [
        { id: 'local', kind: 'local' },
        ...IDS.map((id) => ({
          id,
          kind: 'saml',
          entity_id: `http://localhost:${port}/saml/metadata`,
          ...(id === 'forms'
            ? { metadata_file: 'forms.xml' }
            : { metadata_url: `http://localhost:${port}/saml/metadata` }),
          newcomers: 'create',
          attributes: { name: 'cn' },
        })),
      ],
    },
  })
  const serviceProviders = await Promise.all(
    IDS.map(async (id) => {
      const all = await (await fetch(`${gateway.issuer}/signin/back/${id}/metadata`)).text()
      const others = /<md:SingleLogoutService Binding="([^"]*)"[^>]*><\/md:SingleLogoutService>/g
      const metadata = all.replace(others, (one, binding: string) => (binding.endsWith(DIRECTORIES[id]) ? one : ''))
      return { metadata }
    }),
  )
  provider = await startLemonldap({ people: PEOPLE, port, serviceProviders })
  // a connection that is kept would be closed there in the middle of the first test
  const asked = await fetch(`${provider.issuer}/saml/metadata`, { headers: { connection: 'close' } })
  const metadata = await asked.text()
  const byAddress = /<SingleLogoutService\s[^>]*HTTP-Redirect[^>]*>/
  expect(metadata).toMatch(byAddress)
  writeFileSync(join(gateway.folder, 'forms.xml'), metadata.replace(byAddress, ''))
})
afterAll(async () => {
  await gateway?.close()
  await provider?.end()
})

async function signedIn(who: LemonldapPerson, id: Id, browser: Browser = browserOf()) {
  // here they are nobody yet, there they may be known
  for (const name of browser.jar.keys()) if (!name.startsWith('lemonldap')) browser.jar.delete(name)
  const asked = await browser.open(`${gateway.issuer}/signin?idp=${id}`)
  // whoever is signed in there already is not asked
  const known = formsOf(asked).some(({ fields }) => fields.has('SAMLResponse'))
  const back = await browser.submit(samlAnswer(known ? asked : await signInAtLemonldap(browser, asked, who)))
  expect(back.url.href).toBe(`${gateway.issuer}/`)
  return browser
}
async function sessionsOf({ uid }: LemonldapPerson, id: Id = 'redirecting'): Promise<number> {
  const { people, sessions } = gateway.server.house
  const [found] = await people.list({ directory: id, search: uid })
  return found ? (await sessions.ofPerson(found.id)).length : 0
}
/** Whether the provider asks for a password. */
const askedThere = async (browser: Browser): Promise<boolean> =>
  formsOf(await browser.open(`${provider.issuer}/`)).some(({ fields }) => fields.has('password'))
const causes = () => [...gateway.log().matchAll(/"detail":"directory \w+: saml ([\w-]+):/g)].map(([, cause]) => cause)

async function signOutHere(browser: Browser): Promise<Page> {
  const page = await browser.open(`${gateway.issuer}/signout`)
  return browser.submit(formsOf(page)[0] as Form, { answer: 'allow' })
}
/** Signs out there; the addresses that its page has loaded by the browser, one for each of its service providers. */
async function signOutThere(browser: Browser): Promise<string[]> {
  const page = await browser.open(`${provider.issuer}/?logout=1`)
  return [...page.text.matchAll(/<(?:iframe|img) src="(http[^"]*)"/g)].map(([, src]) => src!.replaceAll('&amp;', '&'))
}

describe('whoever signs out here', () => {
  test('is signed out there too, and comes back to the page that says so', async () => {
    const browser = await signedIn(ANN, 'redirecting')
    expect(await askedThere(browser)).toBe(false)
    const page = await signOutHere(browser)
    expect([page.url.origin, headingOf(page)]).toEqual([gateway.issuer, 'You are signed out'])
    expect(await sessionsOf(ANN)).toBe(0)
    expect(await askedThere(browser)).toBe(true)
    expect(causes()).toEqual([])
    expect(gateway.log()).not.toContain('upstream-logout-incomplete')
  })

  test('is signed out there too where the provider takes forms only', async () => {
    const browser = await signedIn(IDA, 'forms')
    expect(await askedThere(browser)).toBe(false)
    const page = await signOutHere(browser)
    const form = formsOf(page).find(({ fields }) => fields.has('SAMLRequest'))!
    expect([page.url.origin, form.action.origin]).toEqual([gateway.issuer, provider.issuer])
    expect(await sessionsOf(IDA, 'forms')).toBe(0)
    let back = await browser.submit(form)
    const answer = formsOf(back).find(({ fields }) => fields.has('SAMLResponse'))
    if (answer) back = await browser.submit(answer)
    expect([back.url.origin, headingOf(back)]).toEqual([gateway.issuer, 'You are signed out'])
    expect(await askedThere(browser)).toBe(true)
    expect(causes()).toEqual([])
  })

  test('is signed out in this browser only, there as here', async () => {
    const [first, second] = [await signedIn(BOB, 'redirecting'), await signedIn(BOB, 'redirecting')]
    await signOutHere(first)
    expect(await sessionsOf(BOB)).toBe(1)
    expect(await askedThere(first)).toBe(true)
    expect(await askedThere(second)).toBe(false)
    await signOutHere(second)
  })
})

describe('whoever signs out there', () => {
  test('is signed out here, by way of the browser, which brings the answer back', async () => {
    const browser = await signedIn(DEE, 'redirecting')
    const elsewhere = await signedIn(DEE, 'redirecting')
    await signedIn(EVE, 'redirecting')
    const [request, ...more] = await signOutThere(browser)
    expect(more).toEqual([])
    expect(request).toContain(`${gateway.issuer}/signin/back/redirecting/logout?SAMLRequest=`)
    expect(await sessionsOf(DEE)).toBe(2)
    // without any cookie of ours
    const answered = await browserOf().open(request!)
    // so it says that the answer was good
    expect([answered.url.origin, answered.url.pathname.split('/').at(-1)]).toEqual([provider.issuer, 'ok.png'])
    // the other browser has another session there, and Mira is somebody else
    expect(await sessionsOf(DEE)).toBe(1)
    expect(await sessionsOf(EVE)).toBe(1)
    const trail = await gateway.server.house.audit.search({ event: 'session-ended' })
    expect(trail[0]).toMatchObject({ reason: 'upstream-signed-out' })
    await signOutHere(elsewhere)
    expect(provider.log()).not.toMatch(/\[error\]/i)
  })

  test('is signed out once by a message, however often it comes', async () => {
    const browser = await signedIn(FAY, 'redirecting')
    const [request] = await signOutThere(browser)
    await browserOf().open(request!)
    await signedIn(FAY, 'redirecting', browser)
    const again = await browserOf().open(request!)
    expect(again.url.origin).toBe(provider.issuer)
    expect(await sessionsOf(FAY)).toBe(1)
    clock.at += 16 * 60_000
    const late = await browserOf().open(request!)
    expect([late.url.origin, late.status]).toEqual([gateway.issuer, 502])
    expect(await sessionsOf(FAY)).toBe(1)
    expect(causes().at(-1)).toBe('expired')
    clock.at -= 16 * 60_000
    await signOutHere(browser)
  })

  test('is signed out here by a form as well, and from server to server, each session where it began', async () => {
    const browser = await signedIn(GUS, 'posting')
    await signedIn(GUS, 'calling', browser)
    const left = async () => [await sessionsOf(GUS, 'posting'), await sessionsOf(GUS, 'calling')]
    expect(await left()).toEqual([1, 1])
    const frames = await signOutThere(browser)
    const frame = (path: string) => frames.find((one) => one.includes(path))!
    // this one has the provider call us; it ends with the sign of a call that was answered well
    const called = await browser.open(frame('/saml/relaySingleLogoutSOAP'))
    expect(called.url.pathname).toContain('/ok.png')
    expect(await left()).toEqual([1, 0])
    const form = formsOf(await browser.open(frame('/saml/relaySingleLogoutPOST')))[0]!
    expect(form.action.href).toBe(`${gateway.issuer}/signin/back/posting/logout`)
    // a form of another site brings no cookies
    const answered = await browserOf().submit(form)
    expect([answered.url.origin, answered.url.pathname.split('/').at(-1)]).toEqual([provider.issuer, 'ok.png'])
    expect(await left()).toEqual([0, 0])
  })
})

describe('a message about a sign-out that is not accepted', () => {
  test('ends nothing; the person is told what to do, with a reference, and the administrator why', async () => {
    const browser = await signedIn(HAL, 'redirecting')
    const [request] = await signOutThere(browser)
    const page = await browserOf().open(request!.replace(/&Signature=..../, '&Signature=AAAA'))
    expect([page.url.origin, page.status]).toEqual([gateway.issuer, 502])
    expect(page.text).toContain('Please sign out here as well.')
    const [reference] = /E-[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(page.text)!
    const line = gateway
      .log()
      .split('\n')
      .find((one) => one.includes('"upstream-refused"') && one.includes(reference))
    expect(line).toContain('saml signature-invalid:')
    expect(await sessionsOf(HAL)).toBe(1)
    await signOutHere(browser)
  })

  test('is a fault to a server', async () => {
    const answer = await fetch(`${gateway.issuer}/signin/back/calling/logout`, {
      method: 'POST',
      headers: { 'content-type': 'text/xml', soapaction: 'http://www.oasis-open.org/committees/security' },
      body: '<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><x/></Body></Envelope>',
    })
    expect([answer.status, answer.headers.get('content-type')]).toEqual([500, 'text/xml; charset=utf-8'])
    expect(await answer.text()).toContain('<faultcode>soap:Client</faultcode>')
  })
})

test('whoever signs out here while the provider is down is signed out here', async () => {
  const browser = await signedIn(CAS, 'redirecting')
  await provider.stop()
  const page = await signOutHere(browser)
  expect([page.url.origin, headingOf(page)]).toEqual([gateway.issuer, 'You are signed out'])
  expect(await sessionsOf(CAS)).toBe(0)
})
