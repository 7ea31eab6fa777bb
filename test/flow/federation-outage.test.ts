/**
 * A partner's provider cannot be reached while its people work: two real gateways with the way between them cut, in time
 * that the test moves on. What is declared for that holds, nobody gains anything, and the provider has the last word.
 */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { formOf, headingOf, type Page, passkeyOptions } from '../../demo/browser.ts'
import { movableClock } from '../abuse/people.ts'
import { refusalOf } from '../directory/house.ts'
import { createAuthenticator } from '../support/authenticator.ts'
import {
  anApp,
  browserOf,
  type Federation,
  goThere,
  PARTNER,
  signInThere,
  startFederation,
} from '../support/federation.ts'
import { PASSWORD } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { atCallback, type Browser, relyingParty } from '../support/relying-party.ts'
import { portico } from '../support/serve.ts'
import { startSlapd } from '../support/slapd.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'

const MINUTE = 60_000
const NAMES = ['ann', 'bob', 'cas', 'dee', 'eve', 'flo', 'gus']
const DEGRADED = {
  tiers: ['standard'],
  devices: ['known', 'enrolled'],
  verified_within: '24h',
  for: '4h',
  ask_again: '15m',
}

type Authenticator = ReturnType<typeof createAuthenticator>

async function open(degraded: object | undefined, moreDirectories: readonly object[] = []) {
  const clock = movableClock()
  const world = await startFederation({
    clock,
    theirs: NAMES.map((username) => ({ username, name: username, groups: ['visitors'] })),
    ours: {
      policies: POLICIES,
      people: [{ username: 'here', name: 'Here', groups: ['staff'] }],
      apps: [
        { ...anApp('low'), tier: 'standard' },
        { ...anApp('high'), tier: 'critical' },
      ] as never,
    },
    moreDirectories,
    // it tells nobody that it has signed somebody out: what it tells is in `test/faults/provider-outage.test.ts`
    registration: { backchannel_logout_uri: undefined },
    directory: { newcomers: 'create', timeout: '1s', ...(degraded ? { degraded } : {}) },
  })
  const { gateway } = world
  const { house } = gateway.server
  const parties = { low: await relyingParty(gateway, 'low'), high: await relyingParty(gateway, 'high') }
  const idOf = async (name: string) => (await house.people.find(`${name}@${PARTNER}`))!.id

  /** The clockwork of so long a time, ten times over however long. */
  async function pass(ms: number): Promise<void> {
    for (let i = 0; i < 10; i++) {
      clock.at += ms / 10
      await gateway.server.look()
    }
  }
  const openApp = async (browser: Browser, app: 'low' | 'high') => browser.open((await parties[app].begin()).url.href)

  async function signIn(name: string, browser = browserOf()): Promise<Browser> {
    const page = await signInThere(browser, await goThere(browser, await openApp(browser, 'low')), name)
    if (!atCallback(page)) throw new Error(`${name} stopped at ${page.url.pathname}: ${headingOf(page)}`)
    return browser
  }

  async function givePasskey(name: string): Promise<Authenticator> {
    const { hostname, origin } = new URL(gateway.issuer)
    const authenticator = createAuthenticator({ rpId: hostname, origin })
    const about = { personId: await idOf(name), username: name, name, conversation: 'giving' }
    const options = await house.factors.beginEnrolment('passkey', about)
    await house.factors.finishEnrolment('passkey', authenticator.create(options), about)
    return authenticator
  }

  /** Where the page asks who somebody is. */
  const withPasskey = (browser: Browser, page: Page, authenticator: Authenticator) =>
    browser.submit(formOf(page, 'identifier'), { credential: JSON.stringify(authenticator.get(passkeyOptions(page))) })

  const seen = async () => {
    const ask = async (path: string) => fetch(`http://127.0.0.1:${gateway.server.managementPort}${path}`)
    const { directories } = (await (await ask('/readyz')).json()) as { directories: { id: string; state: string }[] }
    const up = /^portico_directory_up\{directory="partner"\} (\d)$/m.exec(await (await ask('/metrics')).text())?.[1]
    return { state: directories.find(({ id }) => id === PARTNER)!.state, up }
  }
  /** How often a browser was sent there. */
  let sent = 0
  world.way.watch((data, direction) => {
    if (direction === 'to-server' && data.includes('GET /oauth2/auth?')) sent++
  })
  /** Those that began while nobody could ask about the person. */
  const doubtfulOf = async (name: string) =>
    (await house.sessions.ofPerson(await idOf(name))).filter(({ authenticated }) =>
      authenticated.some(({ duringOutage }) => duringOutage),
    )
  return {
    ...world,
    house,
    clock,
    pass,
    openApp,
    signIn,
    givePasskey,
    withPasskey,
    seen,
    doubtfulOf,
    idOf,
    asked: () => sent,
  }
}

