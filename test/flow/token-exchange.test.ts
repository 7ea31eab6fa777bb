/** Token exchange (RFC 8693): an API calls another one for the person whose token it was called with. */
import { calculateJwkThumbprint, createLocalJWKSet, jwtVerify } from 'jose'
import * as oidc from 'openid-client'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createBrowser } from '../../demo/browser.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { postFrom } from '../support/partners.ts'
import { POLICIES } from '../support/policies.ts'
import { ecKeys, es256, now, type ProofParts, proof, publicJwk, respelled } from '../support/proofs.ts'
import { atCallback, CALLBACK, relyingParty, typePassword } from '../support/relying-party.ts'

const at = (id: string) => `https://api.kestrel.example/${id}`
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const policy = (name: string, ...rules: string[]) =>
  `policy: ${name}\nrules:\n${rules.map((r) => `  - ${r}\n`).join('')}`
const service = (id: string, apis: object) => ({
  ...{ id, template: 'machine', policy: 'open' },
  oidc: { apis, grant_types: ['client_credentials', EXCHANGE] },
})
const api = (id: string, scopes: string[], more: object = {}) => ({
  file: `${id}.yaml`,
  text: JSON.stringify({
    ...{ api: id, name: id, audience: at(id), policy: 'open' },
    scopes: Object.fromEntries(scopes.map((scope) => [scope, scope])),
    ...more,
  }),
})
const takes = (from: string, by: string[], scopes: object) => ({ exchange: [{ from, by, scopes }] })

let gateway: Gateway
let username: string
let id: string
let count = 0
beforeAll(async () => {
  gateway = await startGateway({
    policies: {
      ...POLICIES,
      'open.yaml': policy(
        'open',
        '{ name: not them, when: { user.groups: [barred] }, deny: { say: No. } }',
        '{ name: r, allow: {} }',
      ),
      'indoors.yaml': policy(
        'indoors',
        '{ name: inside, when: { network: [inside] }, allow: { scopes: [stock:read] } }',
      ),
      'networks.yaml': `${POLICIES['networks.yaml']}  inside: { ranges: [127.0.0.9] }\n`,
      'strict.yaml': policy('strict', '{ name: twice, allow: { strength: two-factors } }'),
    },
    apps: [
      {
        ...{ id: 'shop', name: 'Shop', policy: 'open', audience: ['staff'] },
        oidc: {
          redirect_uris: [CALLBACK],
          scopes: ['openid', 'offline_access'],
          grant_types: ['authorization_code', 'refresh_token'],
          apis: { orders: ['orders:read', 'orders:write'] },
        },
      },
      service('orders-service', { stock: ['stock:read', 'stock:write'], vault: ['open'], orders: ['orders:read'] }),
      service('stock-service', { trucks: ['trucks:see'], orders: ['orders:read'], loose: ['loose:see'] }),
      service('trucks-service', { gates: ['gates:open'] }),
      service('gates-service', { lamps: ['lamps:on'], orders: ['orders:read'] }),
      {
        ...service('bound-service', {}),
        oidc: { ...service('bound-service', { stock: ['stock:read'] }).oidc, dpop_bound_access_tokens: true },
      },
      {
        ...service('certified-service', {}),
        oidc: {
          ...service('certified-service', { stock: ['stock:read'] }).oidc,
          tls_client_certificate_bound_access_tokens: true,
        },
      },
      { ...service('indoor-service', { stock: ['stock:read', 'stock:write'] }), policy: 'indoors' },
      service('stranger', { stock: ['stock:read'] }),
      service('unregistered', {}),
      { id: 'plain', template: 'machine', policy: 'open', oidc: { apis: { stock: ['stock:read'] } } },
    ] as never,
  })
  const { problems } = await gateway.server.house.apis.apply(
    [
      api(
        'orders',
        ['orders:read', 'orders:write'],
        takes('trucks', ['gates-service'], { 'trucks:see': ['orders:read'] }),
      ),
      api('stock', ['stock:read', 'stock:write', 'stock:burn'], {
        token: { lifetime: '1h' },
        ...takes('orders', ['orders-service', 'bound-service', 'certified-service', 'indoor-service'], {
          'orders:read': ['stock:read'],
          'orders:write': ['stock:read', 'stock:write'],
        }),
      }),
      api('vault', ['open'], { policy: 'strict', ...takes('orders', ['orders-service'], { 'orders:read': ['open'] }) }),
      api('trucks', ['trucks:see'], takes('stock', ['stock-service'], { 'stock:read': ['trucks:see'] })),
      api('loose', ['loose:see'], {
        exchange: [{ from: 'stock', by: ['stock-service'], scopes: { 'stock:read': ['loose:see'] }, unbound: true }],
      }),
      api('gates', ['gates:open'], takes('trucks', ['trucks-service'], { 'trucks:see': ['gates:open'] })),
      api('lamps', ['lamps:on'], takes('gates', ['gates-service'], { 'gates:open': ['lamps:on'] })),
    ],
    { by: 'test' },
  )
  expect(problems).toEqual([])
})
afterAll(() => gateway.close())
beforeEach(async () => {
  username = `person${++count}`
  id = (
    await gateway.server.house.people.add({ username, name: username, groups: ['staff'], password: PASSWORD }, 'test')
  ).id
})

