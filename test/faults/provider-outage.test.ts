/**
 * A partner's provider cannot be reached for four hours, in either direction, while its people work: a real provider behind
 * a way that is cut, a gateway in a process of its own that is killed in between, and what everybody could do then and after.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Receipt } from '#access'
import { loadSettings } from '#config'
import { silentLog } from '#core/log'
import { decide, loadPolicies } from '#policy'
import type { Session } from '#sessions'
import { type Travel, travelTo } from '../../bench/fake-date.ts'
import { formOf, headingOf, type Page, passkeyOptions } from '../../demo/browser.ts'
import { openHouse } from '../../src/house.ts'
import { type Authenticator, createAuthenticator, type Knobs } from '../support/authenticator.ts'
import { type Clocked, startClocked } from '../support/clocked.ts'
import { anApp, browserOf, goThere, PARTNER, signInThere } from '../support/federation.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { atCallback, type Browser, CALLBACK } from '../support/relying-party.ts'
import { makePlace, type Place } from '../support/serve.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

const PEOPLE = 40
const MINUTE = 60_000
const STEP = 15 * MINUTE
const STEPS = 16
/** A provider that answers is looked at every ten seconds or so where something is declared. */
const FOUND_OUT = 25_000
/** At the middle of the outage the process is killed while people sign in. */
const KILLED_AT = 8
/** The provider switches people off behind the cut. */
const CHANGED_AT = 15

interface Somebody {
  readonly name: string
  readonly browser: Browser
  passkey: Authenticator
}

let time: Travel
let provider: Gateway
/** From us and from browsers to the provider, and from the provider to us. */
let way: TcpProxy
let back: TcpProxy
let place: Place
let server: Clocked
let house: Awaited<ReturnType<typeof openHouse>>
let began = 0
const people: Somebody[] = []
const somebody = (i: number) => people[i]!
const tally = {
  /** Sign-ins of people who were known before, into the low app; how many of them opened it. */
  asked: 0,
  opened: 0,
  /** Whatever should not have been. */
  high: [] as string[],
  strangers: [] as string[],
  newcomers: [] as string[],
  forged: [] as string[],
  /** What people read there. */
  headings: new Set<string>(),
}

const openApp = (browser: Browser, app: string): Promise<Page> =>
  browser.open(
    `${place.issuer}/oauth2/auth?${new URLSearchParams({
      client_id: app,
      response_type: 'code',
      scope: 'openid',
      redirect_uri: CALLBACK,
      state: 'x',
    })}`,
  )
const idOf = async (name: string) => (await house.people.find(`${name}@${PARTNER}`))!.id
const isDoubtful = ({ authenticated }: Session) => authenticated.some((one) => one.duringOutage)
const sessionsOf = async (name: string) => house.sessions.ofPerson(await idOf(name))

/** Everything goes but what says which device it is. */
function signOut({ jar }: Browser): void {
  for (const name of [...jar.keys()]) if (name !== 'portico-device') jar.delete(name)
}

/** Opens the app, and shows the passkey where it is asked who somebody is. */
async function signIn(browser: Browser, passkey: Authenticator, knobs: Knobs = {}, app = 'low'): Promise<Page> {
  const page = await openApp(browser, app)
  if (atCallback(page) || page.status >= 400) return page
  const credential = JSON.stringify(passkey.get(passkeyOptions(page), knobs))
  return browser.submit(formOf(page, 'identifier'), { credential })
}

/** Opens the app by way of the provider, whose page is shown where it asks. */
async function byProvider(browser: Browser, name: string, app = 'low'): Promise<Page> {
  const there = await goThere(browser, await openApp(browser, app))
  return atCallback(there) || there.status >= 400 ? there : signInThere(browser, there, name)
}

