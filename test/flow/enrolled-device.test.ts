/** Tablets that an administrator has set up, from the code to the app and back out again. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { allVerbs, runCommand } from '#cli'
import { hours } from '#core/clock'
import { decide, loadPolicies } from '#policy'
import { createBrowser, formOf, headingOf, type Page } from '../../demo/browser.ts'
import { anApp, appAddress, type Browser, giveTotp, movableClock, PROXIED, stepOf } from '../abuse/people.ts'
import { type Gateway, type GatewayOptions, PASSWORD, startGateway } from '../support/gateway.ts'
import { atCallback, CALLBACK, typePassword } from '../support/relying-party.ts'
import { EMBEDDED_FILE } from '../support/storage.ts'
import { totpCode } from '../support/totp.ts'

const VERBS = await allVerbs()

const STORE = '192.0.2.17'
const HOME = '203.0.113.9'
const policies = {
  'networks.yaml': `networks:
  stores: { file: stores.csv }
`,
  'stores.csv': `cidr,site,latitude,longitude,country,zone
192.0.2.0/24,0001,52.09,5.12,NL,Europe/Amsterdam
198.18.0.0/24,0412,38.72,-9.14,PT,Europe/Lisbon
`,
  'account.yaml': 'policy: account\nrules:\n  - { name: whoever has signed in, allow: {} }\n',
  'tablet.yaml': `policy: tablet
rules:
  - name: shared tablet in a store
    when: { device.enrolled: true, device.kind: shared, network: [stores] }
    allow: { session: { max: 10h } }
  - name: nowhere else
    deny: { say: This app only opens on a store tablet., do: Use a store tablet. }
`,
  'site.yaml': `policy: site
rules:
  - { name: of this store, when: { device.site: '0412' }, allow: {} }
  - { name: of another, deny: {} }
`,
  'hours.yaml': `policy: hours
rules:
  - { name: the store is open, when: { time: { between: '08:00-18:00', zone: site } }, allow: {} }
  - { name: the store is closed, deny: {} }
`,
  'remembered.yaml': `policy: remembered
rules:
  - { name: staff, allow: { strength: two-factors, within: 12h, remember_device: 30d } }
`,
  'machine.yaml': `policy: machine
rules:
  - { name: not on a tablet, when: { device.enrolled: true }, deny: {} }
  - { name: a machine, when: { request.kind: api }, allow: {} }
`,
  'plain.yaml': 'policy: plain\nrules:\n  - { name: everybody, allow: {} }\n',
}
const refreshing = {
  oidc: {
    redirect_uris: [CALLBACK],
    scopes: ['openid'],
    pkce: 'optional' as const,
    grant_types: ['authorization_code' as const, 'refresh_token' as const],
  },
}

const clock = movableClock()
let gateway: Gateway
/** None of its rules asks what a browser is enrolled as. */
let unasking: Gateway
let people = 0

const usual: GatewayOptions = {
  policies,
  clock,
  settings: { ...PROXIED, sessions: { idle: '12h', max: '24h' } },
  apps: [
    anApp('tablet', 'tablet', { ...refreshing, launch_url: 'https://till.kestrel.example/' }),
    anApp('site', 'site'),
    anApp('hours', 'hours'),
    anApp('remembered', 'remembered'),
    anApp('plain', 'plain'),
    anApp('stays', 'plain', { oidc: { ...refreshing.oidc, scopes: ['openid', 'offline_access'] } }),
    anApp('robot', 'machine', {
      audience: [],
      oidc: { redirect_uris: [], grant_types: ['client_credentials'], scopes: ['orders:read'] },
    }),
  ],
}
beforeAll(async () => {
  gateway = await startGateway(usual)
  const { 'account.yaml': account, 'plain.yaml': plain } = policies
  unasking = await startGateway({
    policies: { 'networks.yaml': 'networks: {}\n', 'account.yaml': account, 'plain.yaml': plain },
    clock,
    settings: PROXIED,
    apps: [anApp('plain', 'plain')],
  })
})
afterAll(() => Promise.all([gateway.close(), unasking.close()]))

