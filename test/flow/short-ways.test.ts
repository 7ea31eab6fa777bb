/**
 * The short ways to tokens answer as the engine does. Every request is sent twice: as apps send it, and with `basic` in
 * lower case, which means the same (RFC 9110 §11.1) and is left to the engine.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser } from '../../demo/browser.ts'
import {
  beginAt,
  comparisonAt,
  exchange,
  expectSame,
  type Fields,
  FORM,
  introspected,
  orderOf,
  type Scheme,
  type Sent,
  sendToToken,
} from '../support/both-ways.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { type Browser, CALLBACK } from '../support/relying-party.ts'

const web = (id: string, oidc: object = {}, more: object = {}) => ({
  id,
  name: id,
  policy: 'plain',
  audience: ['staff'],
  oidc: { redirect_uris: [CALLBACK, `${CALLBACK}?also=this`], scopes: ['openid', 'profile', 'email'], ...oidc },
  ...more,
})
const machine = (id: string, oidc: object = {}, more: object = {}) => ({
  ...{ id, template: 'machine', policy: 'plain', oidc, ...more },
})

let gateway: Gateway
let browser: Browser
const LIMITS = `policy: limits
rules:
  - { name: programs, when: { request.kind: [api] }, allow: { scopes: [orders:read], token: { max: 3m } } }
  - { name: people, allow: { scopes: [orders:read], token: { max: 5m } } }
`
const NOTHING = `policy: nothing
rules:
  - { name: programs, when: { request.kind: [api] }, allow: { scopes: [other:read] } }
`
const LIMITED = { policy: 'limits' }

beforeAll(async () => {
  gateway = await startGateway({
    policies: { ...POLICIES, 'limits.yaml': LIMITS, 'nothing.yaml': NOTHING },
    people: [{ username: 'sam', name: 'Sam de Vries', mail: 'sam@kestrel.example', groups: ['staff'] }],
    apps: [
      web('web'),
      web('other'),
      web('es', { id_token_signed_response_alg: 'ES256' }),
      web('ed', { id_token_signed_response_alg: 'EdDSA' }),
      web('by-post', { token_endpoint_auth_method: 'client_secret_post' }),
      web('public', { token_endpoint_auth_method: 'none' }),
      web('refreshing', {
        scopes: ['openid', 'offline_access'],
        grant_types: ['authorization_code', 'refresh_token'],
      }),
      web('in-id-token', { claims: { groups: 'all', in_id_token: true } }),
      web('optional-pkce', { pkce: 'optional' }),
      web('told', { backchannel_logout_uri: 'http://localhost:9/out' }),
      web('limited', {}, LIMITED),
      web('limited-refreshing', { grant_types: ['authorization_code', 'refresh_token'] }, LIMITED),
      machine('machine'),
      machine('scoped', { scopes: ['orders:read'] }),
      machine('closed', {}, { policy: 'closed' }),
      machine('limited-machine', { scopes: ['orders:read', 'orders:write'] }, LIMITED),
      machine('api', {}, { tags: ['resource-server'] }),
    ] as never,
  })
  const { apis, catalog } = gateway.server.house
  const api = (id: string, more: object, policy = 'plain') => ({
    file: `apis/${id}.yaml`,
    text: JSON.stringify({
      ...{ api: id, name: id, owner: 'it@kestrel.example', audience: `urn:${id}`, policy },
      ...{ scopes: { 'orders:read': 'Read', 'orders:write': 'Write' }, ...more },
    }),
  })
  const all = ['orders:read', 'orders:write']
  const made = await apis.apply(
    [
      api('lookups', { token: { format: 'opaque', lifetime: '10m' } }),
      api('orders', { token: { format: 'jwt', alg: 'EdDSA', lifetime: '10m' } }),
      api('bills', { token: { format: 'jwt', alg: 'ES256' } }, 'limits'),
      api('bound', { sender_constraint: 'dpop' }),
      api('shut', {}, 'closed'),
      api('nothing-left', {}, 'nothing'),
    ],
    { by: 'test' },
  )
  const caller = (id: string, granted: object, more: object = {}) => ({
    file: `${id}.yaml`,
    text: JSON.stringify(machine(id, { apis: granted, ...more })),
  })
  const programs = await catalog.apps.apply(
    [
      caller('all-apis', Object.fromEntries([...made.changes].map(({ id }) => [id, all]))),
      caller('one-api', { orders: all }),
      caller('one-scope', { orders: ['orders:read'] }),
      caller('no-scope', { orders: [] }),
      caller('by-key', { orders: all }, { dpop_bound_access_tokens: true }),
    ],
    { by: 'test' },
  )
  const partners = await catalog.partners.apply(
    [
      {
        file: 'partners/acme.yaml',
        text: JSON.stringify({
          ...{ partner: 'acme', name: 'Acme', organisation: 'partners/acme', apis: { orders: all } },
          contacts: [{ name: 'Ann Cole', email: 'ann@acme.example' }],
          authentication: { method: 'client_secret_basic', allow_secret: 'a test' },
          quota: { tokens: '6/1h' },
        }),
      },
    ],
    { by: 'test' },
  )
  expect([...made.problems, ...programs.problems, ...partners.problems]).toEqual([])
  for (const { id, clientSecret } of [...programs.changes, ...partners.changes])
    if (clientSecret) (gateway.secrets as Map<string, string>).set(id, clientSecret)
  browser = createBrowser({ stopAt: CALLBACK })
  comparable = comparisonAt(gateway)
})
afterAll(() => gateway.close())

const send = (scheme: Scheme, sent: Sent) => sendToToken(gateway, scheme, sent)

let comparable: ReturnType<typeof comparisonAt>
const introspect = (token: string) => introspected(gateway, token)

const begin = (id: string, parameters?: Fields) => beginAt(gateway, browser, id, parameters)

/** The request in both ways, each with a code of its own; `change` makes of the usual request what is to be compared. */
async function bothWays(make: () => Promise<Sent>) {
  const short = await send('Basic', await make())
  const long = await send('basic', await make())
  return { short, long, same: [await comparable(short), await comparable(long)] as const }
}

