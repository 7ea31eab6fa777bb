/** A refresh is an issue like any other: the policy is asked again, about the session as it is (HOUSE.md, rule 4). */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Travel, travelTo } from '../../bench/fake-date.ts'
import { createBrowser, formOf } from '../../demo/browser.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { atCallback, type Browser, CALLBACK, typePassword } from '../support/relying-party.ts'

const MINUTE = 60_000
const INSIDE = '192.0.2.7'
const OUTSIDE = '203.0.113.9'
/** Where the apps' own servers are: at no place from which a person may come. */
const SERVER = '198.51.100.1'

const policy = (name: string, rules: string) => ({ [`${name}.yaml`]: `policy: ${name}\nrules:\n${rules}` })
const app = (id: string, policy = id) => ({
  id,
  name: `App ${id}`,
  policy,
  audience: ['staff'],
  oidc: {
    redirect_uris: [CALLBACK],
    scopes: ['openid', 'offline_access'],
    pkce: 'optional' as const,
    grant_types: ['authorization_code' as const, 'refresh_token' as const],
  },
})

let clock: Travel
let gateway: Gateway
let count = 0
let somebody: { username: string; id: string }

beforeAll(async () => {
  clock = travelTo(Date.parse('2026-11-23T09:00:00Z'))
  gateway = await startGateway({
    policies: {
      ...POLICIES,
      ...policy('team', '  - { name: the secret team, when: { user.groups: [team] }, allow: {} }\n'),
      ...policy('hour', '  - { name: within the hour, allow: { within: 1h } }\n'),
      ...policy('now', '  - { name: for this very request, allow: { within: 0s } }\n'),
      ...policy(
        'inside',
        `  - { name: closed outside, when: { network: { outside: [office] } }, deny: { say: Closed., do: Come in. } }
  - { name: inside, allow: {} }
`,
      ),
      ...policy(
        'device',
        `  - { name: known, when: { device.known: true }, allow: { within: 4h } }
  - { name: unknown, allow: { within: 1h } }
`,
      ),
      'networks.yaml': `networks:\n  office: { ranges: [192.0.2.0/24] }\n  here: { ranges: [127.0.0.0/8] }\n`,
    },
    settings: { proxies: ['127.0.0.0/8', '::1'], sessions: { idle: '8h', max: '12h' } },
    apps: [app('plain'), app('team'), app('hour'), app('now'), app('inside'), app('device')],
  })
})
afterAll(async () => {
  await gateway.close()
  clock.end()
})

beforeEach(async () => {
  const username = `person${++count}`
  const person = { username, name: username, groups: ['staff', 'team'], password: PASSWORD }
  somebody = { username, id: (await gateway.server.house.people.add(person, 'test')).id }
})

/** A browser whose place can change. */
function browserAt(address: string): Browser & { moveTo(address: string): void } {
  const headers = { 'x-forwarded-for': address }
  const moveTo = (next: string) => {
    headers['x-forwarded-for'] = next
  }
  return { ...createBrowser({ stopAt: CALLBACK, headers }), moveTo }
}

