/**
 * The short way of refresh tokens answers as the engine does. Every request is sent twice, each with a refresh token of its own: as
 * apps send it, and with `basic` in lower case, which means the same (RFC 9110 §11.1) and is left to the engine.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Travel, travelTo } from '../../bench/fake-date.ts'
import { createBrowser } from '../../demo/browser.ts'
import { objectKey } from '../../src/protocol/oidc/grant-groups.ts'
import {
  beginAt,
  comparisonAt,
  exchange,
  expectSame,
  type Fields,
  introspected,
  orderOf,
  type Scheme,
  type Sent,
  sendToToken,
} from '../support/both-ways.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { type Browser, CALLBACK } from '../support/relying-party.ts'

const app = (id: string, oidc: object = {}, more: object = {}) => ({
  ...{ id, name: id, policy: 'plain', audience: ['staff'] },
  oidc: {
    redirect_uris: [CALLBACK],
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    grant_types: ['authorization_code', 'refresh_token'],
    ...oidc,
  },
  ...more,
})
const LIMITS = `policy: limits
rules:
  - { name: people, allow: { token: { max: 5m } } }
`
const STALE = `policy: stale
rules:
  - { name: for this very request, allow: { within: 0s } }
`

let clock: Travel
let gateway: Gateway
let browser: Browser
let compare: ReturnType<typeof comparisonAt>

beforeAll(async () => {
  clock = travelTo(Date.parse('2026-11-23T09:00:00Z'))
  gateway = await startGateway({
    policies: { ...POLICIES, 'limits.yaml': LIMITS, 'stale.yaml': STALE },
    people: [{ username: 'sam', name: 'Sam de Vries', mail: 'sam@kestrel.example', groups: ['staff'] }],
    apps: [
      app('web'),
      app('other'),
      app('es', { id_token_signed_response_alg: 'ES256' }),
      app('ed', { id_token_signed_response_alg: 'EdDSA' }),
      app('by-post', { token_endpoint_auth_method: 'client_secret_post' }),
      app('told', { backchannel_logout_uri: 'http://localhost:9/out' }),
      app('in-id-token', { claims: { groups: 'all', in_id_token: true } }),
      app('limited', {}, { policy: 'limits' }),
      app('stale', {}, { policy: 'stale' }),
      { id: 'api', template: 'machine', policy: 'plain', tags: ['resource-server'] },
    ] as never,
  })
  const { apis, catalog } = gateway.server.house
  const orders = {
    ...{ api: 'orders', name: 'orders', owner: 'it@kestrel.example', audience: 'urn:orders', policy: 'plain' },
    ...{ scopes: { 'orders:read': 'Read' }, token: { format: 'opaque' } },
  }
  const made = await apis.apply([{ file: 'apis/orders.yaml', text: JSON.stringify(orders) }], { by: 'test' })
  const calls = { file: 'calls.yaml', text: JSON.stringify(app('calls', { apis: { orders: ['orders:read'] } })) }
  const applied = await catalog.apps.apply([calls], { by: 'test' })
  expect([...made.problems, ...applied.problems]).toEqual([])
  ;(gateway.secrets as Map<string, string>).set('calls', applied.changes[0]!.clientSecret!)
  browser = createBrowser({ stopAt: CALLBACK })
  compare = comparisonAt(gateway)
})
afterAll(async () => {
  await gateway?.close()
  clock.end()
})

const send = (scheme: Scheme, sent: Sent) => sendToToken(gateway, scheme, sent)
const refreshing = (token: string): Fields => ({ grant_type: 'refresh_token', refresh_token: token })

/** A refresh token of a new family, by the engine. */
async function fresh(id: string, parameters?: Fields): Promise<string> {
  const { status, body } = await send('basic', {
    id,
    fields: exchange(await beginAt(gateway, browser, id, parameters)),
  })
  expect(status, body).toBe(200)
  clock.advance(1000)
  return JSON.parse(body).refresh_token
}