const house = () => gateway.server.house
async function hire(): Promise<{ id: string; username: string }> {
  const username = `person${++people}`
  const person = { username, name: username, groups: ['staff'], password: PASSWORD }
  return { username, id: (await house().people.add(person, 'test')).id }
}

/** A browser that can be carried to another place. */
function tabletAt(address: string): Browser & { carryTo(address: string): void } {
  const headers = { 'x-forwarded-for': address }
  const carryTo = (next: string) => {
    headers['x-forwarded-for'] = next
  }
  return { ...createBrowser({ stopAt: CALLBACK, headers }), carryTo }
}

const ask = (browser: Browser, app: string) => browser.open(appAddress(gateway, app))
const enrolledIn = (browser: Browser) => house().devices.enrolled.find(browser.jar.get('portico-enrolled'))

/** Sets the browser up as an administrator and somebody in the store do it together, and answers the page at the end. */
async function setUp(browser: Browser, about: object = {}): Promise<Page> {
  const { code } = await house().devices.enrolment.begin(
    { kind: 'shared', site: '0001', name: 'Till 1', ...about },
    'cli',
  )
  const page = await browser.open(`${gateway.issuer}/device`)
  return browser.submit(formOf(page, 'enrol-device'), { code: code.toLowerCase() })
}

async function signIn(browser: Browser, app: string, username: string): Promise<Page> {
  const page = await ask(browser, app)
  return stepOf(page) === 'identifier' ? typePassword(browser, page, username) : page
}

interface Tokens {
  readonly status: number
  readonly access_token?: string
  readonly refresh_token?: string
  readonly error?: string
}