async function givePasskey(name: string): Promise<Authenticator> {
  const { hostname, origin } = new URL(place.issuer)
  const passkey = createAuthenticator({ rpId: hostname, origin })
  const about = { personId: await idOf(name), username: name, name, conversation: 'giving' }
  const options = await house.factors.beginEnrolment('passkey', about)
  await house.factors.finishEnrolment('passkey', passkey.create(options), about)
  return passkey
}

/** Both ends move on together; the provider sends what is due to us after each step. */
async function pass(ms: number, step = ms): Promise<void> {
  for (let passed = 0; passed < ms; passed += step) {
    await server.pass(Math.min(step, ms - passed))
    time.set(server.now())
  }
  await provider.server.tick()
}

async function each<T>(items: readonly T[], work: (item: T) => Promise<void>, atOnce = 12): Promise<void> {
  const rest = items[Symbol.iterator]()
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const item of rest) await work(item)
    }),
  )
}

/** One quarter of everybody comes back and signs in anew; the process may be killed meanwhile. */
async function shift(step: number, kill = false): Promise<void> {
  const coming = people.filter((_, i) => i > 1 && i % 4 === step % 4)
  let killed: Promise<void> | undefined
  await each(coming, async ({ name, browser, passkey }) => {
    tally.asked++
    signOut(browser)
    let page = await signIn(browser, passkey).catch(() => undefined)
    if (!page && killed) {
      await killed
      signOut(browser)
      page = await signIn(browser, passkey)
    }
    if (kill && !killed) killed = server.kill().then(() => server.start())
    if (page && atCallback(page)) tally.opened++
    const high = await openApp(browser, 'high').catch(() => undefined)
    if (high && atCallback(high)) tally.high.push(name)
    if (high) tally.headings.add(`${high.status} ${headingOf(high)}`)
  })
  await killed
}

/** What somebody with a passkey on a strange device, somebody new and somebody with another key get. */
async function tries(step: number): Promise<void> {
  const { browser, name, passkey } = somebody(4 + (step % 4))
  const stranger = browserOf()
  const page = await signIn(stranger, passkey)
  if (atCallback(page) || stranger.jar.has('portico-session') || page.status !== 503)
    tally.strangers.push(`${page.status} ${name}`)
  const newcomer = browserOf()
  const first = await goThere(newcomer, await openApp(newcomer, 'low'))
  if (atCallback(first) || newcomer.jar.has('portico-session') || first.status !== 503)
    tally.newcomers.push(`${first.status}`)
  const forger = browserOf()
  forger.jar.set('portico-device', browser.jar.get('portico-device')!)
  const forged = await signIn(forger, passkey, { key: somebody(3).passkey.credentials[0]!.key })
  if (atCallback(forged) || forger.jar.has('portico-session')) tally.forged.push(`${forged.status} ${name}`)
}