/** What the orders API is called with. */
async function called(scope = 'openid orders:read'): Promise<string> {
  const party = await relyingParty(gateway, 'shop')
  const begun = await party.begin({ resource: at('orders'), scope })
  const browser = createBrowser({ stopAt: CALLBACK })
  const page = await typePassword(browser, await browser.open(begun.url.href), username)
  expect(atCallback(page)).toBe(true)
  const checks = { pkceCodeVerifier: begun.verifier, expectedState: begun.state, expectedNonce: begun.nonce }
  const tokens = await oidc.authorizationCodeGrant(party.configuration, page.url, checks, { resource: at('orders') })
  return tokens.access_token
}

async function exchange(
  client: string,
  token: string,
  resource: string,
  more: Record<string, string | undefined> = {},
  headers: Record<string, string> = {},
) {
  const fields = {
    ...{ grant_type: EXCHANGE, subject_token: token, subject_token_type: ACCESS_TOKEN, resource: at(resource) },
    ...more,
  }
  const sent = Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined)
  const answer = await fetch(`${gateway.issuer}/oauth2/token`, {
    method: 'POST',
    headers: { ...headers, authorization: `Basic ${btoa(`${client}:${gateway.secrets.get(client)}`)}` },
    body: new URLSearchParams(sent),
  })
  return { status: answer.status, ...((await answer.json()) as Record<string, unknown>) } as Record<string, unknown>
}

async function read(jwt: unknown, audience: string) {
  const jwks = await (await fetch(`${gateway.issuer}/oauth2/jwks`)).json()
  const options = { issuer: gateway.issuer, audience: at(audience), typ: 'at+jwt' }
  return (await jwtVerify(String(jwt), createLocalJWKSet(jwks), options)).payload
}

