/** `allow.scopes` and `allow.token.max` in the tokens that apps and programs get, and in what introspection tells of them. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Travel, travelTo } from '../../bench/fake-date.ts'
import { createBrowser, formOf } from '../../demo/browser.ts'
import { createTokenJudge } from '../../src/protocol/oidc/token-judge.ts'
import type { Token } from '../../src/protocol/oidc/token-limits.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { atCallback, type Browser, CALLBACK, typePassword } from '../support/relying-party.ts'

const MINUTE = 60_000
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'
const refreshing = { scopes: ['openid', 'offline_access'], grant_types: ['authorization_code', 'refresh_token'] }

const policy = (name: string, ...rules: string[]) =>
  `policy: ${name}\nrules:\n${rules.map((r) => `  - ${r}\n`).join('')}`
const app = (id: string, policy = id, oidc: object = {}) => ({
  ...{ id, name: `App ${id}`, policy, audience: ['staff'] },
  oidc: { redirect_uris: [CALLBACK], pkce: 'optional', ...oidc },
})
/** Registered with more than rules allow. */
const SCOPES = [
  ...['orders:read', 'orders:write', 'orders:delete', 'Orders:Read', 'ORDERS:READ', 'orders:rea', 'orders:readd'],
  ...['orders:*', '*', 'orders:read,orders:write', 'stock:read', 'a', 'b', 'c'],
]
const program = (id: string, more: object = {}) => ({
  ...{ id, template: 'machine', policy: id, oidc: { scopes: SCOPES } },
  ...more,
})

const API = 'when: { request.kind: [api] }'
const [, timeline] = readFileSync(join(import.meta.dirname, '../../docs/policy-timelines.md'), 'utf8').split(
  '### `token.max`',
) as [string, string]
const FILES = {
  'five-minutes.yaml': /```yaml\n([\s\S]*?)```/.exec(timeline)![1]!,
  ...POLICIES,
  'orders.yaml': policy('orders', '{ name: r, allow: { scopes: [orders:read, orders:write], token: { max: 5m } } }'),
  'none.yaml': policy('none', '{ name: r, allow: { scopes: [] } }'),
  'long.yaml': policy('long', '{ name: r, allow: { token: { max: 36525d } } }'),
  'watched.yaml': policy(
    'watched',
    '{ name: watched, mode: report, allow: { scopes: [], token: { max: 1s } } }',
    '{ name: r, allow: { scopes: [orders:read] } }',
  ),
  'perhaps.yaml': policy(
    'perhaps',
    '{ name: on a tablet, when: { device.platform: [ios] }, allow: { scopes: [a, b], token: { max: 9m } } }',
    '{ name: others, allow: { scopes: [b, c], token: { max: 4m } } }',
  ),
  'app.yaml': policy('app', '{ name: r, allow: { scopes: [], token: { max: 5m } } }'),
  'often.yaml': policy(
    'often',
    '{ name: often, when: { frequency.app_opens: { over: 1, within: 1h } }, allow: { token: { max: 1m } } }',
    '{ name: seldom, allow: { token: { max: 5m } } }',
  ),
  'stay.yaml': policy(
    'stay',
    `{ name: programs, ${API}, allow: { token: { max: 7m } } }`,
    '{ name: staff, when: { user.groups: [staff] }, allow: { token: { max: 20m } } }',
  ),
  'changing.yaml': policy('changing', '{ name: r, allow: {} }'),
}

let clock: Travel
let gateway: Gateway
let browser: Browser
let count = 0
let username: string