describe('a code for tokens', () => {
  const usual = (id: string, parameters?: Fields) => async (): Promise<Sent> => ({
    id,
    fields: exchange(await begin(id, parameters)),
  })

  test.each([
    ['of an app with RS256, the default', 'web', {}],
    ['of an app with ES256', 'es', {}],
    ['of an app with EdDSA', 'ed', {}],
    ['of an app that would send its secret in the body', 'by-post', {}],
    ['of an app that hears of sign-outs, with its `sid`', 'told', {}],
    ['with the scope openid alone', 'web', { scope: 'openid' }],
    ['of an app whose rule has a word on tokens', 'limited', {}],
    ['without a nonce', 'web', { nonce: '' }],
    ['at another of its redirect URIs', 'optional-pkce', {}],
  ] as [string, string, Fields][])('%s takes the short way, and the answer is the same', async (_, id, parameters) => {
    const { short, long, same } = await bothWays(usual(id, parameters))
    expect(short.status, short.body).toBe(200)
    expectSame(...same)
    // the two answers really come from two places: only their headers' order tells
    expect(orderOf(short)).not.toBe(orderOf(long))
  })

  test.each([`${FORM};charset=UTF-8`, `${FORM}; charset=utf-8`, FORM.toUpperCase()])(
    'sent as %s it takes the short way, and the answer is the same',
    async (type) => {
      const sent = async () => ({ ...(await usual('web')()), headers: { 'content-type': type } })
      const { short, long, same } = await bothWays(sent)
      expect(short.status, short.body).toBe(200)
      expectSame(...same)
      expect(orderOf(short)).not.toBe(orderOf(long))
    },
  )

  const changed =
    (id: string, change: (fields: Fields) => Fields | string, more: Partial<Sent> = {}) =>
    async () => ({ id, fields: change(exchange(await begin(id))), ...more })

  test.each([
    ['for an app with refresh tokens, whose rule has a word on tokens', usual('limited-refreshing')],
    ['for an app with refresh tokens', usual('refreshing', { scope: 'openid' })],
    ['for an app that wants its claims in the ID token', usual('in-id-token')],
    ['with max_age', usual('web', { max_age: '3600' })],
    ['with acr_values', usual('web', { acr_values: 'any' })],
    ['with single claims asked for', usual('web', { claims: '{"id_token":{"email":null}}' })],
    ['with offline_access', usual('refreshing', { scope: 'openid offline_access' })],
    ['with another verifier', changed('web', (f) => ({ ...f, code_verifier: 'x'.repeat(43) }))],
    ['with a verifier that is too short', changed('web', (f) => ({ ...f, code_verifier: 'x' }))],
    ['without a verifier', changed('web', ({ code_verifier: _, ...f }) => f)],
    ['with an empty verifier', changed('web', (f) => ({ ...f, code_verifier: '' }))],
    ['with another redirect URI', changed('web', (f) => ({ ...f, redirect_uri: `${CALLBACK}?also=this` }))],
    ['without a redirect URI', changed('web', ({ redirect_uri: _, ...f }) => f)],
    ['with a code of our own making', changed('web', (f) => ({ ...f, code: 'a'.repeat(43) }))],
    ['with a code of 100,000 characters', changed('web', (f) => ({ ...f, code: 'a'.repeat(100_000) }))],
    ['with a wrong secret', changed('web', (f) => f, { secret: 'wrong' })],
    ['with an empty secret', changed('web', (f) => f, { secret: '' })],
    ['with the code of another app', changed('web', (f) => f, { id: 'other' })],
    ['for a public app that sends a secret', changed('public', (f) => f)],
    ['for an app that nobody knows', changed('web', (f) => f, { id: 'nobody', secret: 'x' })],
    ['with the app named in the body as well', changed('web', (f) => ({ ...f, client_id: 'web' }))],
    ['with another app named in the body', changed('web', (f) => ({ ...f, client_id: 'other' }))],
    ['with a parameter that nobody knows', changed('web', (f) => ({ ...f, color: 'blue' }))],
    ['with a scope', changed('web', (f) => ({ ...f, scope: 'openid' }))],
    ['with a parameter twice', changed('web', (f) => `${new URLSearchParams(f)}&code=again`)],
    ['with a percent sign gone wrong', changed('web', (f) => `${new URLSearchParams(f)}%`)],
    ['with a word at the end', changed('web', (f) => `${new URLSearchParams(f)}&x`)],
    ['with bytes that are no UTF-8', changed('web', (f) => `${new URLSearchParams(f)}%ff`)],
    ['with blanks around a value', changed('web', (f) => ({ ...f, code: ` ${f['code']} ` }))],
    ['of another type', changed('web', (f) => f, { headers: { 'content-type': 'application/json' } })],
    ['in Latin 1', changed('web', (f) => f, { headers: { 'content-type': `${FORM}; charset=iso-8859-1` } })],
    ['in UTF-16', changed('web', (f) => f, { headers: { 'content-type': `${FORM}; charset=utf-16` } })],
    [
      'with two charsets',
      changed('web', (f) => f, { headers: { 'content-type': `${FORM}; charset=utf-8; charset=x` } }),
    ],
    ['from a page of the app', changed('web', (f) => f, { headers: { origin: 'http://localhost:9' } })],
    ['from a page of somebody else', changed('web', (f) => f, { headers: { origin: 'https://evil.example' } })],
    ['with a proof of possession', changed('web', (f) => f, { headers: { dpop: 'x.y.z' } })],
    ['said to be compressed', changed('web', (f) => f, { headers: { 'content-encoding': 'gzip' } })],
    ['in an unknown grant type', changed('web', (f) => ({ ...f, grant_type: 'password' }))],
    ['without a grant type', changed('web', ({ grant_type: _, ...f }) => f)],
  ] as [string, () => Promise<Sent>][])('%s it is answered by the engine alone', async (_, make) => {
    const { short, long, same } = await bothWays(make)
    expectSame(...same)
    expect(orderOf(short)).toBe(orderOf(long))
  })

  test('lives as short as the rule says, also where another version of the policies let somebody in', async () => {
    const lives = async (make: () => Promise<Sent>) => {
      const { short, long, same } = await bothWays(make)
      expect(orderOf(short)).not.toBe(orderOf(long))
      expectSame(...same)
      return same[0].life
    }
    expect(await lives(usual('limited'))).toBe(300)
    const changed = (max: string) => async () => {
      const fields = exchange(await begin('limited'))
      writeFileSync(join(gateway.folder, 'policies/limits.yaml'), LIMITS.replace('5m', max))
      await gateway.server.reload()
      return { id: 'limited', fields }
    }
    // a minute is the shortest of the whole policy; then three of the programs are
    expect(await lives(changed('1m'))).toBe(60)
    expect(await lives(usual('limited'))).toBe(60)
    const short = await send('Basic', await changed('4m')())
    expect(JSON.parse(short.body).expires_in).toBe(180)
    expect(await lives(usual('limited'))).toBe(240)
  })

  test.each(['Basic', 'basic'] as const)('a code that comes again ends what it gave (%s)', async (scheme) => {
    const begun = await begin('web')
    const first = await send(scheme, { id: 'web', fields: exchange(begun) })
    const { access_token: token } = JSON.parse(first.body)
    expect(await introspect(token)).toMatchObject({ active: true })
    const again = await send(scheme, { id: 'web', fields: exchange(begun) })
    expect([again.status, JSON.parse(again.body).error]).toEqual([400, 'invalid_grant'])
    expect(await introspect(token)).toEqual({ active: false })
  })

  test('of thirty copies of a code at once, in both ways, exactly one gets tokens; one more ends them', async () => {
    const fields = exchange(await begin('web'))
    const copies = Array.from({ length: 30 }, (_, i) => send(i % 2 ? 'Basic' : 'basic', { id: 'web', fields }))
    const answers = await Promise.all(copies)
    const given = answers.filter(({ status }) => status === 200)
    expect(given).toHaveLength(1)
    for (const { status, body } of answers) if (status !== 200) expect(JSON.parse(body).error).toBe('invalid_grant')
    // copies that had not looked before do so too, which the clock decides: `abuse/copies.test.ts` puts them in order
    expect((await send('Basic', { id: 'web', fields })).status).toBe(400)
    expect(await introspect(JSON.parse(given[0]!.body).access_token)).toEqual({ active: false })
  })

  test('somebody switched off, and a session that is over, get nothing', async () => {
    const { people, sessions } = gateway.server.house
    const sam = gateway.ids.get('sam')!
    const over = await bothWays(async () => {
      const fields = exchange(await begin('web'))
      await sessions.endAll(sam, 'test', 'test')
      return { id: 'web', fields }
    })
    expect(over.short.status).toBe(400)
    expect(over.same[0]).toEqual(over.same[1])
    const off = await bothWays(async () => {
      await people.enable(sam, 'test')
      const fields = exchange(await begin('web'))
      await people.disable(sam, 'test')
      return { id: 'web', fields }
    })
    await people.enable(sam, 'test')
    expect(off.short.status).toBe(400)
    expect(off.same[0]).toEqual(off.same[1])
  })
})

