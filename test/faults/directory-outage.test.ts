/**
 * A directory cannot be reached for four hours while people work: a real LDAP server behind a way that is cut, a gateway in
 * a process of its own that is killed in between, and what everybody could do then and after.
 */
import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Receipt } from '#access'
import { loadSettings } from '#config'
import { silentLog } from '#core/log'
import { decide, loadPolicies } from '#policy'
import { createBrowser, formOf, headingOf, type Page } from '../../demo/browser.ts'
import { openHouse } from '../../src/house.ts'
import { type Clocked, startClocked } from '../support/clocked.ts'
import { CALLBACK } from '../support/relying-party.ts'
import { makePlace, type Place, portico } from '../support/serve.ts'
import { type Slapd, startSlapd } from '../support/slapd.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

const PEOPLE = 48
const PASSWORD = 'correct horse'
const MINUTE = 60_000
const STEP = 15 * MINUTE
const STEPS = 16
/** A directory that answers is looked at every ten seconds or so, one that did not about once a second. */
const FOUND_OUT = 20_000
/** At the middle of the outage the process is killed while people sign in. */
const KILLED_AT = 8
/** The directory changes behind the cut. */
const CHANGED_AT = 12

type Browser = ReturnType<typeof createBrowser>
interface Somebody {
  readonly name: string
  readonly browser: Browser
  /** Refresh tokens of apps that need no session. */
  tokens: { low: string; high: string }
}

let slapd: Slapd
let way: TcpProxy
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
  wrong: [] as string[],
  /** What people read there. */
  headings: new Set<string>(),
}

const verifier = randomBytes(32).toString('base64url')
const authorize = (app: string): string =>
  `${place.issuer}/oauth2/auth?${new URLSearchParams({
    client_id: app,
    response_type: 'code',
    scope: 'openid offline_access',
    redirect_uri: CALLBACK,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    state: 'x',
  })}`
const codeOf = (page: Page) => (page.url.href.startsWith(CALLBACK) ? page.url.searchParams.get('code') : null)
const newBrowser = () => createBrowser({ stopAt: CALLBACK })

/** Opens the app, and types what is asked for. */
async function signIn(browser: Browser, name: string, password = PASSWORD, app = 'low'): Promise<Page> {
  const page = await browser.open(authorize(app))
  if (page.url.href.startsWith(CALLBACK) || page.status >= 400) return page
  const asked = await browser.submit(formOf(page, 'identifier'), { username: name })
  return browser.submit(formOf(asked, 'password'), { password })
}

/** The same for an app that wants to stay (`offline_access`), which is asked for each time; then what it got. */
async function agree({ browser, name }: Somebody, app: string) {
  let page = await browser.open(`${authorize(app)}&prompt=consent`)
  if (!browser.jar.has('portico-session')) {
    const asked = await browser.submit(formOf(page, 'identifier'), { username: name })
    page = await browser.submit(formOf(asked, 'password'), { password: PASSWORD })
  }
  page = await browser.submit(formOf(page, 'consent'), { answer: 'allow' })
  if (!codeOf(page)) throw new Error(`${name} stopped at ${page.url.pathname}: ${headingOf(page)}`)
  const code = {
    grant_type: 'authorization_code',
    code: codeOf(page)!,
    redirect_uri: CALLBACK,
    code_verifier: verifier,
  }
  return (await token(code, app)).json['refresh_token']!
}

/** Everything goes but what says which device it is. */
function signOut({ jar }: Browser): void {
  for (const name of [...jar.keys()]) if (!['portico-device', 'portico-enrolled'].includes(name)) jar.delete(name)
}