beforeAll(async () => {
  clock = travelTo(Date.parse('2026-11-23T09:00:00Z'))
  gateway = await startGateway({
    policies: FILES,
    apps: [
      ...['orders', 'none', 'long', 'watched', 'perhaps'].map((id) => program(id)),
      program('open', { policy: 'plain' }),
      program('api', { policy: 'plain', tags: ['resource-server'], oidc: {} }),
      ...[app('app'), app('often'), app('changing'), app('long-app', 'long')],
      app('refreshing', 'changing', refreshing),
      app('stay', 'stay', refreshing),
      app('both', 'orders', {
        scopes: ['openid', 'profile', 'orders:read'],
        grant_types: ['authorization_code', 'client_credentials'],
      }),
      app('five-minutes', 'five-minutes', refreshing),
      app('tv', 'app', { grant_types: ['authorization_code', DEVICE_CODE] }),
      app('tv-stay', 'stay', { grant_types: ['authorization_code', DEVICE_CODE] }),
      app('tv-changing', 'changing', { grant_types: ['authorization_code', DEVICE_CODE] }),
    ] as never,
  })
})
afterAll(async () => {
  await gateway.close()
  clock.end()
})
beforeEach(async () => {
  if (existsSync(fileOf('base.yaml'))) await putInForce({ 'base.yaml': undefined })
  username = `person${++count}`
  await gateway.server.house.people.add({ username, name: username, groups: ['staff'], password: PASSWORD }, 'test')
  browser = createBrowser({ stopAt: CALLBACK })
})

const fileOf = (name: string) => join(gateway.folder, 'policies', name)
/** Puts these files in force; undefined takes one away. */
async function putInForce(files: Readonly<Record<string, string | undefined>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    if (text === undefined) rmSync(fileOf(name))
    else writeFileSync(fileOf(name), text)
  }
  await gateway.server.reload()
  expect(gateway.log()).not.toContain('policies-refused')
}
const changing = (allow: string) => putInForce({ 'changing.yaml': policy('changing', `{ name: r, allow: ${allow} }`) })

interface Answer {
  readonly status: number
  readonly error?: string
  readonly access_token: string
  readonly refresh_token: string
  readonly expires_in: number
  readonly scope?: string
}
async function post(id: string, path: string, body: string): Promise<Answer & Record<string, unknown>> {
  const response = await fetch(`${gateway.issuer}/oauth2/${path}`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${btoa(`${id}:${gateway.secrets.get(id)}`)}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body,
  })
  return { status: response.status, ...((await response.json()) as Omit<Answer, 'status'>) }
}
const token = (id: string, fields: Record<string, string>) => post(id, 'token', `${new URLSearchParams(fields)}`)
const introspect = (access: string) => post('api', 'introspection', `token=${access}`)
const asks = (id: string, scope?: string) =>
  token(id, { grant_type: 'client_credentials', ...(scope === undefined ? {} : { scope }) })

/** What the answer says of the token and what introspection says, which must be the same: scope and seconds. */
async function saidOf(answer: Answer): Promise<[scope: string | undefined, seconds: number]> {
  expect(answer.status, JSON.stringify(answer)).toBe(200)
  const { active, scope, exp } = await introspect(answer.access_token)
  expect({ active, scope, life: Number(exp) - Math.floor(clock.now() / 1000) }).toEqual({
    ...{ active: true, scope: answer.scope, life: answer.expires_in },
  })
  return [answer.scope, answer.expires_in]
}

