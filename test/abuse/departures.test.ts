/** Strangers who set out to a provider again and again: each costs it a request of ours (RFC 9126). */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createBrowser, formOf, headingOf } from '../../demo/browser.ts'
import { DEPARTURE_LIMIT } from '../../src/signin/departures.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { type HostileProvider, startHostileProvider } from '../support/hostile-provider.ts'
import { POLICIES } from '../support/policies.ts'
import { cookiesOf, movableClock, newAddress, PROXIED } from './people.ts'

const clock = movableClock()
const CLIENT = 'portico'
const { tries, within } = DEPARTURE_LIMIT
let provider: HostileProvider
let gateway: Gateway

beforeAll(async () => {
  provider = await startHostileProvider()
  const one = (id: string) => ({
    ...{ id, kind: 'oidc', issuer: provider.issuer, userinfo: false, newcomers: 'create' },
    ...{ client_id: CLIENT, client_secret: 'a secret that both of us know well' },
  })
  gateway = await startGateway({
    clock,
    policies: POLICIES,
    people: [{ username: 'sam', name: 'Sam' }],
    settings: { ...PROXIED, directories: [{ id: 'local', kind: 'local' }, one('partner'), one('twin')] },
  })
  const discovery = '/.well-known/openid-configuration'
  const standing = (await (await fetch(`${provider.issuer}${discovery}`)).json()) as object
  provider.answers[discovery] = { ...standing, pushed_authorization_request_endpoint: `${provider.issuer}/pushed` }
  provider.answers['/pushed'] = { request_uri: 'urn:x', expires_in: 60 }
})
afterAll(async () => {
  await gateway?.close()
  await provider?.end()
})
beforeEach(() => {
  clock.at = (Math.floor(clock.at / within) + 1) * within
})

const browserAt = (address: string) =>
  createBrowser({ stopAt: `${provider.issuer}/authorize`, headers: { 'x-forwarded-for': address } })
const isAway = ({ url }: { url: URL }) => url.origin === provider.issuer
const go = (browser: ReturnType<typeof browserAt>, directory = 'partner') =>
  browser.open(`${gateway.issuer}/signin?idp=${directory}`)

/** Sets out so many times from one address, all at once, without a way back; answers how many went. */
async function setOut(address: string, times: number): Promise<number> {
  const browser = browserAt(address)
  const page = await browser.open(`${gateway.issuer}/signin`)
  const headers = { cookie: cookiesOf(browser), 'x-forwarded-for': address }
  const away = `${page.url.href}${page.url.search ? '&' : '?'}away=partner`
  let went = 0
  for (let left = times; left > 0; left -= 50) {
    const some = Array.from({ length: Math.min(left, 50) }, () => fetch(away, { redirect: 'manual', headers }))
    for (const answer of await Promise.all(some))
      if (answer.headers.get('location')?.startsWith(`${provider.issuer}/authorize`)) went++
  }
  return went
}

test('more than a whole store are told to wait, on the page where they can sign in here, and cost the provider nothing', async () => {
  const address = newAddress()
  const pushed = () => provider.formsAt('/pushed').length
  const before = pushed()
  expect(await setOut(address, tries + 60)).toBe(tries)
  expect(pushed() - before).toBe(tries)

  const browser = browserAt(address)
  const page = await go(browser)
  expect([page.status, page.url.origin, headingOf(page)]).toEqual([429, gateway.issuer, 'Sign in'])
  expect(page.text).toContain('Please wait a moment.')
  const asked = await browser.submit(formOf(page, 'identifier'), { username: 'sam' })
  const done = await browser.submit(formOf(asked, 'password'), { password: PASSWORD })
  expect(done.status).toBe(200)
  expect(pushed() - before).toBe(tries)
  // whoever looks at the page again is not sent round
  expect((await browserAt(address).open(page.url.href)).status).toBeLessThan(500)

  const trail = await gateway.server.house.audit.search({ event: 'provider-throttled' })
  expect(trail.map(({ reason }) => reason)).toEqual(['partner'])
  // nobody else is kept: of another address, or to another provider
  expect(isAway(await go(browserAt(newAddress())))).toBe(true)
  expect(isAway(await go(browserAt(address), 'twin'))).toBe(true)
  clock.at += within
  expect(isAway(await go(browserAt(address)))).toBe(true)
})

test('addresses of one network of IPv6 count as one', async () => {
  expect(await setOut('2001:db8:1:2::1', tries)).toBe(tries)
  expect((await go(browserAt('2001:db8:1:2:ffff::7'))).status).toBe(429)
  expect(isAway(await go(browserAt('2001:db8:1:3::1')))).toBe(true)
})

/** Goes there and comes back with an answer that is accepted. */
async function comeBack(address: string, sub: string) {
  const browser = browserAt(address)
  await go(browser)
  const form = provider.formsAt('/pushed').at(-1)!
  const now = Math.floor(clock.now() / 1000)
  const claims = { iss: provider.issuer, aud: CLIENT, sub, nonce: form.get('nonce'), iat: now, exp: now + 300 }
  provider.answers['/token'] = { access_token: 'x', token_type: 'Bearer', id_token: await provider.sign(claims) }
  const state = form.get('state')
  const page = await browser.open(`${gateway.issuer}/signin/back/partner?code=c&state=${state}`)
  expect([sub, page.status]).toEqual([sub, 200])
  return browser
}

test('who comes back is not counted, and a browser that is known here never is', async () => {
  const address = newAddress()
  let browser = await comeBack(address, 'first')
  for (const sub of ['second', 'third']) browser = await comeBack(address, sub)
  expect(await setOut(address, tries)).toBe(tries)
  expect((await go(browserAt(address))).status).toBe(429)

  browser.jar.delete('portico-session')
  expect(browser.jar.has('portico-device')).toBe(true)
  expect(isAway(await go(browser))).toBe(true)
})

test('nor is a device of the organisation', async () => {
  const address = newAddress()
  const tablet = browserAt(address)
  const { code } = await gateway.server.house.devices.enrolment.begin({ kind: 'shared', name: 'Counter 3' }, 'cli')
  await tablet.submit(formOf(await tablet.open(`${gateway.issuer}/device`), 'enrol-device'), { code })
  await setOut(address, tries)
  expect((await go(browserAt(address))).status).toBe(429)
  expect(isAway(await go(tablet))).toBe(true)
})