async function token(id: string, fields: Record<string, string>) {
  const response = await fetch(`${gateway.issuer}/oauth2/token`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${btoa(`${id}:${gateway.secrets.get(id)}`)}`,
      'x-forwarded-for': SERVER,
    },
    body: new URLSearchParams(fields),
  })
  const answer = (await response.json()) as Record<string, string | undefined>
  return { status: response.status, ...answer, refresh_token: answer['refresh_token'] ?? '' }
}
const refresh = (id: string, refresh_token: string) => token(id, { grant_type: 'refresh_token', refresh_token })

const ask = (browser: Browser, id: string, more: Record<string, string> = {}) =>
  browser.open(
    `${gateway.issuer}/oauth2/auth?${new URLSearchParams({ client_id: id, response_type: 'code', scope: 'openid', redirect_uri: CALLBACK, state: 'x', ...more })}`,
  )

/** Opens the app, and signs in or confirms on the way. */
async function opened(browser: Browser, id: string, more: Record<string, string> = {}) {
  let page = await ask(browser, id, more)
  if (page.text.includes('value="identifier"')) page = await typePassword(browser, page, somebody.username)
  else if (page.text.includes('value="password"'))
    page = await browser.submit(formOf(page, 'password'), { password: PASSWORD })
  if (page.text.includes('value="consent"')) page = await browser.submit(formOf(page, 'consent'), { answer: 'allow' })
  if (!atCallback(page)) throw new Error(`stopped at ${page.url.pathname} (${page.status})`)
  const code = page.url.searchParams.get('code') ?? ''
  const tokens = await token(id, { grant_type: 'authorization_code', code, redirect_uri: CALLBACK })
  expect(tokens.status).toBe(200)
  return tokens.refresh_token
}
const stay = (browser: Browser, id: string) =>
  opened(browser, id, { scope: 'openid offline_access', prompt: 'consent' })

const REFUSED = { status: 400, error: 'invalid_grant' }
const reuses = async () =>
  (await gateway.server.house.audit.search({ event: 'token-reuse-detected', subject: somebody.id })).length

test('whoever lost the group that a rule names gets no more, is told no rule, and loses nothing else by it', async () => {
  const { people } = gateway.server.house
  const browser = browserAt(INSIDE)
  const held = await opened(browser, 'team')
  const other = await opened(browser, 'plain')
  await people.removeFromGroup(somebody.id, 'team', 'test')
  for (let i = 0; i < 3; i++) {
    const refused = await refresh('team', held)
    expect(refused).toMatchObject(REFUSED)
    expect(JSON.stringify(refused)).not.toMatch(/team|rule|policy/i)
  }
  expect(await reuses()).toBe(0)
  expect((await refresh('plain', other)).status).toBe(200)
  // a refusal spends nothing: the same token goes on once the rule says yes again
  await people.addToGroup(somebody.id, 'team', 'test')
  const next = await refresh('team', held)
  expect(next.status).toBe(200)
  expect(next.refresh_token).not.toBe(held)
  expect((await refresh('team', next.refresh_token)).status).toBe(200)
})

test('a token that was used before ends its family, also while the rule says no', async () => {
  const { people } = gateway.server.house
  const held = await opened(browserAt(INSIDE), 'team')
  const next = await refresh('team', held)
  await people.removeFromGroup(somebody.id, 'team', 'test')
  expect(await refresh('team', held)).toMatchObject(REFUSED)
  expect(await reuses()).toBe(1)
  await people.addToGroup(somebody.id, 'team', 'test')
  expect(await refresh('team', next.refresh_token)).toMatchObject(REFUSED)
})

test('when what was given is too old there is no refresh; after a step-up in the same session all goes on', async () => {
  const browser = browserAt(INSIDE)
  const first = await opened(browser, 'hour')
  clock.advance(60 * MINUTE)
  const held = (await refresh('hour', first)).refresh_token
  expect(held).not.toBe('')
  clock.advance(1)
  expect(await refresh('hour', held)).toMatchObject(REFUSED)
  const [session] = await gateway.server.house.sessions.ofPerson(somebody.id)
  const fresh = await opened(browser, 'hour')
  expect((await gateway.server.house.sessions.ofPerson(somebody.id)).map(({ id }) => id)).toEqual([session!.id])
  expect((await refresh('hour', fresh)).status).toBe(200)
  expect((await refresh('hour', held)).status).toBe(200)
  expect(await reuses()).toBe(0)
})

test('an app that wants a proof for each request gets no second token without one', async () => {
  const browser = browserAt(INSIDE)
  await opened(browser, 'plain')
  clock.advance(1000)
  const held = await opened(browser, 'now')
  clock.advance(1)
  expect(await refresh('now', held)).toMatchObject(REFUSED)
})

test('the place is where the person was seen last, not where the app’s server is', async () => {
  const browser = browserAt(OUTSIDE)
  await opened(browser, 'plain')
  expect((await ask(browser, 'inside')).status).toBe(403)
  browser.moveTo(INSIDE)
  const held = (await refresh('inside', await opened(browser, 'inside'))).refresh_token
  expect(held).not.toBe('')
  browser.moveTo(OUTSIDE)
  await opened(browser, 'plain')
  expect(await refresh('inside', held)).toMatchObject(REFUSED)
  browser.moveTo(INSIDE)
  await browser.open(`${gateway.issuer}/account`)
  expect((await refresh('inside', held)).status).toBe(200)
})

test('the device is the one of the session, as long as it is known', async () => {
  const { devices } = gateway.server.house
  const held = await opened(browserAt(INSIDE), 'device')
  clock.advance(61 * MINUTE)
  const next = await refresh('device', held)
  expect(next.status).toBe(200)
  const [device] = await devices.ofPerson(somebody.id)
  await devices.forget(somebody.id, device!.id, 'test')
  expect(await refresh('device', next.refresh_token)).toMatchObject(REFUSED)
})

test('an app that stays (offline_access) is asked who and for whom, not how long ago: with the session and without it', async () => {
  const { people, sessions } = gateway.server.house
  const browser = browserAt(INSIDE)
  let held = await stay(browser, 'hour')
  const goOn = async () => {
    const next = await refresh('hour', held)
    if (next.status === 200) held = next.refresh_token
    return next
  }
  clock.advance(2 * 60 * MINUTE)
  expect((await goOn()).status).toBe(200)
  await sessions.endAll(somebody.id, 'signed-out', 'test')
  expect((await goOn()).status).toBe(200)
  await people.removeFromGroup(somebody.id, 'staff', 'test')
  expect(await goOn()).toMatchObject(REFUSED)
  expect(await goOn()).toMatchObject(REFUSED)
  await people.addToGroup(somebody.id, 'staff', 'test')
  expect((await goOn()).status).toBe(200)
  await people.disable(somebody.id, 'test')
  expect(await goOn()).toMatchObject(REFUSED)
})