type World = Awaited<ReturnType<typeof open>> & Federation

/** Everything goes but what says which device it is. */
function signOut({ jar }: Browser): void {
  for (const name of [...jar.keys()]) if (name !== 'portico-device') jar.delete(name)
}

describe('a provider with a declared degraded mode', () => {
  let world: World
  const passkeys = new Map<string, Authenticator>()
  const browsers = new Map<string, Browser>()
  let before = ''
  beforeAll(async () => {
    world = await open(DEGRADED)
    await world.pass(2000)
    for (const name of NAMES.filter((one) => one !== 'flo')) {
      browsers.set(name, await world.signIn(name))
      passkeys.set(name, await world.givePasskey(name))
    }
    // flo came so long ago that it counts no more
    before = (await world.seen()).state
    world.way.cut()
    await world.pass(10 * MINUTE)
  }, 120_000)
  afterAll(() => world?.close())

  test('is found out to be down without anybody going there', async () => {
    expect(before).toBe('up')
    expect(await world.seen()).toEqual({ state: 'down', up: '0' })
    const down = await world.house.audit.search({ event: 'directory-down' })
    expect(down).toMatchObject([{ actor: 'system', reason: PARTNER }])
    expect(world.gateway.log()).toMatch(/"event":"directory-down","directory":"partner","code":"[\w-]+"/)
    const list = portico(['directories', 'list', '--json', '--config', `${world.gateway.folder}/portico.yaml`])
    await list.exited
    expect(JSON.parse(list.out())).toMatchObject([{ id: 'local' }, { id: PARTNER, state: 'down', degraded: true }])
  }, 60_000)

  test('is asked the less the longer it is down, and by nobody who comes', async () => {
    const tried = world.way.connections
    for (let i = 0; i < 600; i++) {
      world.clock.at += 100
      await world.gateway.server.look()
    }
    // once in ten seconds or so
    expect(world.way.connections - tried).toBeGreaterThan(2)
    expect(world.way.connections - tried).toBeLessThan(20)
    const then = world.way.connections
    const browser = browserOf()
    const page = await goThere(browser, await world.openApp(browser, 'low'))
    expect([page.url.origin, page.status]).toEqual([world.gateway.issuer, 503])
    expect(page.text).toContain('Your directory cannot be reached right now')
    expect(world.way.connections).toBe(then)
  })

  test('the sign-in page says so, and what else there is, in each language', async () => {
    for (const [language, sentence, passkey] of [
      ['en', 'cannot be reached right now. You have done nothing wrong', 'a passkey here'],
      ['nl', 'is nu niet bereikbaar. U hebt niets verkeerd gedaan', 'passkey'],
      ['de', 'ist gerade nicht erreichbar. Sie haben nichts falsch gemacht', 'Passkey'],
      ['ru', 'сейчас недоступен. Вы всё сделали правильно', 'ключ доступа'],
    ] as const) {
      const page = await fetch(`${world.gateway.issuer}/signin`, { headers: { 'accept-language': language } })
      const text = await page.text()
      expect(text).toContain(sentence)
      expect(text).toContain(passkey)
    }
  })

  test('a session from before goes on in low apps, and high ones are closed', async () => {
    const browser = browsers.get('ann')!
    expect(atCallback(await world.openApp(browser, 'low'))).toBe(true)
    const high = await world.openApp(browser, 'high')
    expect([high.status, headingOf(high)]).toEqual([403, 'App high stays closed for now'])
  })

  test('a passkey of ours opens low apps on a known device, and nothing on another', async () => {
    const browser = browsers.get('bob')!
    signOut(browser)
    const page = await world.withPasskey(browser, await world.openApp(browser, 'low'), passkeys.get('bob')!)
    expect(atCallback(page)).toBe(true)
    expect((await world.openApp(browser, 'high')).status).toBe(403)
    const strange = browserOf()
    const refused = await world.withPasskey(strange, await world.openApp(strange, 'low'), passkeys.get('bob')!)
    expect([refused.status, strange.jar.has('portico-session')]).toEqual([503, false])
    // whoever signs in so makes no device known
    expect((await world.house.devices.ofPerson(await world.idOf('bob'))).length).toBe(1)
  })

  test('a password for one of its people is as wrong as for nobody', async () => {
    for (const name of [`bob@${PARTNER}`, 'nobody at all']) {
      const browser = browserOf()
      for (const [key, value] of browsers.get('bob')!.jar) if (key === 'portico-device') browser.jar.set(key, value)
      const asked = await browser.submit(formOf(await world.openApp(browser, 'low'), 'identifier'), { username: name })
      const page = await browser.submit(formOf(asked, 'password'), { password: 'a lamp post in the rain' })
      expect([page.status, page.text.includes('cannot be reached')]).toEqual([400, false])
    }
  })

  test('people of our own notice nothing', async () => {
    for (const app of ['low', 'high'] as const) {
      const browser = browserOf()
      const asked = await browser.submit(formOf(await world.openApp(browser, app), 'identifier'), { username: 'here' })
      expect(atCallback(await browser.submit(formOf(asked, 'password'), { password: 'a lamp post in the rain' }))).toBe(
        true,
      )
    }
  })

  describe('that is back', () => {
    beforeAll(async () => {
      for (const name of ['cas', 'dee', 'eve', 'gus']) {
        const browser = browsers.get(name)!
        signOut(browser)
        const page = await world.withPasskey(browser, await world.openApp(browser, 'low'), passkeys.get(name)!)
        if (!atCallback(page)) throw new Error(`${name}: ${page.status}`)
      }
      const { people } = world.provider.server.house
      await people.disable((await people.find('dee'))!.id, 'cli')
      world.way.restore()
      await world.pass(20_000)
    }, 60_000)

    test('is so for everybody at once, and waits for those who came in meanwhile', async () => {
      expect(await world.seen()).toEqual({ state: 'returning', up: '1' })
      // bob, cas, dee, eve and gus; ann had been there before
      expect(await world.house.audit.search({ event: 'directory-up' })).toMatchObject([{ reason: PARTNER, count: 5 }])
      const page = await fetch(`${world.gateway.issuer}/signin`)
      expect(await page.text()).not.toContain('cannot be reached right now')
    })

    test('whoever was signed in before is not asked', async () => {
      for (const app of ['low', 'high'] as const)
        expect(atCallback(await world.openApp(browsers.get('ann')!, app))).toBe(true)
    })

    test('whoever came in meanwhile goes on in low apps, and is sent there for a high one, once', async () => {
      const browser = browsers.get('cas')!
      expect(atCallback(await world.openApp(browser, 'low'))).toBe(true)
      const asked = world.asked()
      // they are still signed in there, so the question is a silent one
      expect(atCallback(await world.openApp(browser, 'high'))).toBe(true)
      expect(world.asked()).toBe(asked + 1)
      const [session] = await world.doubtfulOf('cas')
      expect(session!.authenticated).toMatchObject([{ factor: 'passkey' }, { factor: 'upstream', directory: PARTNER }])
      for (const app of ['high', 'low'] as const) expect(atCallback(await world.openApp(browser, app))).toBe(true)
      expect(world.asked()).toBe(asked + 1)
    })

    test('whoever was disabled there gets nothing more by a passkey of ours, however often', async () => {
      const browser = browsers.get('dee')!
      for (let i = 0; i < 2; i++) {
        world.clock.at += 2 * MINUTE
        const page = await world.openApp(browser, 'high')
        expect(page.url.origin).toBe(world.provider.issuer)
        signOut(browser)
        await world.withPasskey(browser, await world.openApp(browser, 'low'), passkeys.get('dee')!)
      }
    })

    test('a quarter of an hour later whoever has not been there is out, and everybody else works on', async () => {
      await world.pass(12 * MINUTE)
      expect(await world.seen()).toEqual({ state: 'up', up: '1' })
      for (const name of ['bob', 'dee', 'eve', 'gus']) expect(await world.doubtfulOf(name), name).toEqual([])
      expect(await world.doubtfulOf('cas')).toHaveLength(1)
      expect(atCallback(await world.openApp(browsers.get('eve')!, 'low'))).toBe(false)
      expect(atCallback(await world.openApp(browsers.get('ann')!, 'high'))).toBe(true)
      const ended = await world.house.audit.search({ event: 'session-ended', limit: 1000 })
      expect(ended.filter(({ reason }) => reason === 'directory-back').length).toBeGreaterThanOrEqual(4)
      const judged = await world.house.audit.search({ event: 'directory-judged-again' })
      expect(judged).toMatchObject([{ reason: PARTNER, count: 4 }])
      expect(atCallback(await world.openApp(browsers.get('cas')!, 'high'))).toBe(true)
    })
  })
})