async function token(fields: Record<string, string>, app = 'low') {
  const response = await fetch(`${place.issuer}/oauth2/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${app}:${place.secrets.get(app)}`)}` },
    body: new URLSearchParams(fields),
  })
  return { status: response.status, json: (await response.json()) as Record<string, string> }
}
const refresh = (refreshToken: string, app = 'low') =>
  token({ grant_type: 'refresh_token', refresh_token: refreshToken }, app)

async function each<T>(items: readonly T[], work: (item: T) => Promise<void>, atOnce = 12): Promise<void> {
  const rest = items[Symbol.iterator]()
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const item of rest) await work(item)
    }),
  )
}

const modify = (uid: string, lines: string) => slapd.modify(`dn: ${slapd.dn(uid)}\nchangetype: ${lines}\n`)
const inGroup = (group: string, change: 'add' | 'delete', uid: string) =>
  slapd.modify(
    `dn: cn=${group},ou=groups,dc=kestrel,dc=example\nchangetype: modify\n${change}: member\nmember: ${slapd.dn(uid)}\n`,
  )

/** One quarter of everybody comes back and signs in anew; the process may be killed meanwhile. */
async function shift(step: number, kill = false): Promise<void> {
  const coming = people.filter((_, i) => i > 0 && i % 4 === step % 4)
  let killed: Promise<void> | undefined
  await each(coming, async ({ name, browser }) => {
    tally.asked++
    signOut(browser)
    let page = await signIn(browser, name).catch(() => undefined)
    if (!page && killed) {
      await killed
      signOut(browser)
      page = await signIn(browser, name)
    }
    if (kill && !killed) killed = server.kill().then(() => server.start())
    if (page && codeOf(page)) tally.opened++
    const high = await browser.open(authorize('high')).catch(() => undefined)
    if (high && codeOf(high)) tally.high.push(name)
    if (high) tally.headings.add(`${high.status} ${headingOf(high)}`)
  })
  await killed
}

/** What an attacker, a newcomer and somebody who mistypes get. */
async function tries(step: number): Promise<void> {
  const stranger = newBrowser()
  const page = await signIn(stranger, somebody(step).name)
  if (codeOf(page) || stranger.jar.has('portico-session') || page.status !== 503)
    tally.strangers.push(`${page.status} ${somebody(step).name}`)
  const newcomer = newBrowser()
  const first = await signIn(newcomer, 'newcomer')
  if (codeOf(first) || newcomer.jar.has('portico-session') || first.status !== 503)
    tally.newcomers.push(`${first.status}`)
  const { browser, name } = somebody(4 + (step % 4))
  const typist = newBrowser()
  typist.jar.set('portico-device', browser.jar.get('portico-device')!)
  const mistyped = await signIn(typist, name, 'correct hose')
  if (codeOf(mistyped) || typist.jar.has('portico-session') || mistyped.status !== 400)
    tally.wrong.push(`${mistyped.status} ${name}`)
}

beforeAll(async () => {
  const names = Array.from({ length: PEOPLE }, (_, i) => `p${i}`)
  slapd = await startSlapd(
    [...names, 'newcomer'].map((uid) => ({ uid, name: uid, password: PASSWORD })),
    { staff: [...names, 'newcomer'], care: ['p0'] },
    { modules: 'moduleload ppolicy', database: 'overlay ppolicy' },
  )
  way = await startTcpProxy({ to: slapd.port })
  const oidc = {
    redirect_uris: [CALLBACK],
    scopes: ['openid', 'offline_access'],
    grant_types: ['authorization_code', 'refresh_token'] as const,
  }
  const app = {
    policy: 'plain',
    audience: ['staff'],
    first_party: true,
    oidc: { ...oidc, grant_types: [...oidc.grant_types] },
  }
  place = await makePlace({
    settings: {
      log: { level: 'silent' },
      directories: [
        { id: 'local', kind: 'local' },
        {
          ...slapd.settings({ url: `ldap://127.0.0.1:${way.port}`, insecure_plain_text: true, timeout: '2s' }),
          ca_file: undefined,
          degraded: { verified_within: '24h', devices: ['known', 'enrolled'], tiers: ['standard'], for: '6h' },
        },
      ],
    },
    people: [{ username: 'here', name: 'Here', groups: ['staff'], password: PASSWORD }],
    apps: [
      { ...app, id: 'low', tier: 'standard' },
      { ...app, id: 'high', tier: 'critical' },
    ],
  })
  server = await startClocked(place.config, Date.now())
  const { settings, folder } = loadSettings(place.config, {})
  house = await openHouse({ settings: settings!, folder, clock: { now: () => server.now() }, log: silentLog })
  for (const name of names) people.push({ name, browser: newBrowser(), tokens: { low: '', high: '' } })
  await each(people, async (one) => {
    one.tokens = { low: await agree(one, 'low'), high: await agree(one, 'high') }
  })
  began = server.now()

  way.cut()
  // nobody signs in meanwhile: it is found out all the same
  await server.pass(FOUND_OUT, 500)
  for (let step = 0; step < STEPS; step++) {
    await server.pass(step === 0 ? STEP - FOUND_OUT : STEP)
    // one never signs in anew: their session is from before
    const keeper = somebody(0).browser
    tally.asked++
    if (codeOf(await keeper.open(authorize('low')))) tally.opened++
    if (codeOf(await keeper.open(authorize('high')))) tally.high.push('p0')
    await shift(step, step === KILLED_AT)
    if (step === CHANGED_AT) {
      await modify('p1', 'delete')
      await modify('p8', 'modify\nadd: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z')
      await modify('p2', 'modify\nreplace: userPassword\nuserPassword: another horse')
      await inGroup('staff', 'delete', 'p3')
    }
    await tries(step)
  }
}, 600_000)