describe('a program', () => {
  test.each([
    [undefined, undefined],
    ['', undefined],
    ['orders:read', 'orders:read'],
    ['orders:write orders:read', 'orders:write orders:read'],
    ['orders:read orders:delete', 'orders:read'],
    ['orders:delete orders:read orders:delete orders:read', 'orders:read'],
    ['openid offline_access orders:read', 'orders:read'],
    ['orders:rea orders:readd orders:write', 'orders:write'],
  ])('that asks for %j gets %j, for five minutes', async (asked, scope) => {
    expect(await saidOf(await asks('orders', asked))).toEqual([scope, 300])
  })

  test.each([
    'orders:delete',
    'Orders:Read',
    'ORDERS:READ orders:Write',
    'openid',
    'orders:*',
    '*',
    'orders:read,orders:write',
    'orders:read\torders:delete',
    ' orders:read',
    'orders:read ',
    'orders:read  orders:delete',
    'orders:read\norders:delete',
    'orders:read\u00a0orders:delete',
    'orders:read\0',
    '"orders:read"',
    'оrders:read',
  ])('that asks for %j gets nothing', async (asked) => {
    expect(await asks('orders', asked)).toMatchObject({ status: 400, error: 'invalid_scope' })
  })

  test('that says it twice, or in brackets, gets no more by it', async () => {
    for (const body of ['scope=orders:read&scope=orders:delete', 'scope[]=orders:delete', 'Scope=orders:delete']) {
      const answer = await post('orders', 'token', `grant_type=client_credentials&${body}`)
      if (answer.status === 200) expect((await saidOf(answer))[0]).toBeUndefined()
      else expect(answer.error).toBe('invalid_request')
    }
  })

  test('whatever it asks for, gets what it asked for and the list has, and only that', async () => {
    const words = ['orders:read', 'orders:write', 'orders:delete', 'Orders:Read', 'openid', 'orders', 'read', 'a']
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 5 }), async (asked) => {
        const right = [...new Set(asked)].filter((one) => ['orders:read', 'orders:write'].includes(one))
        const answer = await asks('orders', asked.join(' '))
        if (right.length === 0) expect(answer.error).toBe('invalid_scope')
        else expect(await saidOf(answer)).toEqual([right.join(' '), 300])
      }),
      { numRuns: 60 },
    )
  })

  test('with an empty list gets a token without a scope, and none for a scope', async () => {
    expect(await saidOf(await asks('none'))).toEqual([undefined, 600])
    expect(await asks('none', 'orders:read')).toMatchObject({ status: 400, error: 'invalid_scope' })
  })

  test('gets no scope that it is not registered with, and none of a sign-in', async () => {
    expect(await saidOf(await asks('open', 'orders:read stock:write openid'))).toEqual(['orders:read', 600])
    for (const scope of ['stock:write', 'openid', 'openid profile offline_access'])
      expect(await asks('open', scope)).toMatchObject({ status: 400, error: 'invalid_scope' })
    expect(await asks('api', 'orders:read')).toMatchObject({ status: 400, error: 'invalid_scope' })
    expect(await saidOf(await asks('api'))).toEqual([undefined, 600])
  })

  test('that people sign in to as well gets no scope of a sign-in for itself, unless the list has it', async () => {
    expect(await saidOf(await asks('both', 'openid profile orders:read'))).toEqual(['orders:read', 300])
    expect(await asks('both', 'openid profile')).toMatchObject({ status: 400, error: 'invalid_scope' })
    expect(await saidOf(await opened('both', { scope: 'openid profile orders:read' }))).toEqual(['openid profile', 300])
  })

  test('without a list gets what it asks for; a hundred years are no more than ten minutes', async () => {
    expect(await saidOf(await asks('open', 'orders:read a'))).toEqual(['orders:read a', 600])
    expect(await saidOf(await asks('long'))).toEqual([undefined, 600])
  })

  test('is not touched by a rule that only reports', async () => {
    expect(await saidOf(await asks('watched', 'orders:read'))).toEqual(['orders:read', 600])
  })

  test('gets the stricter of both, part by part, where it is not known which rule it is', async () => {
    expect(await saidOf(await asks('perhaps', 'a b c'))).toEqual(['b', 240])
    expect(await asks('perhaps', 'a c')).toMatchObject({ error: 'invalid_scope' })
  })

  test('gets no more than the baseline has, and nothing where the two have nothing in common', async () => {
    const baseline = (allow: string) => `policy: base\nbaseline: true\nrules:\n  - { name: all, allow: ${allow} }\n`
    await putInForce({ 'base.yaml': baseline('{ scopes: [orders:write, stock:read], token: { max: 30s } }') })
    expect(await saidOf(await asks('orders', 'orders:read orders:write stock:read'))).toEqual(['orders:write', 30])
    expect(await saidOf(await asks('open', 'orders:read stock:read'))).toEqual(['stock:read', 30])
    await putInForce({ 'base.yaml': baseline('{ scopes: [stock:read] }') })
    expect(await asks('orders', 'orders:read stock:read')).toMatchObject({ error: 'invalid_scope' })
    expect(await saidOf(await asks('orders'))).toEqual([undefined, 300])
  })
})