beforeAll(async () => {
  time = travelTo(Date.now())
  const names = Array.from({ length: PEOPLE }, (_, i) => `p${i}`)
  const { oidc, ...app } = { ...anApp('low'), first_party: true }
  const apps = [
    { ...app, id: 'low', tier: 'standard' },
    { ...app, id: 'high', name: 'App high', tier: 'critical' },
  ].map((one) => ({ ...one, oidc: { ...oidc, pkce: 'optional' } }))
  place = await makePlace({
    people: [{ username: 'here', name: 'Here', groups: ['staff'] }],
    apps: apps as never,
  })
  const port = await freePort()
  way = await startTcpProxy({ to: port })
  back = await startTcpProxy({ to: place.port })
  provider = await startGateway({
    clock: { now: () => time.now() },
    port,
    settings: { issuer: `http://${way.host}:${way.port}`, sessions: { idle: '12h' } },
    people: [...names, 'newcomer'].map((username) => ({ username, name: username, groups: ['visitors'] })),
    policies: { ...POLICIES, 'partner.yaml': 'policy: partner\nrules:\n  - { name: everybody, allow: {} }\n' },
    apps: [
      {
        id: 'portico',
        name: 'The gateway next door',
        policy: 'partner',
        audience: ['*'],
        oidc: {
          redirect_uris: [`${place.issuer}/signin/back/${PARTNER}`],
          backchannel_logout_uri: `http://${back.host}:${back.port}/signin/back/${PARTNER}/logout`,
          scopes: ['openid', 'profile', 'groups'],
        },
      },
    ] as never,
  })
  const config = place.settings('portico.yaml', {
    log: { level: 'silent' },
    outbound: { allow: ['127.0.0.0/8', '::1'] },
    directories: [
      { id: 'local', kind: 'local' },
      {
        id: PARTNER,
        kind: 'oidc',
        issuer: `http://${way.host}:${way.port}`,
        client_id: 'portico',
        client_secret: provider.secrets.get('portico'),
        scopes: ['openid', 'profile', 'groups'],
        groups: { map: { visitors: ['staff'] } },
        newcomers: 'create',
        timeout: '30s',
        degraded: { verified_within: '24h', devices: ['known', 'enrolled'], tiers: ['standard'], for: '6h' },
      },
    ],
  })
  server = await startClocked(config, time.now())
  const { settings, folder } = loadSettings(config, {})
  house = await openHouse({ settings: settings!, folder, clock: { now: () => server.now() }, log: silentLog })
  await each(names, async (name) => {
    const browser = browserOf()
    const page = await byProvider(browser, name)
    if (!atCallback(page)) throw new Error(`${name} stopped at ${page.url.pathname}: ${headingOf(page)}`)
    people.push({ name, browser, passkey: await givePasskey(name) })
  })
  people.sort((a, b) => Number(a.name.slice(1)) - Number(b.name.slice(1)))
  await server.pass(2000)
  began = server.now()

  way.cut()
  back.cut()
  // nobody goes there meanwhile: it is found out all the same
  await pass(FOUND_OUT, 500)
  for (let step = 0; step < STEPS; step++) {
    await pass(step === 0 ? STEP - FOUND_OUT : STEP)
    // two never sign in anew: their sessions are from before
    for (const { name, browser } of [somebody(0), somebody(1)]) {
      tally.asked++
      if (atCallback(await openApp(browser, 'low'))) tally.opened++
      if (atCallback(await openApp(browser, 'high'))) tally.high.push(`${name} ${step}`)
    }
    await shift(step, step === KILLED_AT)
    await tries(step)
    if (step === CHANGED_AT)
      for (const name of ['p1', 'p2', 'p3'])
        await provider.server.house.people.disable((await provider.server.house.people.find(name))!.id, 'cli')
  }
}, 600_000)

afterAll(async () => {
  await house?.close()
  await server?.stop()
  await provider?.close()
  await way?.close()
  await back?.close()
  await place?.remove()
  time?.end()
})

describe('in four hours without the provider', () => {
  test('people who were known signed in to low apps, at least 99 of 100', () => {
    expect(server.now() - began).toBe(4 * 60 * MINUTE)
    expect(tally.asked).toBeGreaterThan(170)
    expect(tally.opened / tally.asked).toBeGreaterThanOrEqual(0.99)
  })

  test('nobody opened a high app, in a session from before as little as in a new one, and everybody read why', () => {
    expect(tally.high).toEqual([])
    expect([...tally.headings]).toEqual(['403 App high stays closed for now'])
  })

  test('no unknown device, nobody new and no other key got in', () => {
    expect(tally).toMatchObject({ strangers: [], newcomers: [], forged: [] })
  })

  test('the receipt says by which rule, and since when', async () => {
    const page = await openApp(somebody(4).browser, 'high')
    const reference = /\/why\/([0-9A-Z-]+)/.exec(page.text)![1]!
    const receipt = (await house.receipts.find(reference)) as Receipt
    expect(receipt).toMatchObject({ outcome: 'deny', rule: 'directory-down' })
    const { since, until, verified, tiers } = receipt.facts!.user!.outage!
    expect([tiers, Number(until) - Number(since)]).toEqual([['standard'], 6 * 60 * MINUTE])
    expect(Number(verified)).toBeLessThan(Number(since))
  })

  test('people of our own notice nothing', async () => {
    for (const app of ['low', 'high']) {
      const browser = browserOf()
      const asked = await browser.submit(formOf(await openApp(browser, app), 'identifier'), { username: 'here' })
      const page = await browser.submit(formOf(asked, 'password'), { password: 'a lamp post in the rain' })
      expect(atCallback(page)).toBe(true)
    }
  })

  test('the kill in between made it neither another outage nor a longer one', async () => {
    const down = await house.audit.search({ event: 'directory-down' })
    expect(down).toHaveLength(1)
    expect(down[0]!.at - began).toBeLessThanOrEqual(FOUND_OUT)
  })

  test('whom the provider switched off meanwhile is known to nobody here yet', async () => {
    for (const name of ['p1', 'p2', 'p3']) expect((await sessionsOf(name)).length, name).toBeGreaterThan(0)
  })
})