afterAll(async () => {
  await house?.close()
  await server?.stop()
  await way?.close()
  await slapd?.end()
  await place?.remove()
})

describe('in four hours without the directory', () => {
  test('people who were known signed in to low apps, at least 99 of 100', () => {
    expect(server.now() - began).toBe(4 * 60 * MINUTE)
    expect(tally.asked).toBeGreaterThan(180)
    expect(tally.opened / tally.asked).toBeGreaterThanOrEqual(0.99)
  })

  test('nobody opened a high app, in a session from before as little as in a new one, and everybody read why', () => {
    expect(tally.high).toEqual([])
    expect([...tally.headings]).toEqual(['403 high stays closed for now'])
  })

  test('no unknown device, nobody new and no wrong password got in', () => {
    expect(tally).toMatchObject({ strangers: [], newcomers: [], wrong: [] })
  })

  test('an enrolled tablet takes those whom the directory confirmed, and becomes known to nobody', async () => {
    const { cookie } = await house.devices.enrolled.add({ kind: 'shared', name: 'Till', enrolledBy: 'cli' }, undefined)
    const tablet = newBrowser()
    tablet.jar.set('portico-enrolled', cookie)
    for (const [name, password] of [
      ['p5', 'wrong horse'],
      ['newcomer', PASSWORD],
      ['nobody', PASSWORD],
    ] as const) {
      const page = await signIn(tablet, name, password)
      expect([page.status, tablet.jar.has('portico-session')]).toEqual([400, false])
      expect(page.text).toContain('Your directory cannot be reached right now')
      signOut(tablet)
    }
    expect(codeOf(await signIn(tablet, 'p5'))).not.toBeNull()
    expect(tablet.jar.has('portico-device')).toBe(false)
  })

  test('pages of Portico can be looked at, and no way of signing in can be added', async () => {
    const { browser } = somebody(4)
    expect((await browser.open(`${place.issuer}/account`)).status).toBe(200)
    const adding = await browser.open(`${place.issuer}/account/totp/new`)
    expect([adding.status, headingOf(adding)]).toEqual([403, 'This stays closed for now'])
    expect(adding.text).toContain('The directory that knows you cannot be reached right now')
    const launcher = await browser.open(`${place.issuer}/`)
    expect(launcher.status).toBe(200)
  })

  test('the page of the reference says why and what to do', async () => {
    const { browser, name } = somebody(4)
    const page = await browser.open(authorize('high'))
    const reference = /\/why\/([0-9A-Z-]+)/.exec(page.text)![1]!
    const why = await browser.open(`${place.issuer}/why/${reference}`)
    expect(why.text).toContain(
      'The directory that knows you cannot be reached right now. high opens again when it is back.',
    )
    expect(why.text).toContain('There is nothing you have to do')
    expect(why.text).not.toContain('directory-down')
    const receipt = (await house.receipts.find(reference)) as Receipt
    expect(receipt).toMatchObject({ outcome: 'deny', rule: 'directory-down', facts: { user: { username: name } } })
    const { since, until, verified, groups_at, tiers } = receipt.facts!.user!.outage!
    expect(tiers).toEqual(['standard'])
    expect(Number(until) - Number(since)).toBe(6 * 60 * MINUTE)
    for (const before of [verified, groups_at]) expect(Number(before)).toBeLessThan(Number(since))
  })

  test('a high app without a session keeps its refresh token, and gets nothing for it; a low one goes on', async () => {
    const { tokens } = somebody(6)
    const next = await refresh(tokens.low)
    expect(next.status).toBe(200)
    tokens.low = next.json['refresh_token']!
    expect(await refresh(tokens.high, 'high')).toMatchObject({
      status: 400,
      json: { error: 'invalid_grant', error_description: expect.stringContaining('directory of this person is down') },
    })
  })

  // three cold starts of a process
  test('the command line knows since when, and explains what the gate would say', { timeout: 120_000 }, async () => {
    const run = async (...words: string[]) => {
      const command = portico([...words, '--json', '--config', place.config])
      await command.exited
      return JSON.parse(command.out())
    }
    expect(await run('directories', 'list')).toEqual([
      { id: 'local', kind: 'local', state: 'up', degraded: false },
      { id: 'staff', kind: 'ldap', state: 'down', degraded: true, since: expect.stringMatching(/Z$/) },
    ])
    expect(await run('directories', 'test', 'staff')).toMatchObject({ ok: false, state: 'down' })
    const explained = await run('policy', 'explain', '--user', 'p4', '--app', 'high')
    expect(explained).toMatchObject({ outcome: 'deny', rule: 'directory-down' })
  })

  test('what is kept of a password cannot be guessed without end, also on that person’s own device', async () => {
    const { browser, name } = somebody(9)
    const statuses: number[] = []
    for (let i = 0; i < 22; i++) {
      signOut(browser)
      statuses.push((await signIn(browser, name, `guess ${i}`)).status)
    }
    // twenty, and the first of those that have to wait for each other
    expect(statuses.filter((status) => status === 400)).toHaveLength(21)
    expect(statuses.at(-1)).toBe(429)
    signOut(browser)
    expect((await signIn(browser, name)).status).toBe(429)
  })

  test('people of another directory notice nothing', async () => {
    for (const app of ['low', 'high']) expect(codeOf(await signIn(newBrowser(), 'here', PASSWORD, app))).not.toBeNull()
  })

  test('the kill in between made it neither another outage nor a longer one', async () => {
    const down = await house.audit.search({ event: 'directory-down' })
    expect(down).toHaveLength(1)
    expect(down[0]!.at - began).toBeLessThanOrEqual(FOUND_OUT)
  })
})