test('nobody is let in whom it vouched for too long ago, nor anybody once the time is over; a flapping line prolongs neither', async () => {
  const world = await open({ ...DEGRADED, verified_within: '60m', for: '50m' })
  onTestFinished(() => world.close())
  const ann = await world.signIn('ann')
  const annKey = await world.givePasskey('ann')
  world.clock.at += 20 * MINUTE
  const bob = await world.signIn('bob')
  const bobKey = await world.givePasskey('bob')
  world.way.cut()
  await world.pass(MINUTE)
  const since = () => world.house.people.states().find(({ id }) => id === PARTNER)!.since!
  const began = since()
  const enter = async (browser: Browser, key: Authenticator) => {
    signOut(browser)
    return (await world.withPasskey(browser, await world.openApp(browser, 'low'), key)).status
  }
  expect(await enter(ann, annKey)).not.toBe(503)
  await world.pass(41 * MINUTE)
  // an hour is over for her
  expect(await enter(ann, annKey)).toBe(503)
  expect(await enter(bob, bobKey)).not.toBe(503)
  // it comes and goes
  for (let i = 0; i < 3; i++) {
    world.way.restore()
    await world.pass(MINUTE)
    expect((await world.seen()).state).toBe('returning')
    world.way.cut()
    await world.pass(9 * MINUTE)
    expect(await world.seen()).toMatchObject({ state: 'down' })
    expect(since()).toBe(began)
    // fifty minutes are over, not yet his hour
    expect(await enter(bob, bobKey)).toBe(503)
    if (i === 0) expect(await world.doubtfulOf('bob')).toHaveLength(1)
  }
  // a quarter of an hour more is over as well: as soon as it is back for a moment nothing is left of what he began
  world.way.restore()
  await world.pass(MINUTE)
  expect(await world.doubtfulOf('bob')).toEqual([])
}, 120_000)