/** Signs in on the way, where nobody is. */
async function codeFor(id: string, more: Record<string, string> = {}): Promise<string> {
  const query = { client_id: id, response_type: 'code', scope: 'openid', redirect_uri: CALLBACK, state: 'x', ...more }
  let page = await browser.open(`${gateway.issuer}/oauth2/auth?${new URLSearchParams(query)}`)
  if (page.text.includes('value="identifier"')) page = await typePassword(browser, page, username)
  if (page.text.includes('value="consent"')) page = await browser.submit(formOf(page, 'consent'), { answer: 'allow' })
  if (!atCallback(page)) throw new Error(`stopped at ${page.url.pathname} (${page.status})`)
  return page.url.searchParams.get('code') ?? ''
}
const exchange = (id: string, code: string) =>
  token(id, { grant_type: 'authorization_code', code, redirect_uri: CALLBACK })
const opened = async (id: string, more?: Record<string, string>) => exchange(id, await codeFor(id, more))
const refresh = (id: string, refresh_token: string, more: Record<string, string> = {}) =>
  token(id, { grant_type: 'refresh_token', refresh_token, ...more })

/** A television begins, and the person connects it. */
async function connected(id: string): Promise<string> {
  const begun = await post(id, 'device/auth', 'scope=openid')
  const code = await browser.open(String(begun['verification_uri']))
  const confirm = await browser.submit(formOf(code, 'device-code'), { user_code: String(begun['user_code']) })
  const asked = await browser.submit(formOf(confirm, 'device-confirm'), { confirm: 'yes' })
  const done = asked.text.includes('value="identifier"') ? await typePassword(browser, asked, username) : asked
  expect(done.status).toBe(200)
  return String(begun['device_code'])
}
const poll = (id: string, device_code: string) => token(id, { grant_type: DEVICE_CODE, device_code })
const userinfo = async (access: string) =>
  (await fetch(`${gateway.issuer}/oauth2/userinfo`, { headers: { authorization: `Bearer ${access}` } })).status

describe('an app of people', () => {
  test('gets a token for five minutes; a list of scopes takes nothing from what it may know of the person', async () => {
    const answer = await opened('app', { scope: 'openid profile email' })
    expect(await saidOf(answer)).toEqual(['openid profile email', 300])
    clock.advance(5 * MINUTE - 1000)
    expect(await userinfo(answer.access_token)).toBe(200)
    clock.advance(1000)
    expect(await userinfo(answer.access_token)).toBe(401)
    expect((await introspect(answer.access_token))['active']).toBe(false)
  })

  test('gets no scope of an API, whatever it asks for', async () => {
    expect(await saidOf(await opened('app', { scope: 'openid orders:read' }))).toEqual(['openid', 300])
  })

  test('gets an hour, where the rule says a hundred years', async () => {
    expect(await saidOf(await opened('long-app'))).toEqual(['openid', 3600])
  })

  test('gets what the rule says that let the person in, not the one that would a moment later', async () => {
    const seconds: number[] = []
    for (let i = 0; i < 3; i++) seconds.push((await saidOf(await opened('often')))[1])
    expect(seconds).toEqual([300, 300, 60])
  })

  test('on a television gets the same', async () => {
    expect(await saidOf(await poll('tv', await connected('tv')))).toEqual(['openid', 300])
    // of two rules the one that let the person in
    expect(await saidOf(await poll('tv-stay', await connected('tv-stay')))).toEqual(['openid', 1200])
  })
})