describe('when the provider is back', () => {
  beforeAll(async () => {
    way.restore()
    back.restore()
    // it tells us again what it could not, a little later each time
    await pass(MINUTE, 500)
  }, 60_000)

  test('whoever it switched off is out as it says so, whether their session is from before or from meanwhile', async () => {
    const told = await provider.server.house.audit.search({ event: 'logout-delivered' })
    for (const i of [1, 2, 3]) {
      const { name, browser } = somebody(i)
      expect(await sessionsOf(name), name).toEqual([])
      const ended = await house.audit.search({ event: 'session-ended', subject: await idOf(name), limit: 1000 })
      const last = ended.filter(({ reason }) => reason === 'upstream-signed-out').map(({ at }) => at)
      expect(Math.max(...last) - Math.max(...told.map(({ at }) => at))).toBeLessThanOrEqual(1000)
      expect(atCallback(await openApp(browser, 'low'))).toBe(false)
      expect(atCallback(await byProvider(browserOf(), name))).toBe(false)
    }
  })

  test('whoever was signed in before is not asked at all', async () => {
    for (const app of ['low', 'high']) expect(atCallback(await openApp(somebody(0).browser, app))).toBe(true)
  })

  test('whoever came in meanwhile goes on in low apps, and for a high one the provider is asked, and not they', async () => {
    const { browser } = somebody(4)
    for (const app of ['low', 'high', 'low']) expect(atCallback(await openApp(browser, app)), app).toBe(true)
  })

  test('a newcomer comes in, and whoever has not been there in time is out', async () => {
    expect(atCallback(await byProvider(browserOf(), 'newcomer'))).toBe(true)
    expect((await sessionsOf('p5')).some(isDoubtful)).toBe(true)
    await pass(STEP, MINUTE)
    for (const { name } of people.slice(5)) expect((await sessionsOf(name)).some(isDoubtful), name).toBe(false)
    expect(atCallback(await openApp(somebody(4).browser, 'high'))).toBe(true)
    const trail = (await house.audit.search({ limit: 1000 })).filter(({ event }) => event.startsWith('directory-'))
    expect(trail.reverse().map(({ event, reason }) => [event, reason])).toEqual([
      ['directory-down', PARTNER],
      ['directory-up', PARTNER],
      ['directory-judged-again', PARTNER],
    ])
  })

  test('every receipt decides again as it did', async () => {
    const policies = loadPolicies(join(place.folder, 'policies')).policies!
    let [count, closed] = [0, 0]
    for await (const { receipts } of house.receipts.since(0))
      for (const { facts, outcome, rule } of receipts) {
        const again = decide(policies, facts!)
        expect([again.outcome, again.rule ?? undefined]).toEqual([outcome, rule])
        count++
        if (rule === 'directory-down') closed++
      }
    expect(count).toBeGreaterThan(400)
    expect(closed).toBeGreaterThan(150)
  })
})