async function token(app: string, fields: Record<string, string>): Promise<Tokens> {
  const response = await fetch(`${gateway.issuer}/oauth2/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${app}:${gateway.secrets.get(app)}`)}` },
    body: new URLSearchParams(fields),
  })
  return { status: response.status, ...((await response.json()) as object) }
}
const refresh = (app: string, { refresh_token = '' }: Tokens) =>
  token(app, { grant_type: 'refresh_token', refresh_token })

/** What the app gets for somebody who is signed in. */
async function tokensOf(browser: Browser, app: string, more: Record<string, string> = {}): Promise<Tokens> {
  let page = await browser.open(appAddress(gateway, app, more))
  if (stepOf(page) === 'consent') page = await browser.submit(formOf(page, 'consent'), { answer: 'allow' })
  const code = page.url.searchParams.get('code') ?? ''
  return token(app, { grant_type: 'authorization_code', code, redirect_uri: CALLBACK })
}

const userinfo = async ({ access_token }: Tokens) =>
  (await fetch(`${gateway.issuer}/oauth2/userinfo`, { headers: { authorization: `Bearer ${access_token}` } })).status

const newestReceipt = async (person: string) => (await house().receipts.ofPerson(person, 1))[0]!

describe('a shared tablet in a store', () => {
  test('opens the app; another browser there, and the tablet elsewhere, do not', async () => {
    const { username, id } = await hire()
    const other = tabletAt(STORE)
    expect((await ask(other, 'tablet')).status).toBe(403)
    await signIn(other, 'plain', username)
    const refused = await ask(other, 'tablet')
    expect([refused.status, refused.text]).toEqual([403, expect.stringContaining('only opens on a store tablet')])
    expect((await newestReceipt(id)).facts!.device).toMatchObject({ enrolled: false, kind: 'personal', site: null })

    const tablet = tabletAt(STORE)
    const page = await setUp(tablet)
    expect([page.status, page.url.pathname, headingOf(page)]).toEqual([200, '/device', 'This device is set up'])
    expect(page.text).toContain('Till 1')
    expect(atCallback(await signIn(tablet, 'tablet', username))).toBe(true)
    const device = (await enrolledIn(tablet))!
    expect((await newestReceipt(id)).facts!.device).toMatchObject({
      id: device.id,
      enrolled: true,
      kind: 'shared',
      site: '0001',
    })
    tablet.carryTo(HOME)
    expect((await ask(tablet, 'tablet')).status).toBe(403)
  })

  test('opens without being asked anything again, and writes no more than elsewhere', async () => {
    const asked = gateway
    // its commits are counted by its log
    gateway = await startGateway({ ...usual, storage: EMBEDDED_FILE })
    onTestFinished(async () => {
      await gateway.close()
      gateway = asked
    })
    const { username } = await hire()
    const [tablet, other] = [tabletAt(STORE), tabletAt(STORE)]
    await setUp(tablet)
    await signIn(tablet, 'plain', username)
    await signIn(other, 'plain', username)
    for (const browser of [tablet, other]) for (let n = 0; n < 2; n++) await ask(browser, 'plain')
    const commits = async (browser: Browser) => {
      const before = commitsIn(gateway)
      for (let n = 0; n < 5; n++) expect(atCallback(await ask(browser, 'plain'))).toBe(true)
      return commitsIn(gateway) - before
    }
    const elsewhere = await commits(other)
    expect(elsewhere).toBeGreaterThan(0)
    expect(await commits(tablet)).toBe(elsewhere)
  })

  test('is shut out once it is revoked: whoever was signed in on it is out, with all tokens, and nowhere else', async () => {
    const [victim, other] = [await hire(), await hire()]
    const [tablet, laptop] = [tabletAt(STORE), tabletAt(STORE)]
    await setUp(tablet)
    await signIn(tablet, 'plain', other.username)
    // two people use it one after the other, and one of them is signed in elsewhere as well
    const before = tablet.jar.get('portico-session')!
    tablet.jar.delete('portico-session')
    await signIn(tablet, 'tablet', victim.username)
    await signIn(laptop, 'plain', victim.username)
    const [own, offline, elsewhere] = [
      await tokensOf(tablet, 'tablet'),
      await tokensOf(tablet, 'stays', { scope: 'openid offline_access', prompt: 'consent' }),
      await tokensOf(laptop, 'stays', { scope: 'openid offline_access', prompt: 'consent' }),
    ]
    expect([own, offline, elsewhere].map(({ status }) => status)).toEqual([200, 200, 200])
    expect([await userinfo(own), await userinfo(offline)]).toEqual([200, 200])
    // whoever has it takes its cookie out of the browser, and looks like somebody at home
    const { id } = (await enrolledIn(tablet))!
    tablet.jar.delete('portico-enrolled')
    expect(atCallback(await ask(tablet, 'plain'))).toBe(true)
    await house().devices.enrolled.revoke(id, 'cli')

    expect([await userinfo(own), await userinfo(offline), await userinfo(elsewhere)]).toEqual([401, 401, 200])
    expect([await refresh('tablet', own), await refresh('stays', offline)]).toMatchObject([
      { status: 400, error: 'invalid_grant' },
      { status: 400, error: 'invalid_grant' },
    ])
    expect(stepOf(await ask(tablet, 'plain'))).toBe('identifier')
    tablet.jar.set('portico-session', before)
    expect(stepOf(await ask(tablet, 'plain'))).toBe('identifier')
    expect(headingOf(await tablet.open(`${gateway.issuer}/device`))).toBe('Set up this device')

    expect(atCallback(await ask(laptop, 'plain'))).toBe(true)
    expect((await refresh('stays', elsewhere)).status).toBe(200)
    const ended = await house().audit.search({ event: 'session-ended' })
    const revoked = ended.filter(({ reason }) => reason === 'device-revoked')
    expect(revoked.map(({ actor, subject }) => [actor, subject]).sort()).toEqual(
      [victim, other].map((one) => ['cli', one.id]).sort(),
    )
  })

  test('is shut out the same where no rule asked for it, and whoever was signed in before it was set up', async () => {
    const [first, second] = [await hire(), await hire()]
    const { devices, sessions } = unasking.server.house
    const browsers = [tabletAt(STORE), tabletAt(STORE)]
    const open = (browser: Browser) => browser.open(appAddress(unasking, 'plain'))
    for (const [n, { username }] of [first, second].entries())
      await unasking.server.house.people.add({ username, name: 'x', groups: ['staff'], password: PASSWORD }, `${n}`)
    const enrol = async (browser: Browser) => {
      const { code } = await devices.enrolment.begin({ kind: 'shared', name: 'x' }, 'cli')
      await browser.submit(formOf(await browser.open(`${unasking.issuer}/device`), 'enrol-device'), { code })
      return (await devices.enrolled.find(browser.jar.get('portico-enrolled')))!.id
    }
    const [early, late] = [browsers[0]!, browsers[1]!]
    const ids = [await enrol(early)]
    expect(atCallback(await typePassword(early, await open(early), first.username))).toBe(true)
    expect(atCallback(await typePassword(late, await open(late), second.username))).toBe(true)
    ids.push(await enrol(late))
    for (const browser of browsers) expect(atCallback(await open(browser))).toBe(true)
    for (const [n, id] of ids.entries()) {
      await devices.enrolled.revoke(id, 'cli')
      expect(stepOf(await open(browsers[n]!))).toBe('identifier')
    }
    for await (const session of sessions.all()) expect(session).toBeUndefined()
  })

  test('is known to whoever signed in on it, and to nobody else', async () => {
    const [first, second] = [await hire(), await hire()]
    const tablet = tabletAt(STORE)
    await setUp(tablet)
    await signIn(tablet, 'tablet', first.username)
    await tablet.open(`${gateway.issuer}/account`)
    expect((await newestReceipt(first.id)).facts!.device).toMatchObject({ enrolled: true, known: true })
    const page = await ask(tablet, 'tablet')
    expect(atCallback(page)).toBe(true)
    const isKnown = async ({ id }: { id: string }) =>
      (await house().devices.find(tablet.jar.get('portico-device'), id)) !== undefined
    expect([await isKnown(first), await isKnown(second)]).toEqual([true, false])
    tablet.jar.delete('portico-session')
    await signIn(tablet, 'tablet', second.username)
    expect([await isKnown(first), await isKnown(second)]).toEqual([true, true])
  })

  test('is never one that is spared the second factor; a personal one is', async () => {
    const offered: Record<string, boolean> = {}
    for (const kind of ['shared', 'personal']) {
      const { username, id } = await hire()
      const secret = await giveTotp(gateway, id, clock.at)
      clock.at += 60_000
      const browser = tabletAt(STORE)
      await setUp(browser, { kind })
      const page = await signIn(browser, 'remembered', username)
      offered[kind] = page.text.includes('name="remember"')
      await browser.submit(formOf(page, 'totp'), { code: totpCode(secret, clock.at), remember: 'yes' })
      const device = await house().devices.find(browser.jar.get('portico-device'), id)
      expect([kind, device?.trustedSince !== undefined]).toEqual([kind, kind === 'personal'])
    }
    expect(offered).toEqual({ shared: false, personal: true })
  })

  test('has its cookie given anew and is seen when somebody signs in, so that it lives as long as it is used', async () => {
    const { username, id } = await hire()
    const tablet = tabletAt(STORE)
    await setUp(tablet)
    const value = tablet.jar.get('portico-enrolled')!
    clock.at += hours(2)
    const page = await ask(tablet, 'tablet')
    const asked = await tablet.submit(formOf(page, 'identifier'), { username })
    const form = formOf(asked, 'password')
    const answer = await fetch(form.action, {
      method: 'POST',
      redirect: 'manual',
      headers: {
        cookie: [...tablet.jar].map(([name, one]) => `${name}=${one}`).join('; '),
        'x-forwarded-for': STORE,
      },
      body: new URLSearchParams(
        [...form.fields, ['password', PASSWORD]].filter(([name, one]) => name !== 'password' || one),
      ),
    })
    const set = answer.headers.getSetCookie().find((line) => line.startsWith('portico-enrolled='))
    expect(set).toBe(`portico-enrolled=${value}; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax`)
    const device = (await enrolledIn(tablet))!
    expect(device.lastSeenAt).toBe(clock.at)
    // noted when the session begins, so that the next request need not
    expect((await house().sessions.ofPerson(id))[0]).toMatchObject({ enrolledId: device.id })
  })
})

test('the start page has what opens on the tablet there and nowhere else, and looking at it keeps its place', async () => {
  const { username, id } = await hire()
  const [tablet, other] = [tabletAt(STORE), tabletAt(STORE)]
  await setUp(tablet)
  for (const browser of [tablet, other]) {
    await signIn(browser, 'plain', username)
    const { text } = await browser.open(gateway.issuer)
    expect(text.includes('https://till.kestrel.example/')).toBe(browser === tablet)
  }
  await tablet.open(`${gateway.issuer}/account`)
  const { id: device } = (await enrolledIn(tablet))!
  const seen = (await house().sessions.ofPerson(id)).map(({ enrolledId }) => enrolledId)
  expect(seen.toSorted()).toEqual([device, null].toSorted())
})

test('the site of the tablet decides, and its clock where the address is in no site', async () => {
  const { username, id } = await hire()
  const clockOn = async (browser: Browser) => {
    await ask(browser, 'hours')
    const { policies: live } = loadPolicies(join(gateway.folder, 'policies'))
    const [looked] = decide(live!, (await newestReceipt(id)).facts!).trace
    return looked!.conditions[0]!.seen
  }
  const wallClock = (timeZone: string) => {
    const parts = { timeZone, weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const
    return new Intl.DateTimeFormat('en-GB', parts).format(clock.at).replace(',', '').toLowerCase()
  }
  for (const [site, opens, zone] of [
    ['0412', true, 'Europe/Lisbon'],
    ['0001', false, 'Europe/Amsterdam'],
    [undefined, false, undefined],
  ] as const) {
    const tablet = tabletAt(HOME)
    await setUp(tablet, { site })
    await signIn(tablet, 'plain', username)
    expect([site, atCallback(await ask(tablet, 'site'))]).toEqual([site, opens])
    expect(await clockOn(tablet)).toEqual(zone ? wallClock(zone) : 'unknown')
    tablet.carryTo(STORE)
    expect(await clockOn(tablet)).toEqual(wallClock('Europe/Amsterdam'))
  }
})

test('a refresh is judged by the tablet that the person was seen on last, and by whether it still is one', async () => {
  const { username, id } = await hire()
  const tablet = tabletAt(STORE)
  await setUp(tablet)
  await signIn(tablet, 'tablet', username)
  const second = await refresh('tablet', await tokensOf(tablet, 'tablet'))
  expect(second.status).toBe(200)
  const device = (await enrolledIn(tablet))!
  expect((await house().sessions.ofPerson(id))[0]).toMatchObject({ enrolledId: device.id })
  // another browser with a copy of the cookie was set up anew, so the device is gone, and nobody was signed out
  const { enrolled } = house().devices
  await enrolled.add({ kind: 'shared', name: 'x', enrolledBy: 'cli' }, tablet.jar.get('portico-enrolled'))
  expect(await refresh('tablet', second)).toMatchObject({ status: 400, error: 'invalid_grant' })
  await setUp(tablet)
  await ask(tablet, 'tablet')
  const third = await refresh('tablet', second)
  expect(third.status).toBe(200)
  // the cookie of a session alone, in another browser, is no tablet either
  const thief = tabletAt(STORE)
  thief.jar.set('portico-session', tablet.jar.get('portico-session')!)
  expect((await ask(thief, 'tablet')).status).toBe(403)
  expect((await house().sessions.ofPerson(id))[0]).toMatchObject({ enrolledId: null })
  expect(await refresh('tablet', third)).toMatchObject({ status: 400, error: 'invalid_grant' })
})

test('a second factor is added on the way only where the rules for accounts let this device', async () => {
  const own = await startGateway({
    policies: {
      'networks.yaml': 'networks: {}\n',
      'account.yaml': `policy: account