// ATTACK: the secret of a service and one token, taken to where its policy gives that service nothing
test('a service that may ask from inside only exchanges nothing from elsewhere, and gets there what its rule says', async () => {
  const token = await called('openid orders:read orders:write')
  const outside = await exchange('indoor-service', token, 'stock')
  expect([outside['status'], outside['error']]).toEqual([400, 'access_denied'])
  expect(outside['error_uri']).toMatch(/\/why\//)
  const fields = { grant_type: EXCHANGE, subject_token: token, subject_token_type: ACCESS_TOKEN, resource: at('stock') }
  const authorization = `Basic ${btoa(`indoor-service:${gateway.secrets.get('indoor-service')}`)}`
  const inside = await postFrom('127.0.0.9', `${gateway.issuer}/oauth2/token`, fields, { authorization })
  expect([inside.status, inside.body['scope']]).toEqual([200, 'stock:read'])
})

describe('a token that an API was called with', () => {
  test('becomes one for another API: of the same person, by this client, with what its scopes are worth there', async () => {
    const token = await called()
    const answer = await exchange('orders-service', token, 'stock')
    expect(answer).toMatchObject({
      status: 200,
      issued_token_type: ACCESS_TOKEN,
      token_type: 'Bearer',
      scope: 'stock:read',
    })
    const [before, after] = [await read(token, 'orders'), await read(answer['access_token'], 'stock')]
    expect(after).toMatchObject({ sub: id, client_id: 'orders-service', act: { sub: 'orders-service' }, acr: 'any' })
    expect(after.exp).toBeLessThanOrEqual(before.exp!)
    const [event] = await gateway.server.house.audit.search({ event: 'token-exchanged', subject: id })
    expect(event).toMatchObject({ actor: 'orders-service', reason: 'stock' })
  })

  test('is worth more with more scopes, and never more than that', async () => {
    const token = await called('openid orders:read orders:write')
    expect((await exchange('orders-service', token, 'stock'))['scope']).toBe('stock:read stock:write')
    expect((await exchange('orders-service', token, 'stock', { scope: 'stock:read stock:burn' }))['scope']).toBe(
      'stock:read',
    )
    const burn = await exchange('orders-service', token, 'stock', { scope: 'stock:burn' })
    expect([burn['error'], burn['access_token']]).toEqual(['invalid_scope', undefined])
    const narrow = await called('openid orders:read')
    expect((await exchange('orders-service', narrow, 'stock', { scope: 'stock:write' }))['error']).toBe('invalid_scope')
  })

  test('goes from hand to hand, and each of them stays named; not a fourth time, and not back to one that had it', async () => {
    const first = await exchange('orders-service', await called(), 'stock')
    const second = await exchange('stock-service', String(first['access_token']), 'trucks')
    const third = await exchange('trucks-service', String(second['access_token']), 'gates')
    expect((await read(third['access_token'], 'gates'))['act']).toEqual({
      sub: 'trucks-service',
      act: { sub: 'stock-service', act: { sub: 'orders-service' } },
    })
    const fourth = await exchange('gates-service', String(third['access_token']), 'lamps')
    expect([fourth['error'], fourth['access_token']]).toEqual(['invalid_request', undefined])
    await gateway.server.house.apis.apply(
      [api('stock', ['stock:read'], takes('stock', ['orders-service'], { 'stock:read': ['stock:read'] }))],
      { by: 'test' },
    )
    const around = await exchange('orders-service', String(first['access_token']), 'stock')
    expect([around['error'], around['access_token']]).toEqual(['invalid_request', undefined])
    await gateway.server.house.apis.apply(
      [
        api('stock', ['stock:read', 'stock:write', 'stock:burn'], {
          token: { lifetime: '1h' },
          ...takes('orders', ['orders-service', 'bound-service', 'certified-service', 'indoor-service'], {
            'orders:read': ['stock:read'],
            'orders:write': ['stock:read', 'stock:write'],
          }),
        }),
      ],
      { by: 'test' },
    )
  })

  test.each([
    ['by a client that the API does not name', 'stranger', 'stock', {}, 'invalid_request'],
    ['by a client without the grant', 'plain', 'stock', {}, 'unauthorized_client'],
    ['for an API that the client may not have', 'unregistered', 'stock', {}, 'invalid_target'],
    ['for an API that nobody has registered', 'orders-service', 'none', {}, 'invalid_target'],
    ['for an API that takes no tokens of this one', 'stock-service', 'trucks', {}, 'invalid_request'],
    ['with two addresses', 'orders-service', 'stock', { audience: at('vault') }, 'invalid_target'],
    ['without a type', 'orders-service', 'stock', { subject_token_type: undefined }, 'invalid_request'],
    [
      'as an ID token',
      'orders-service',
      'stock',
      { subject_token_type: 'urn:ietf:params:oauth:token-type:id_token' },
      'invalid_request',
    ],
    [
      'for a refresh token',
      'orders-service',
      'stock',
      { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
      'invalid_request',
    ],
    [
      'with another actor',
      'orders-service',
      'stock',
      { actor_token: 'a', actor_token_type: ACCESS_TOKEN },
      'invalid_request',
    ],
    ['where the policy of the API wants more', 'orders-service', 'vault', {}, 'access_denied'],
  ])('is not exchanged %s', async (_, client, resource, more, error) => {
    const answer = await exchange(client, await called(), resource, more)
    expect([answer['status'], answer['error'], answer['access_token']]).toEqual([400, error, undefined])
  })

  test('is not exchanged in another spelling, cut, signed by nobody, or made up', async () => {
    const token = await called()
    const [head, body, tag] = token.split('.') as [string, string, string]
    const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'at+jwt' })).toString('base64url')
    const other = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(body, 'base64url').toString()), sub: 'x' }))
    for (const wrong of [
      `${token}=`,
      `${head}.${body}`,
      `${none}.${body}.`,
      `${none}.${body}.${tag}`,
      `${head}.${other.toString('base64url')}.${tag}`,
      'made-up',
      '',
      'a'.repeat(20_000),
    ]) {
      const answer = await exchange('orders-service', wrong, 'stock')
      expect([answer['status'], answer['access_token']], wrong.slice(0, 30)).toEqual([expect.any(Number), undefined])
      expect(answer['status'], wrong.slice(0, 30)).toBeGreaterThanOrEqual(400)
      expect(answer['status'], wrong.slice(0, 30)).toBeLessThan(500)
    }
  })

  test('is not exchanged when the person has signed out, is switched off, or is refused now', async () => {
    const [one, two, three] = [await called(), await called(), await called()] as const
    const { people, sessions } = gateway.server.house
    await people.addToGroup(id, 'barred', 'test')
    expect((await exchange('orders-service', one, 'stock'))['error']).toBe('access_denied')
    await people.removeFromGroup(id, 'barred', 'test')
    expect((await exchange('orders-service', one, 'stock'))['status']).toBe(200)
    await sessions.endAll(id, 'signed-out', id)
    expect((await exchange('orders-service', two, 'stock'))['error']).toBe('invalid_request')
    await people.disable(id, 'test')
    expect((await exchange('orders-service', three, 'stock'))['error']).toBe('invalid_request')
  })

  test('is not exchanged once it was revoked', async () => {
    const token = await called()
    expect((await exchange('orders-service', token, 'stock'))['status']).toBe(200)
    const { jti } = await read(token, 'orders')
    await gateway.server.house.revocations.revoke({ kind: 'token', id: jti! }, 'test')
    expect((await exchange('orders-service', token, 'stock'))['error']).toBe('invalid_request')
  })

  test("of a program speaks for nobody, and one of another API's is none of this", async () => {
    const own = await fetch(`${gateway.issuer}/oauth2/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`orders-service:${gateway.secrets.get('orders-service')}`)}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: at('orders') }),
    })
    const { access_token } = (await own.json()) as { access_token: string }
    expect((await exchange('orders-service', access_token, 'stock'))['error']).toBe('invalid_request')
    const first = await exchange('orders-service', await called(), 'stock')
    expect((await exchange('orders-service', String(first['access_token']), 'vault'))['error']).toBe('invalid_request')
  })
})

describe('what an API gets for a key of its own', () => {
  const keys = ecKeys()
  const by = async (token: string, dpop: string | undefined, client = 'bound-service') =>
    exchange(client, token, 'stock', {}, dpop === undefined ? {} : { dpop })
  const right = (parts: ProofParts = {}) => proof(keys, `${gateway.issuer}/oauth2/token`, parts)

  test('is bound to it, by a proof that opens once, of 50 at once exactly once', async () => {
    const token = await called()
    const answer = await by(token, right())
    expect([answer['status'], answer['token_type']]).toEqual([200, 'DPoP'])
    const jkt = await calculateJwkThumbprint(publicJwk(keys) as never)
    expect((await read(answer['access_token'], 'stock'))['cnf']).toEqual({ jkt })
    const same = right()
    const answers = await Promise.all(Array.from({ length: 50 }, () => by(token, same)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ error }) => error === 'invalid_grant')).toHaveLength(49)
  })

  test.each<[string, () => string | undefined]>([
    ['no proof', () => undefined],
    ['a proof for another address', () => proof(keys, `${gateway.issuer}/oauth2/revocation`)],
    ['a proof for another method', () => right({ claims: { htm: 'GET' } })],
    ['a proof of two minutes ago', () => right({ claims: { iat: now() - 120 } })],
    ['a proof that somebody else signed', () => right({ signer: es256(ecKeys().privateKey) })],
    ['a proof of another type', () => right({ header: { typ: 'JWT' } })],
    ['a proof without id', () => right({ claims: { jti: undefined } })],
    ['two proofs', () => `${right()}, ${right()}`],
    ['a proof in another spelling', () => respelled(right())],
    ['no JWT', () => 'x'],
  ])('is not had with %s', async (_, make) => {
    const answer = await by(await called(), make())
    expect([answer['status'], answer['access_token']]).toEqual([400, undefined])
    expect(answer['error']).toMatch(/^invalid_(grant|dpop_proof)$/)
  })

  test('is bound for whoever shows a key, also where none is asked for', async () => {
    expect((await by(await called(), right(), 'orders-service'))['token_type']).toBe('DPoP')
  })

  test('is never exchanged for one that anybody could use, unless the API says that it may', async () => {
    const bound = String((await by(await called(), right()))['access_token'])
    const bare = await exchange('stock-service', bound, 'trucks')
    expect([bare['status'], bare['error'], bare['access_token']]).toEqual([400, 'invalid_request', undefined])
    const kept = await exchange('stock-service', bound, 'trucks', {}, { dpop: right() })
    expect([kept['status'], kept['token_type']]).toEqual([200, 'DPoP'])
    expect((await exchange('stock-service', bound, 'loose'))['token_type']).toBe('Bearer')
  })

  test('is not had by who is registered with a certificate and comes without', async () => {
    const answer = await by(await called(), undefined, 'certified-service')
    expect([answer['status'], answer['error']]).toEqual([400, 'invalid_grant'])
  })
})

test('a file of an API that gives what it does not have is refused with its place', async () => {
  const { problems } = await gateway.server.house.apis.apply(
    [api('more', ['a'], takes('orders', ['orders-service'], { 'orders:read': ['b'] }))],
    { by: 'test' },
  )
  expect(problems).toMatchObject([{ code: 'scope-unknown', line: 1 }])
})