describe('a second after the directory is back', () => {
  let stolen = ''
  beforeAll(async () => {
    // somebody who knows the old password, on that person's own device
    const { browser } = somebody(2)
    signOut(browser)
    stolen = await agree(somebody(2), 'low')
    // all of them have a session now
    for (const i of [1, 3, 4, 5, 7, 8]) {
      signOut(somebody(i).browser)
      expect(codeOf(await signIn(somebody(i).browser, `p${i}`))).not.toBeNull()
    }
    way.restore()
    await server.pass(1000, 200)
  }, 60_000)

  test('whoever was deleted meanwhile is out, with every token', async () => {
    const { browser, tokens } = somebody(1)
    const id = (await house.people.list({ search: 'p1' })).find(({ username }) => username === 'p1')!.id
    expect(await house.sessions.ofPerson(id)).toEqual([])
    expect(codeOf(await browser.open(authorize('low')))).toBeNull()
    for (const app of ['low', 'high'] as const) expect((await refresh(tokens[app], app)).status).toBe(400)
    const again = await signIn(browser, 'p1')
    expect([codeOf(again), again.status]).toEqual([null, 400])
    expect(await house.audit.search({ event: 'person-gone', subject: id })).toMatchObject([{ actor: 'system' }])
  })

  test('whoever was disabled meanwhile is out, with every token, and reads so', async () => {
    const { browser, tokens } = somebody(8)
    const id = (await house.people.list({ search: 'p8' })).find(({ username }) => username === 'p8')!.id
    expect(await house.sessions.ofPerson(id)).toEqual([])
    expect(codeOf(await browser.open(authorize('low')))).toBeNull()
    for (const app of ['low', 'high'] as const) expect((await refresh(tokens[app], app)).status).toBe(400)
    const again = await signIn(browser, 'p8')
    expect(codeOf(again)).toBeNull()
    expect(again.text).toContain('This account is switched off')
    const off = await house.audit.search({ event: 'person-disabled', subject: id })
    expect(off).toMatchObject([{ actor: 'system', reason: 'upstream' }])
    expect(off[0]!.at - began - 4 * 60 * MINUTE).toBeLessThanOrEqual(1000)
  })

  test('an old password is worth nothing, and neither is the session that began with it', async () => {
    const { browser, tokens } = somebody(2)
    expect(codeOf(await browser.open(authorize('low')))).toBeNull()
    expect((await signIn(browser, 'p2')).status).toBe(400)
    expect(codeOf(await signIn(browser, 'p2', 'another horse'))).not.toBeNull()
    expect((await refresh(stolen)).status).toBe(400)
    // what the app got when the password was the right one stays
    expect((await refresh(tokens.low)).status).toBe(200)
  })

  test('groups are those of now', async () => {
    const page = await somebody(3).browser.open(authorize('low'))
    expect([codeOf(page), page.status]).toEqual([null, 403])
    expect(page.text).toContain('is not meant for any of your groups')
  })

  test('everybody else works on without being asked; a high app asks once for the password', async () => {
    const { browser, name } = somebody(4)
    expect(codeOf(await browser.open(authorize('low')))).not.toBeNull()
    const asked = await browser.open(authorize('high'))
    expect(codeOf(asked)).toBeNull()
    expect(codeOf(await browser.submit(formOf(asked, 'password'), { password: PASSWORD })), name).not.toBeNull()
    expect(codeOf(await browser.open(authorize('high')))).not.toBeNull()
    expect(codeOf(await browser.open(authorize('low')))).not.toBeNull()
  })

  test('whoever was signed in before the outage is not asked at all', async () => {
    const { browser } = somebody(0)
    for (const app of ['low', 'high']) expect(codeOf(await browser.open(authorize(app)))).not.toBeNull()
  })

  test('an app without a session goes on with the refresh token that it was refused for', async () => {
    const { tokens } = somebody(6)
    for (const app of ['low', 'high'] as const) expect((await refresh(tokens[app], app)).status).toBe(200)
  })

  test('a newcomer signs in, and the trail tells the whole story', async () => {
    expect(codeOf(await signIn(newBrowser(), 'newcomer'))).not.toBeNull()
    const told = (await house.audit.search({ limit: 1000 })).filter(({ event }) => event.startsWith('directory-'))
    expect(told.reverse().map(({ event, reason, count }) => [event, reason, count])).toEqual([
      ['directory-down', 'staff', undefined],
      ['directory-up', 'staff', PEOPLE],
      ['directory-judged-again', 'staff', 2],
    ])
    const up = told.find(({ event }) => event === 'directory-up')!
    for (const gone of await house.audit.search({ event: 'person-gone' })) {
      expect(gone.at - began - 4 * 60 * MINUTE).toBeLessThanOrEqual(1000)
      expect(up.at).toBeLessThanOrEqual(gone.at)
    }
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
    expect(count).toBeGreaterThan(600)
    expect(closed).toBeGreaterThan(150)
  })
})
