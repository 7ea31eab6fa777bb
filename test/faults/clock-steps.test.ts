/**
 * The clock of the machine is stepped by five minutes, ahead and back, under a running gateway. A step changes the times of what
 * lives by as much and no more: nobody is signed out by it, nothing that was spent or ended comes back, and what need be done once goes on.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { loadSettings } from '#config'
import { minutes, systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { formOf } from '../../demo/browser.ts'
import { openHouse } from '../../src/house.ts'
import { anApp, type Browser, browserAt, giveTotp, PROXIED } from '../abuse/people.ts'
import { type ListeningApp, startListeningApp } from '../support/listening-app.ts'
import { ask } from '../support/load.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { until } from '../support/redis.ts'
import { CALLBACK, typePassword } from '../support/relying-party.ts'
import { makePlace, type Place, portico, type Serving } from '../support/serve.ts'
import { makeStepped, type Stepped } from '../support/stepped.ts'
import { totpCode } from '../support/totp.ts'

const AHEAD = 300
const BACK = -300
const BRIEF = 'policy: brief\nrules:\n  - { name: not for long, allow: { session: { idle: 4m } } }\n'

let place: Place
let managementPort: number
let told: ListeningApp
let clock: Stepped
let serving: Serving
let secret: string

beforeAll(async () => {
  told = await startListeningApp(() => place.issuer)
  managementPort = await freePort()
  const oidc = {
    redirect_uris: [CALLBACK],
    scopes: ['openid'],
    pkce: 'optional',
    grant_types: ['authorization_code', 'refresh_token'],
    backchannel_logout_uri: `${told.origin}/out`,
  }
  place = await makePlace({
    policies: { ...POLICIES, 'brief.yaml': BRIEF },
    people: ['sam', 'kim', 'lou', 'ann', 'bea', 'pat', 'tim'].map((username) => ({
      ...{ username, name: username, groups: ['staff'] },
    })),
    apps: [
      anApp('app', 'plain', { oidc }),
      anApp('brief', 'brief', { oidc }),
      anApp('strict', 'strict', { oidc }),
    ] as never,
    settings: {
      ...PROXIED,
      ...{ outbound: { allow: ['127.0.0.0/8', '::1'] }, sessions: { idle: '10m' } },
      management: { listen: `127.0.0.1:${managementPort}` },
    },
  })
  const { settings } = loadSettings(place.config, {})
  const house = await openHouse({ settings: settings!, folder: place.folder, clock: systemClock, log: silentLog })
  // the code of the step before is spent by it
  secret = await giveTotp({ server: { house } }, place.ids.get('pat')!, Date.now() - 30_000)
  await house.close()
  clock = makeStepped(place.folder)
  serving = await clock.serve(place.config)
})
beforeEach(() => {
  clock.step(0)
  told.answer = 200
})
afterAll(async () => {
  await serving?.stop()
  await place?.remove()
  await told?.close()
})

const address = (app: string, more: Record<string, string> = {}) =>
  `${place.issuer}/oauth2/auth?${new URLSearchParams({
    ...{ client_id: app, response_type: 'code', scope: 'openid', redirect_uri: CALLBACK, state: 'x', ...more },
  })}`
async function post(path: string, app: string, fields: Record<string, string>) {
  const answer = await fetch(`${place.issuer}${path}`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${app}:${place.secrets.get(app)}`)}` },
    body: new URLSearchParams(fields),
  })
  return { status: answer.status, body: (await answer.json()) as Record<string, string | boolean> }
}
const exchange = (code: string, app = 'app') =>
  post('/oauth2/token', app, { grant_type: 'authorization_code', code, redirect_uri: CALLBACK })
const refresh = (token: string) => post('/oauth2/token', 'app', { grant_type: 'refresh_token', refresh_token: token })
const active = async (token: string) => (await post('/oauth2/introspection', 'app', { token })).body['active']

/** The code that the app gets without anybody being asked, or the error. */
async function silently(browser: Browser, app = 'app'): Promise<string> {
  const { url, status } = await browser.open(address(app, { prompt: 'none' }))
  return url.searchParams.get('code') ?? url.searchParams.get('error') ?? String(status)
}
const isCode = expect.stringMatching(/^[\w-]{43}$/)

/** Somebody who has signed in, with tokens, and with a code that the app holds. */
async function somebody(username: string, app = 'app') {
  const browser = browserAt()
  const page = await typePassword(browser, await browser.open(address(app)), username)
  const { body } = await exchange(page.url.searchParams.get('code')!, app)
  const [accessToken, refreshToken] = [String(body['access_token']), String(body['refresh_token'])]
  return { browser, accessToken, refreshToken, held: await silently(browser, app) }
}
const signOut = async (browser: Browser) => {
  const page = await browser.open(`${place.issuer}/signout`)
  const { status } = await browser.submit(formOf(page, 'sign-out'), { answer: 'allow' })
  expect(status).toBe(200)
}
const heardOf = (username: string) => told.heard.filter(({ claims }) => claims.sub === place.ids.get(username))
const leads = async () => /^portico_leader 1$/m.test((await ask(managementPort, { path: '/metrics' })).body)