async function bothWays(make: () => Promise<Sent>) {
  const short = await send('Basic', await make())
  const long = await send('basic', await make())
  return { short, long, same: [await compare(short), await compare(long)] as const }
}

test.each([
  ['of an app with RS256, the default', 'web', {}],
  ['of an app with ES256', 'es', {}],
  ['of an app with EdDSA', 'ed', {}],
  ['of an app that would send its secret in the body', 'by-post', {}],
  ['of an app that hears of sign-outs, with its `sid`', 'told', {}],
  ['of an app whose rule has a word on tokens', 'limited', {}],
  ['with the scope openid alone', 'web', { scope: 'openid' }],
  ['without a nonce', 'web', { nonce: '' }],
  ['of an app that stays', 'web', { scope: 'openid email offline_access', prompt: 'consent' }],
] as [string, string, Fields][])('%s takes the short way, and the answer is the same', async (_, id, parameters) => {
  const { short, long, same } = await bothWays(async () => ({ id, fields: refreshing(await fresh(id, parameters)) }))
  expect(short.status, short.body).toBe(200)
  expectSame(...same)
  expect(same[0].refreshes).toBe(true)
  // the two answers really come from two places: only their headers' order tells
  expect(orderOf(short)).not.toBe(orderOf(long))
})

const changed =
  (id: string, change: (fields: Fields) => Fields | string, more: Partial<Sent> = {}) =>
  async (): Promise<Sent> => ({ id, fields: change(refreshing(await fresh(id))), ...more })

test.each([
  ['with fewer scopes', changed('web', (f) => ({ ...f, scope: 'openid' }))],
  ['with a scope that it has not', changed('web', (f) => ({ ...f, scope: 'openid groups' }))],
  ['with a resource', changed('web', (f) => ({ ...f, resource: 'urn:orders' }))],
  ['of an app that wants its claims in the ID token', changed('in-id-token', (f) => f)],
  ['with a token of our own making', changed('web', (f) => ({ ...f, refresh_token: 'a'.repeat(43) }))],
  ['with a token of 100,000 characters', changed('web', (f) => ({ ...f, refresh_token: 'a'.repeat(100_000) }))],
  ['with no token', changed('web', ({ refresh_token: _, ...f }) => f)],
  ['with an empty token', changed('web', (f) => ({ ...f, refresh_token: '' }))],
  ['with the token of another app', changed('web', (f) => f, { id: 'other' })],
  ['with a wrong secret', changed('web', (f) => f, { secret: 'wrong' })],
  ['with a token twice', changed('web', (f) => `${new URLSearchParams(f)}&refresh_token=again`)],
  ['with a proof of possession', changed('web', (f) => f, { headers: { dpop: 'x.y.z' } })],
  ['from a page of the app', changed('web', (f) => f, { headers: { origin: 'http://localhost:9' } })],
  ['where the person has to sign in again', changed('stale', (f) => f)],
  [
    'for an API',
    async () => ({
      id: 'calls',
      fields: refreshing(await fresh('calls', { resource: 'urn:orders', scope: 'openid orders:read' })),
    }),
  ],
  [
    'where somebody asked for single claims',
    async () => ({ id: 'web', fields: refreshing(await fresh('web', { claims: '{"id_token":{"email":null}}' })) }),
  ],
] as [string, () => Promise<Sent>][])('%s it is answered by the engine alone', async (_, make) => {
  const { short, long, same } = await bothWays(make)
  expectSame(...same)
  expect(orderOf(short)).toBe(orderOf(long))
})

/** What is kept of a refresh token, but for what is new with each family. */
async function kept(token: string) {
  const { durable } = gateway.server.house.storage
  const { jti, nonce, grantId, sessionUid, sid, iat, iiat, exp, authTime, ...rest } = JSON.parse(
    (await durable.get(objectKey('RefreshToken', token)))!,
  )
  const texts = [jti, nonce, grantId, sessionUid, sid].map((text) => typeof text)
  return { ...rest, texts, began: iat - iiat, life: exp - iat, age: iat - authTime }
}

