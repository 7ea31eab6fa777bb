/** APIs as registered resources: who gets tokens for them, what these tokens say, and what they are worth elsewhere. */
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'

const ORDERS = 'https://api.kestrel.example/orders'
const STOCK = 'urn:kestrel:stock'
const policy = (name: string, ...rules: string[]) =>
  `policy: ${name}\nrules:\n${rules.map((r) => `  - ${r}\n`).join('')}`
const file = (more: object) => ({ file: 'apis/a.yaml', text: JSON.stringify(more) })
const orders = {
  ...{ api: 'orders', name: 'Orders', audience: ORDERS, policy: 'orders' },
  scopes: { 'orders:read': 'Read orders', 'orders:write': { en: 'Change orders', nl: 'Bestellingen wijzigen' } },
}
const stock = {
  ...{ api: 'stock', name: 'Stock', audience: STOCK, policy: 'open' },
  scopes: { 'stock:read': 'Read stock' },
  token: { format: 'opaque', lifetime: '2m' },
}
const program = (id: string, apis: object, more: object = {}) => ({
  ...{ id, template: 'machine', policy: 'open', oidc: { apis } },
  ...more,
})

let gateway: Gateway
beforeAll(async () => {
  gateway = await startGateway({
    policies: {
      ...POLICIES,
      'open.yaml': policy('open', '{ name: r, allow: {} }'),
      'orders.yaml': policy(
        'orders',
        '{ name: not this one, when: { client.id: [refused] }, deny: { say: No. } }',
        '{ name: short, when: { client.id: [short] }, allow: { scopes: [orders:read], token: { max: 1m } } }',
        '{ name: r, allow: {} }',
      ),
      'closed.yaml': policy('closed', '{ name: r, deny: { say: No. } }'),
    },
    apps: [
      program('one', { orders: ['orders:read', 'orders:write'] }),
      program('two', { orders: ['orders:read'], stock: ['stock:read'] }),
      program('refused', { orders: ['orders:read'] }),
      program('short', { orders: ['orders:read', 'orders:write'] }),
      program('closed', { orders: ['orders:read'] }, { policy: 'closed' }),
      program('gone', { gone: ['orders:read'] }),
      program('none', {}),
      program('api', {}, { tags: ['resource-server'] }),
    ] as never,
  })
  const { problems } = await gateway.server.house.apis.apply([file(orders), file(stock)], { by: 'test' })
  expect(problems).toEqual([])
})
afterAll(() => gateway.close())

interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
}
async function post(path: string, id: string, fields: Record<string, string>): Promise<Answer> {
  const answer = await fetch(`${gateway.issuer}/oauth2/${path}`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${id}:${gateway.secrets.get(id)}`)}` },
    body: new URLSearchParams(fields),
  })
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}
const token = (id: string, fields: Record<string, string> = {}) =>
  post('token', id, { grant_type: 'client_credentials', ...fields })

/** The claims of a token as an API reads them (RFC 9068 §4). */
async function read(jwt: unknown, audience: string) {
  const jwks = await (await fetch(`${gateway.issuer}/oauth2/jwks`)).json()
  const options = { issuer: gateway.issuer, audience, typ: 'at+jwt' }
  return (await jwtVerify(String(jwt), createLocalJWKSet(jwks), options)).payload
}