rules:
  - { name: looking, when: { request.kind: app }, allow: {} }
  - { name: changes, when: { device.enrolled: true }, allow: {} }
  - { name: nowhere else, deny: {} }
`,
      'risky.yaml': 'policy: risky\nrules:\n  - { name: two, allow: { strength: two-factors } }\n',
    },
    clock,
    settings: PROXIED,
    apps: [anApp('risky', 'risky')],
  })
  try {
    const { devices, people: directory } = own.server.house
    await directory.add({ username: 'sam', name: 'Sam', groups: [], password: PASSWORD }, 'test')
    const [tablet, other] = [tabletAt(STORE), tabletAt(STORE)]
    const { code } = await devices.enrolment.begin({ kind: 'shared', name: 'x' }, 'cli')
    await tablet.submit(formOf(await tablet.open(`${own.issuer}/device`), 'enrol-device'), { code })
    const reached = async (browser: Browser) => {
      const page = await typePassword(browser, await browser.open(appAddress(own, 'risky')), 'sam')
      return [page.status, stepOf(page)]
    }
    expect(await reached(other)).toEqual([403, undefined])
    expect(await reached(tablet)).toEqual([200, 'enrol-choice'])
  } finally {
    await own.close()
  }
})

test('`policy explain --device` knows an enrolled device by its id and by its name', async () => {
  const { username } = await hire()
  const tablet = tabletAt(STORE)
  await setUp(tablet, { name: 'Counter 7' })
  await setUp(tabletAt(STORE), { name: 'Twin' })
  await setUp(tabletAt(STORE), { name: 'Twin' })
  const explain = async (device: string) => {
    const lines: string[] = []
    const errors: string[] = []
    const words = ['policy', 'explain', '--user', username, '--app', 'tablet', '--ip', STORE, '--device', device]
    const code = await runCommand({
      words: [...words, '--json', '--config', join(gateway.folder, 'portico.yaml')],
      verbs: VERBS,
      openHouse: async () => ({ ...house(), close: async () => undefined }),
      out: (line) => lines.push(line),
      err: (line) => errors.push(line),
      clock,
    })
    return code === 0 ? (JSON.parse(lines[0]!) as { rule: string }).rule : errors[0]
  }
  expect(await explain('Counter 7')).toBe('shared tablet in a store')
  expect(await explain((await enrolledIn(tablet))!.id)).toBe('shared tablet in a store')
  expect(await explain('Counter 8')).toBe('nowhere else')
  expect(await explain('Twin')).toContain('several enrolled devices are called `Twin`')
})

test('a machine is on no device, which is known', async () => {
  const response = await fetch(`${gateway.issuer}/oauth2/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`robot:${gateway.secrets.get('robot')}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'orders:read' }),
  })
  expect(response.status).toBe(200)
  for await (const { receipts } of house().receipts.since(0)) {
    const robots = receipts.filter(({ app }) => app === 'robot')
    for (const { facts } of robots) expect(facts!.device).toMatchObject({ enrolled: false, kind: 'personal' })
    expect(robots).toHaveLength(1)
  }
})

test('every receipt of all this is decided the same again', async () => {
  const { policies: live } = loadPolicies(join(gateway.folder, 'policies'))
  let count = 0
  for await (const { receipts, unreadable } of house().receipts.since(0)) {
    expect(unreadable).toBe(0)
    for (const { facts, outcome, rule, policies: version } of receipts) {
      expect(version).toBe(live!.version)
      const again = decide(live!, facts!)
      expect([again.outcome, again.rule]).toEqual([outcome, rule])
      count++
    }
  }
  expect(count).toBeGreaterThan(30)
})

/** Commits so far, as the write-ahead log tells them: the frame that ends one says how large the database then is. */
function commitsIn({ folder }: Gateway): number {
  const log = readFileSync(join(folder, 'portico.db-wal'))
  const pageSize = log.readUInt32BE(8)
  const salt = log.readBigUInt64BE(16)
  let commits = 0
  for (let at = 32; at + 24 + pageSize <= log.length; at += 24 + pageSize)
    if (log.readBigUInt64BE(at + 8) === salt && log.readUInt32BE(at + 4) !== 0) commits++
  return commits
}
