/** Tablets that an administrator has set up, from the code to the app and back out again. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCommand, VERBS } from '#cli'
import { hours } from '#core/clock'
import { decide, loadPolicies } from '#policy'
import { createBrowser, formOf, headingOf, type Page } from '../../demo/browser.ts'
import { anApp, appAddress, type Browser, giveTotp, movableClock, PROXIED, stepOf } from '../abuse/people.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { atCallback, CALLBACK, typePassword } from '../support/relying-party.ts'
import { totpCode } from '../support/totp.ts'

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
let people = 0

beforeAll(async () => {
  gateway = await startGateway({
    policies,
    clock,
    settings: { ...PROXIED, sessions: { idle: '12h', max: '24h' } },
    apps: [
      anApp('tablet', 'tablet', { ...refreshing, launch_url: 'https://till.kestrel.example/' }),
      anApp('site', 'site'),
      anApp('hours', 'hours'),
      anApp('remembered', 'remembered'),
      anApp('plain', 'plain'),
      anApp('robot', 'machine', {
        audience: [],
        oidc: { redirect_uris: [], grant_types: ['client_credentials'], scopes: ['orders:read'] },
      }),
    ],
  })
})
afterAll(() => gateway.close())

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

  test('is shut out by the next question once it is revoked, whoever is signed in on it', async () => {
    const { username } = await hire()
    const tablet = tabletAt(STORE)
    await setUp(tablet)
    await signIn(tablet, 'tablet', username)
    expect(atCallback(await ask(tablet, 'tablet'))).toBe(true)
    await house().devices.enrolled.revoke((await enrolledIn(tablet))!.id, 'cli')
    expect((await ask(tablet, 'tablet')).status).toBe(403)
    // the session lives, and opens what is open to every browser
    expect(atCallback(await ask(tablet, 'plain'))).toBe(true)
    expect(headingOf(await tablet.open(`${gateway.issuer}/device`))).toBe('Set up this device')
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
  const page = await signIn(tablet, 'tablet', username)
  const token = async (fields: Record<string, string>) => {
    const response = await fetch(`${gateway.issuer}/oauth2/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`tablet:${gateway.secrets.get('tablet')}`)}` },
      body: new URLSearchParams(fields),
    })
    return { status: response.status, ...((await response.json()) as { refresh_token?: string; error?: string }) }
  }
  const refresh = (one: { refresh_token?: string }) =>
    token({ grant_type: 'refresh_token', refresh_token: one.refresh_token! })
  const code = page.url.searchParams.get('code')!
  const first = await token({ grant_type: 'authorization_code', code, redirect_uri: CALLBACK })
  const second = await refresh(first)
  expect(second.status).toBe(200)
  const device = (await enrolledIn(tablet))!
  expect((await house().sessions.ofPerson(id))[0]).toMatchObject({ enrolledId: device.id })
  await house().devices.enrolled.revoke(device.id, 'cli')
  expect(await refresh(second)).toMatchObject({ status: 400, error: 'invalid_grant' })
  // the cookie of a session alone, in another browser, is no tablet either
  await setUp(tablet)
  await ask(tablet, 'tablet')
  const third = await refresh(second)
  expect(third.status).toBe(200)
  const thief = tabletAt(STORE)
  thief.jar.set('portico-session', tablet.jar.get('portico-session')!)
  expect((await ask(thief, 'tablet')).status).toBe(403)
  expect((await house().sessions.ofPerson(id))[0]).toMatchObject({ enrolledId: null })
  expect(await refresh(third)).toMatchObject({ status: 400, error: 'invalid_grant' })
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