describe('a token for an API', () => {
  test('is a JWT that names the API, the client and the scopes (RFC 9068 §2.2)', async () => {
    const { status, body } = await token('one', { resource: ORDERS, scope: 'orders:read' })
    expect([status, body['token_type'], body['expires_in'], body['scope']]).toEqual([200, 'Bearer', 300, 'orders:read'])
    const claims = await read(body['access_token'], ORDERS)
    expect(claims).toMatchObject({ sub: 'one', client_id: 'one', scope: 'orders:read', aud: ORDERS })
    expect(claims.jti).toMatch(/^[\w-]{16,}$/)
    expect(claims.exp! - claims.iat!).toBe(300)
    expect(decodeProtectedHeader(String(body['access_token']))).toMatchObject({ alg: 'ES256', typ: 'at+jwt' })
  })

  test('is meant where a program calls one API only and names none, with all that it may have', async () => {
    const { body } = await token('one')
    expect(body['scope']).toBe('orders:read orders:write')
    expect(await read(body['access_token'], ORDERS)).toMatchObject({ scope: 'orders:read orders:write' })
  })

  test('is opaque where the API wants it so, and told to the API alone', async () => {
    const { body } = await token('two', { resource: STOCK })
    expect(body).toMatchObject({ expires_in: 120, scope: 'stock:read' })
    expect(body['access_token']).not.toContain('.')
    const told = await post('introspection', 'api', { token: String(body['access_token']) })
    expect(told.body).toMatchObject({ active: true, aud: STOCK, scope: 'stock:read', client_id: 'two' })
    const others = await post('introspection', 'none', { token: String(body['access_token']) })
    expect(others.body).toEqual({ active: false })
  })

  test('with EdDSA where the API says so', async () => {
    await gateway.server.house.apis.apply([file({ ...orders, token: { alg: 'EdDSA' } })], { by: 'test' })
    const { body } = await token('one')
    expect(decodeProtectedHeader(String(body['access_token'])).alg).toBe('EdDSA')
    expect(await read(body['access_token'], ORDERS)).toMatchObject({ aud: ORDERS })
    await gateway.server.house.apis.apply([file(orders)], { by: 'test' })
    expect(decodeProtectedHeader(String((await token('one')).body['access_token'])).alg).toBe('ES256')
  })

  test.each([
    ['another API', 'one', { resource: STOCK }, 'invalid_target'],
    ['an API that nobody has registered', 'one', { resource: 'https://api.kestrel.example/other' }, 'invalid_target'],
    ['an API that is gone', 'gone', { resource: ORDERS }, 'invalid_target'],
    ['the address with something after it', 'one', { resource: `${ORDERS}/` }, 'invalid_target'],
    ['the address in capitals', 'one', { resource: ORDERS.replace('api', 'API') }, 'invalid_target'],
    ['a fragment', 'one', { resource: `${ORDERS}#a` }, 'invalid_target'],
    ['no address', 'one', { resource: 'orders' }, 'invalid_target'],
    ['any API, of a program without', 'none', { resource: ORDERS }, 'invalid_target'],
    ['a scope that it may not have', 'two', { resource: ORDERS, scope: 'orders:write' }, 'invalid_scope'],
    ['a scope of another API', 'two', { resource: ORDERS, scope: 'stock:read' }, 'invalid_scope'],
    ['a scope in other letters', 'one', { resource: ORDERS, scope: 'ORDERS:READ' }, 'invalid_scope'],
  ])('is not given for %s', async (_, id, fields, error) => {
    const { status, body } = await token(id, fields as unknown as Record<string, string>)
    expect([status, body['error'], body['access_token']]).toEqual([400, error, undefined])
  })

  test('is for one API: of two that are asked for at once it is for none', async () => {
    const fields = new URLSearchParams([
      ...[
        ['grant_type', 'client_credentials'],
        ['resource', ORDERS],
        ['resource', STOCK],
      ],
    ] as [string, string][])
    const answer = await fetch(`${gateway.issuer}/oauth2/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`two:${gateway.secrets.get('two')}`)}` },
      body: fields,
    })
    expect([answer.status, ((await answer.json()) as { error: string }).error]).toEqual([400, 'invalid_target'])
  })

  test('has of several scopes those that it may have', async () => {
    const { body } = await token('two', { resource: ORDERS, scope: 'orders:read orders:write' })
    expect(body['scope']).toBe('orders:read')
  })
})

describe('the policy of the API decides', () => {
  test('and its receipt is in the answer and found by its reference', async () => {
    const { status, body } = await token('refused')
    expect([status, body['error'], body['access_token']]).toEqual([400, 'access_denied', undefined])
    const [, reference] = /\/why\/([0-9A-Z]{4}-[0-9A-Z]{4})$/.exec(String(body['error_uri']))!
    expect(body['error_description']).toContain(reference)
    const receipt = await gateway.server.house.receipts.find(reference!)
    expect(receipt).toMatchObject({ policy: 'orders', rule: 'not this one' })
    expect(receipt!.facts).toMatchObject({ client: { id: 'refused', scopes: ['orders:read'] } })
  })

  test('with that of the program: both let it in, or it gets nothing', async () => {
    const { body } = await token('closed')
    expect(body['error']).toBe('access_denied')
  })

  test('and may cut scopes and life', async () => {
    const { body } = await token('short')
    expect([body['scope'], body['expires_in']]).toEqual(['orders:read', 60])
    const claims = await read(body['access_token'], ORDERS)
    expect([claims['scope'], claims.exp! - claims.iat!]).toEqual(['orders:read', 60])
  })
})

test('a program without APIs gets the tokens that it always got', async () => {
  const { status, body } = await token('none')
  expect(status).toBe(200)
  expect(body['access_token']).not.toContain('.')
  expect(body['expires_in']).toBe(600)
})

test.each([
  ['dpop', 'a key (DPoP)'],
  ['mtls', 'a client certificate'],
  ['either', 'a key (DPoP) or a client certificate'],
])('an API with `sender_constraint: %s` has no tokens that would be of use to anybody', async (constraint, by) => {
  await gateway.server.house.apis.apply([file({ ...orders, sender_constraint: constraint })], { by: 'test' })
  const { status, body } = await token('one')
  await gateway.server.house.apis.apply([file(orders)], { by: 'test' })
  expect([status, body['access_token']]).toEqual([400, undefined])
  expect(body['error_description']).toContain(by)
})