describe('other policies in the meantime', () => {
  test('a code, and one of a television, are worth what the strictest rule of now says', async () => {
    await changing('{}')
    const [code, another, device] = [
      await codeFor('changing'),
      await codeFor('changing'),
      await connected('tv-changing'),
    ]
    expect(await saidOf(await exchange('changing', another))).toEqual(['openid', 3600])
    await changing('{ token: { max: 2m } }')
    expect(await saidOf(await exchange('changing', code))).toEqual(['openid', 120])
    expect(await saidOf(await poll('tv-changing', device))).toEqual(['openid', 120])
  })

  test('a code of stricter ones is worth what those of now say', async () => {
    await changing('{ token: { max: 2m } }')
    const code = await codeFor('changing')
    await changing('{ token: { max: 3m } }')
    expect(await saidOf(await exchange('changing', code))).toEqual(['openid', 180])
  })

  test('an app that was given another policy has the limits of that one', async () => {
    await changing('{ token: { max: 20m } }')
    const code = await codeFor('changing')
    const { apps } = gateway.server.house.catalog
    const move = (policy: string) =>
      apps.apply([{ file: 'x.yaml', text: JSON.stringify({ ...app('changing'), policy }) }], { by: 'test' })
    await move('stay')
    expect(await saidOf(await exchange('changing', code))).toEqual(['openid', 420])
    await move('changing')
  })

  test('a refresh has the limits of now, cannot widen its scopes, and the refresh token outlives them', async () => {
    await changing('{ scopes: [], token: { max: 5m } }')
    const first = await opened('refreshing')
    expect(await saidOf(first)).toEqual(['openid', 300])
    clock.advance(30 * MINUTE)
    const second = await refresh('refreshing', first.refresh_token)
    expect(await saidOf(second)).toEqual(['openid', 300])
    await changing('{ scopes: [orders:read], token: { max: 1m } }')
    for (const scope of ['openid profile', 'openid orders:read', 'orders:read', 'openid\torders:read'])
      expect(await refresh('refreshing', second.refresh_token, { scope })).toMatchObject({ error: 'invalid_scope' })
    const third = await refresh('refreshing', second.refresh_token, { scope: 'openid' })
    expect(await saidOf(third)).toEqual(['openid', 60])
    await changing('{}')
    expect(await saidOf(await refresh('refreshing', third.refresh_token))).toEqual(['openid', 3600])
  })

  test('a refresh with a session is of the rule that decides then, however strict others are', async () => {
    const first = await opened('stay')
    clock.advance(MINUTE)
    expect((await saidOf(await refresh('stay', first.refresh_token)))[1]).toBe(1200)
  })

  test('an app that stays refreshes by the strictest of all rules, for nobody can tell which one it would be', async () => {
    const held = await opened('stay', { scope: 'openid offline_access', prompt: 'consent' })
    expect((await saidOf(held))[1]).toBe(1200)
    clock.advance(30 * MINUTE)
    const next = await refresh('stay', held.refresh_token)
    expect((await saidOf(next))[1]).toBe(420)
    await gateway.server.house.sessions.endAll(
      (await gateway.server.house.people.find(username))!.id,
      'signed-out',
      'test',
    )
    expect((await saidOf(await refresh('stay', next.refresh_token)))[1]).toBe(420)
  })
})

test('a token that was not judged is an error, whoever made it', async () => {
  const judge = createTokenJudge({} as never)
  const unjudged = { kind: 'AccessToken', scope: 'openid' } as Token
  await judge.judge(undefined, unjudged)
  expect(() => judge.confirm(unjudged)).toThrow('nobody has judged')
  judge.allowed(unjudged, {})
  judge.confirm(unjudged)
})

test('the timeline of docs/policy-timelines.md happens as it is written there', async () => {
  const rows = [...timeline.matchAll(/^\| (\d\d:\d\d) \| (.+?) \| (.+?) \|/gm)].map(([, ...cells]) => cells)
  expect(rows).toHaveLength(4)
  const at = (time: string) => Date.parse(`2026-11-24T${time}:00+01:00`)
  let held: Answer | undefined
  for (const [time, what, said] of rows as [string, string, string][]) {
    clock.set(at(time))
    if (what.startsWith('shows')) {
      expect(await userinfo(held!.access_token), time).toBe(said === 'takes it' ? 200 : 401)
      continue
    }
    held = what === 'refreshes' ? await refresh('five-minutes', held!.refresh_token) : await opened('five-minutes')
    const until = clock.now() + (await saidOf(held))[1] * 1000
    expect(until, time).toBe(at(/until (\d\d:\d\d)$/.exec(said)![1]!))
  }
})