test('five minutes ahead: sessions and tokens live on, a code of before is over, and what is new works once', async () => {
  const { browser, accessToken, refreshToken, held } = await somebody('sam')
  clock.step(AHEAD)
  const fresh = await silently(browser)
  expect(fresh).toEqual(isCode)
  expect(await active(accessToken)).toBe(true)
  const refreshed = await refresh(refreshToken)
  expect(refreshed.status).toBe(200)
  // 60 seconds
  expect(await exchange(held)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  expect((await exchange(fresh)).status).toBe(200)
  expect((await exchange(fresh)).status).toBe(400)
})

test('five minutes back: sessions, tokens and codes of before are as good as they were, and used once', async () => {
  const { browser, accessToken, refreshToken, held } = await somebody('kim')
  clock.step(BACK)
  expect(await silently(browser)).toEqual(isCode)
  expect(await active(accessToken)).toBe(true)
  expect((await refresh(refreshToken)).status).toBe(200)
  const given = await exchange(held)
  expect(given.status).toBe(200)
  expect(await active(String(given.body['access_token']))).toBe(true)
  expect((await exchange(held)).status).toBe(400)
  expect((await refresh(refreshToken)).status).toBe(400)
  // a code that came twice takes everything along
  expect(await active(String(given.body['access_token']))).toBe(false)
})

test('what was ended or spent ahead stays so when the clock goes back', async () => {
  const { browser, accessToken, refreshToken, held } = await somebody('lou')
  const session = browser.jar.get('portico-session')!
  clock.step(AHEAD)
  expect((await refresh(refreshToken)).status).toBe(200)
  await signOut(browser)
  for (const offset of [0, BACK]) {
    clock.step(offset)
    browser.jar.set('portico-session', session)
    expect(await silently(browser)).toBe('login_required')
    expect(await active(accessToken)).toBe(false)
    expect((await exchange(held)).status).toBe(400)
    expect((await refresh(refreshToken)).status).toBe(400)
  }
})

test('a session that was unused too long by the clock is over, its apps hear of it, and it stays over when the clock goes back', async () => {
  const { browser } = await somebody('ann', 'brief')
  const session = browser.jar.get('portico-session')!
  clock.step(AHEAD)
  expect(await silently(browser, 'brief')).toBe('login_required')
  await until(
    async () => heardOf('ann').length,
    (count) => count === 1,
  )
  for (const offset of [0, BACK]) {
    clock.step(offset)
    browser.jar.set('portico-session', session)
    expect(await silently(browser, 'brief')).toBe('login_required')
  }
})

test('used while the clock was behind, a session is over when it is right again: the step prolonged nothing', async () => {
  clock.step(BACK)
  const { browser } = await somebody('bea', 'brief')
  expect(await silently(browser, 'brief')).toEqual(isCode)
  clock.step(0)
  expect(await silently(browser, 'brief')).toBe('login_required')
})

test('a code of an authenticator app that was used, and every earlier one, is refused when the clock goes back', async () => {
  const type = async (code: string) => {
    const browser = browserAt()
    const page = await typePassword(browser, await browser.open(address('strict')), 'pat')
    const next = await browser.submit(formOf(page, 'totp'), { code })
    return next.url.searchParams.has('code')
  }
  const before = totpCode(secret, clock.now())
  expect(await type(before)).toBe(true)
  expect(await type(before)).toBe(false)
  clock.step(AHEAD)
  const ahead = totpCode(secret, clock.now())
  expect(await type(ahead)).toBe(true)
  clock.step(0)
  // the used ones, and one of a step that was not used: whoever has this factor waits until the clock has caught up
  for (const code of [before, ahead, totpCode(secret, clock.now() + 30_000)]) expect(await type(code)).toBe(false)
  clock.step(AHEAD)
  expect(await type(ahead)).toBe(false)
  expect(await type(totpCode(secret, clock.now() + 30_000))).toBe(true)
})

test('the leader leads on, and sign-outs are told at once whichever way the clock went, with its time in them', async () => {
  expect(await leads()).toBe(true)
  told.answer = 503
  const { browser } = await somebody('tim')
  await signOut(browser)
  expect(heardOf('tim')).toHaveLength(1)
  told.answer = 200
  // the second try is due 30 seconds after the first by the clock
  clock.step(AHEAD)
  await until(
    async () => heardOf('tim').length,
    (count) => count === 2,
  )
  for (const [times, offset] of [AHEAD, 0, BACK].entries()) {
    clock.step(offset)
    const again = await somebody('tim')
    await signOut(again.browser)
    const heard = heardOf('tim')
    expect(heard).toHaveLength(3 + times)
    expect(Math.abs(heard.at(-1)!.claims.iat! * 1000 - clock.now())).toBeLessThan(minutes(1))
    expect(await leads()).toBe(true)
  }
  expect(serving.out()).not.toContain('leader-lost')
})

test('the trail of all this is what was written', async () => {
  const run = portico(['audit', 'verify', '--config', place.config])
  expect(await run.exited, run.out() + run.err()).toBe(0)
})