test.each([
  ['for as long as the session', {}],
  ['for good', { scope: 'openid offline_access', prompt: 'consent' }],
] as [string, Fields][])(
  'what it gives is kept as the engine keeps it, also of the third (%s)',
  async (_, parameters) => {
    const both = []
    for (const scheme of ['Basic', 'basic'] as const) {
      browser = createBrowser({ stopAt: CALLBACK })
      let token = await fresh('web', parameters)
      const found = []
      for (let count = 0; count < 3; count++) {
        const answer = await send(scheme, { id: 'web', fields: refreshing(token) })
        clock.advance(1000)
        token = JSON.parse(answer.body).refresh_token
        const { sid, auth_time: _, ...claims } = (await compare(answer)).idClaims as Record<string, unknown>
        found.push(await kept(token), { ...claims, sid: typeof sid })
      }
      expect(found.at(-2)).toMatchObject({ rotations: 3, gty: 'authorization_code refresh_token' })
      both.push(found)
    }
    expect(both[0]).toEqual(both[1])
  },
)

test('one family goes on whichever way each of its tokens is taken', async () => {
  let token = await fresh('web')
  const families = new Set<unknown>()
  for (const scheme of ['Basic', 'basic', 'Basic', 'Basic', 'basic'] as const) {
    const { status, body } = await send(scheme, { id: 'web', fields: refreshing(token) })
    expect(status, body).toBe(200)
    const { access_token: access, refresh_token: next } = JSON.parse(body)
    expect(next).not.toBe(token)
    token = next
    const { active, sub, auth_time: at } = await introspected(gateway, access)
    families.add([active, sub, typeof at].join())
  }
  expect(families.size).toBe(1)
})

test.each(['Basic', 'basic'] as const)('a token that comes again ends all that it gave (%s)', async (scheme) => {
  const token = await fresh('web')
  const first = JSON.parse((await send('Basic', { id: 'web', fields: refreshing(token) })).body)
  expect(await introspected(gateway, first.access_token)).toMatchObject({ active: true })
  const again = await send(scheme, { id: 'web', fields: refreshing(token) })
  expect([again.status, JSON.parse(again.body).error]).toEqual([400, 'invalid_grant'])
  expect(await introspected(gateway, first.access_token)).toEqual({ active: false })
  expect((await send('Basic', { id: 'web', fields: refreshing(first.refresh_token) })).status).toBe(400)
})

test('of thirty copies at once, in both ways, exactly one gets tokens', async () => {
  const fields = refreshing(await fresh('web'))
  const copies = Array.from({ length: 30 }, (_, i) => send(i % 2 ? 'Basic' : 'basic', { id: 'web', fields }))
  const answers = await Promise.all(copies)
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  for (const { status, body } of answers) if (status !== 200) expect(JSON.parse(body).error).toBe('invalid_grant')
})

test.each([
  [
    'a session that is over',
    {},
    async () => {
      const { sessions } = gateway.server.house
      for (const { id } of await sessions.ofPerson(gateway.ids.get('sam')!)) await sessions.end(id, 'test', 'test')
    },
  ],
  [
    // one that stays does not end with a session
    'somebody switched off, also where an app stays,',
    { scope: 'openid offline_access', prompt: 'consent' },
    () => gateway.server.house.people.disable(gateway.ids.get('sam')!, 'test'),
  ],
] as [string, Fields, () => Promise<unknown>][])('%s gets nothing in either way', async (_, parameters, end) => {
  const tokens = [await fresh('web', parameters), await fresh('web', parameters)]
  await end()
  const { short, long, same } = await bothWays(async () => ({ id: 'web', fields: refreshing(tokens.pop()!) }))
  expect([short.status, JSON.parse(short.body).error]).toEqual([400, 'invalid_grant'])
  expectSame(...same)
  expect(orderOf(short)).toBe(orderOf(long))
})