test('with `ask_again: 0s` whatever began meanwhile ends within a second, and a session from before does not', async () => {
  const world = await open({ ...DEGRADED, ask_again: '0s' })
  onTestFinished(() => world.close())
  const [ann, bob] = [await world.signIn('ann'), await world.signIn('bob')]
  const key = await world.givePasskey('bob')
  world.way.cut()
  await world.pass(MINUTE)
  signOut(bob)
  expect(atCallback(await world.withPasskey(bob, await world.openApp(bob, 'low'), key))).toBe(true)
  world.way.restore()
  // looked at every ten seconds by now; from the answer on it is a second
  let waited = 0
  while ((await world.seen()).up === '0') {
    world.clock.at += 500
    await world.gateway.server.look()
    if (++waited > 40) throw new Error('it was not found out that it is back')
  }
  world.clock.at += 1000
  await world.gateway.server.look()
  expect(await world.doubtfulOf('bob')).toEqual([])
  expect(atCallback(await world.openApp(bob, 'low'))).toBe(false)
  expect(atCallback(await world.openApp(ann, 'high'))).toBe(true)
}, 120_000)

test('beside a directory that is down without a declaration, passwords are as unknown as without the provider', async () => {
  const slapd = await startSlapd([{ uid: 'sam', name: 'Sam', password: PASSWORD }])
  const line = await startTcpProxy({ to: slapd.port })
  const settings = slapd.settings({ url: `ldap://127.0.0.1:${line.port}`, insecure_plain_text: true, timeout: '1s' })
  const world = await open(DEGRADED, [{ ...settings, ca_file: undefined }])
  onTestFinished(async () => {
    await world.close()
    await line.close()
    await slapd.end()
  })
  const { people } = world.house
  expect(await people.verifyPassword('sam', PASSWORD)).toMatchObject({ username: 'sam' })
  await world.signIn('ann')
  world.way.cut()
  line.cut()
  await world.pass(MINUTE)
  const tries = async () => {
    for (const device of ['known', 'enrolled'])
      for (const [name, password] of [
        ['sam', PASSWORD],
        ['sam', 'wrong horse'],
        [`ann@${PARTNER}`, PASSWORD],
        ['nobody', PASSWORD],
      ] as const) {
        const seen = { known: false, enrolled: false, [device]: true }
        expect(await refusalOf(people.verifyPassword(name, password, seen)), name).toBe('directory-unavailable')
      }
  }
  // whoever finds it out, and whoever comes after
  await tries()
  await world.pass(MINUTE)
  expect(people.states()).toMatchObject([
    { id: 'local', state: 'up' },
    { id: settings.id, state: 'down', degraded: false },
    { id: PARTNER, state: 'down', degraded: true },
  ])
  await tries()
}, 120_000)

test('without a declaration nothing changes but what people are told: sessions and passkeys go on as before', async () => {
  const world = await open(undefined)
  onTestFinished(() => world.close())
  const ann = await world.signIn('ann')
  const key = await world.givePasskey('ann')
  world.way.cut()
  await world.pass(5 * MINUTE)
  expect(await world.seen()).toEqual({ state: 'down', up: '0' })
  for (const app of ['low', 'high'] as const) expect(atCallback(await world.openApp(ann, app))).toBe(true)
  signOut(ann)
  expect(atCallback(await world.withPasskey(ann, await world.openApp(ann, 'high'), key))).toBe(true)
  world.way.restore()
  await world.pass(MINUTE)
  expect(await world.seen()).toEqual({ state: 'up', up: '1' })
  expect(await world.doubtfulOf('ann')).toEqual([])
}, 60_000)