describe("a machine's token", () => {
  const asking = (scope: string): Fields => ({ grant_type: 'client_credentials', scope })
  const asks = (id: string, fields: Fields | string = { grant_type: 'client_credentials' }, more: Partial<Sent> = {}) =>
    bothWays(async () => ({ id, fields, ...more }))

  test('takes the short way, the answer is the same, and both leave a receipt', async () => {
    const before = await receipts()
    const { short, long, same } = await asks('machine')
    expect(short.status, short.body).toBe(200)
    expectSame(...same)
    expect(orderOf(short)).not.toBe(orderOf(long))
    expect((await receipts()) - before).toBe(2)
  })

  test('whose rule has a word on tokens takes it too, and lives as short', async () => {
    const { short, long, same } = await asks('limited-machine')
    expectSame(...same)
    expect([same[0].life, same[0].others]).toMatchObject([180, { expires_in: 180 }])
    expect(orderOf(short)).not.toBe(orderOf(long))
  })

  test.each([
    ['with scopes of which a rule cuts some', 'limited-machine', asking('orders:read orders:write'), 200],
    ['with scopes of which a rule cuts all', 'limited-machine', asking('orders:write'), 400],
    ['with a scope that is registered', 'scoped', asking('orders:read'), 200],
    ['with a scope that is not', 'scoped', asking('orders:write'), 400],
    ['with a scope for people', 'scoped', asking('openid'), 400],
    ['with an empty scope', 'scoped', asking(''), 200],
    ['where policy refuses', 'closed', { grant_type: 'client_credentials' }, 400],
    ['of an app for people', 'web', { grant_type: 'client_credentials' }, 400],
    ['for a resource', 'machine', { grant_type: 'client_credentials', resource: 'https://api.example' }, 400],
  ] as [string, string, Fields, number][])('%s it is answered by the engine alone', async (_, id, fields, status) => {
    const before = await receipts()
    const { short, same } = await asks(id, fields)
    expect(short.status, short.body).toBe(status)
    expectSame(...same)
    // whichever way, one question is one receipt
    expect(((await receipts()) - before) % 2).toBe(0)
  })

  const of = (resource: string, scope?: string): Fields => ({
    ...{ grant_type: 'client_credentials', resource: `urn:${resource}` },
    ...(scope === undefined ? {} : { scope }),
  })

  test.each([
    ['opaque, for an API', 'all-apis', of('lookups'), 'orders:read orders:write', 600],
    ['a JWT with EdDSA, for an API', 'all-apis', of('orders'), 'orders:read orders:write', 600],
    ['a JWT with ES256, of whose scopes a rule of the API cuts some', 'all-apis', of('bills'), 'orders:read', 180],
    ['for some of the scopes', 'all-apis', of('orders', 'orders:write'), 'orders:write', 600],
    [
      'for scopes in another order',
      'all-apis',
      of('orders', 'orders:write orders:read'),
      'orders:write orders:read',
      600,
    ],
    ['for a scope twice', 'all-apis', of('orders', 'orders:write orders:write'), 'orders:write', 600],
    [
      'for the only API that it calls',
      'one-api',
      { grant_type: 'client_credentials' },
      'orders:read orders:write',
      600,
    ],
    ['for a scope of the only API that it calls', 'one-api', asking('orders:read'), 'orders:read', 600],
  ] as [string, string, Fields, string, number][])(
    '%s it takes the short way, and the answer is the same',
    async (_, id, fields, scope, life) => {
      const before = await receipts()
      const { short, long, same } = await asks(id, fields)
      expect(short.status, short.body).toBe(200)
      expectSame(...same)
      expect(same[0]).toMatchObject({
        life,
        introspected: { scope },
        others: { expires_in: life, scope },
      })
      expect(orderOf(short)).not.toBe(orderOf(long))
      expect((await receipts()) - before).toBe(id === 'all-apis' && fields['resource'] === 'urn:bills' ? 4 : 2)
    },
  )

  test.each([
    ['for an API that is not there', 'all-apis', of('nobody'), 400],
    ['for an API that is not its own', 'one-api', of('lookups'), 400],
    ['for no API, where it calls several', 'all-apis', { grant_type: 'client_credentials' }, 200],
    ['for a scope that the API does not know', 'one-api', of('orders', 'orders:delete'), 400],
    ['for a scope that it may not have', 'one-scope', of('orders', 'orders:read orders:write'), 200],
    ['for a scope that is a blank', 'one-api', of('orders', ' '), 400],
    ['for no scope in words', 'one-api', of('orders', ''), 400],
    ['for an API of which it may do nothing', 'no-scope', of('orders'), 400],
    ['for an API whose tokens are bound', 'all-apis', of('bound'), 400],
    ['with tokens that are bound by its registration', 'by-key', of('orders'), 400],
    ['for an API whose policy refuses', 'all-apis', of('shut'), 400],
    ['where a rule leaves no scope', 'all-apis', of('nothing-left'), 400],
    ['for two APIs', 'all-apis', 'grant_type=client_credentials&resource=urn:orders&resource=urn:lookups', 400],
    ['for details', 'one-api', { ...of('orders'), authorization_details: '[]' }, 200],
  ] as [string, string, Fields | string, number][])(
    '%s it is answered by the engine alone',
    async (_, id, fields, status) => {
      const { short, long, same } = await asks(id, fields)
      expect(short.status, short.body).toBe(status)
      expectSame(...same)
      expect(orderOf(short)).toBe(orderOf(long))
    },
  )

  test("a partner's quota is counted and told on both ways, and what is too much is the engine's to say", async () => {
    const told: unknown[] = []
    for (let count = 0; count < 4; count++) {
      const { short, long } = await asks('acme')
      for (const { status, headers } of [short, long])
        told.push([status, headers['ratelimit']?.toString().replace(/t=\d+/, 't=T')])
    }
    const left = (r: number) => `"tokens";r=${r};t=T`
    expect(told.map((one) => (one as unknown[])[0])).toEqual([200, 200, 200, 200, 200, 200, 429, 429])
    expect(told.slice(0, 6).map((one) => (one as unknown[])[1])).toEqual([5, 4, 3, 2, 1, 0].map(left))
  })

  test.each(['Basic', 'basic'] as const)(
    'that is given after the end of its client is over, and one after that end not (%s)',
    async (scheme) => {
      const { revocations } = gateway.server.house
      const fields = of('lookups')
      const before = JSON.parse((await send(scheme, { id: 'all-apis', fields })).body).access_token
      await revocations.revoke({ kind: 'client', id: 'all-apis' }, 'test')
      const after = JSON.parse((await send(scheme, { id: 'all-apis', fields })).body).access_token
      expect([(await introspect(before))['active'], (await introspect(after))['active']]).toEqual([false, true])
    },
  )

  test('whatever is done to the bytes, both ways answer the same', async () => {
    const body = 'grant_type=client_credentials'
    const mutation = fc.record({
      at: fc.nat({ max: body.length }),
      cut: fc.nat({ max: 3 }),
      text: fc.oneof(
        fc.constant(''),
        fc.constantFrom('&', '=', '%', '%20', '+', '%67', '&scope=', '&grant_type=x', '\0', 'é', '&&', ';', '\n'),
        fc.string({ maxLength: 4 }),
      ),
    })
    let short = 0
    await fc.assert(
      fc.asyncProperty(
        mutation,
        fc.constantFrom('machine', 'scoped', 'closed', 'limited-machine'),
        async ({ at, cut, text }, id) => {
          const fields = body.slice(0, at) + text + body.slice(at + cut)
          const both = await asks(id, fields)
          expectSame(...both.same)
          if (orderOf(both.short) !== orderOf(both.long)) short++
        },
      ),
      { numRuns: 300 },
    )
    // among the mutations are some that change nothing
    expect(short).toBeGreaterThan(0)
  }, 60_000)

  const receipts = async () => {
    const count = sql<{ n: number }>`select count(*) as n from receipts`
    return (await count.execute(gateway.server.house.storage.records)).rows[0]!.n
  }
})
