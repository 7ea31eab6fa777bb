/** What a proxy in front of an API is told about each call. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Gateway } from '../support/gateway.ts'
import { call, HOST, ORDERS, post, STOCK, startApis, tokenOf } from './house.ts'

let gateway: Gateway
let one: string
let reader: string
beforeAll(async () => {
  gateway = await startApis()
  one = await tokenOf(gateway, 'one')
  reader = await tokenOf(gateway, 'reader')
})
afterAll(() => gateway?.close())

describe('a call', () => {
  test('with a token that covers it passes, and the API is told who calls', async () => {
    const { status, told, headers } = await call(gateway, '/orders/1?a=b', one)
    expect([status, told]).toEqual([200, ['one', 'one', 'orders:read orders:write']])
    expect(headers['cache-control']).toBe('no-store')
  })

  test('without a token is told what it needs, and where it gets it (RFC 6750 §3, RFC 9728 §5.1)', async () => {
    const { status, challenge, text } = await call(gateway, '/orders/1', undefined)
    // at the API's own host, with the words put in before its path: only there the document is about its address (§3.3)
    const metadata = 'https://api.kestrel.example/.well-known/oauth-protected-resource/orders'
    expect([status, challenge]).toEqual([401, `Bearer scope="orders:read", resource_metadata="${metadata}"`])
    expect(JSON.parse(text)).toMatchObject({ code: 'token-required', ref: expect.stringMatching(/^E-/) })
    const place = `${gateway.issuer}/.well-known/oauth-protected-resource`
    // no keys: an API signs nothing (§2 `jwks_uri` is for keys of its own)
    expect(await (await fetch(`${place}/orders`)).json()).toEqual({
      resource: ORDERS,
      authorization_servers: [gateway.issuer],
      scopes_supported: ['orders:read', 'orders:write'],
      bearer_methods_supported: ['header'],
      resource_name: 'Orders',
      dpop_signing_alg_values_supported: ['ES256', 'EdDSA', 'Ed25519', 'PS256'],
    })
    // §1.2: what is no https address has none
    expect((await fetch(`${place}/stock`)).status).toBe(404)
    const urn = await call(gateway, '/1', undefined, { host: 'stock.kestrel.example' })
    expect(urn.challenge).toBe('Bearer scope="stock:read"')
  })

  test.each([
    ['GET', '/orders/1', 200],
    ['HEAD', '/orders/1', 200],
    ['POST', '/orders/1', 403],
    ['DELETE', '/orders/1', 403],
    ['PATCH', '/orders/1', 403],
    ['GET', '/orders', 200],
    ['GET', '/ORDERS/1', 200],
    ['GET', '/orders/internal/x', 403],
    ['GET', '/orders/INTERNAL/x', 403],
    ['GET', '/nothing', 403],
    ['GET', '/orders/..%2fadmin', 400],
    ['GET', '/orders/a//b', 400],
    ['GET', '/orders/%2e%2e/internal/x', 400],
    ['TRACE', '/orders/1', 400],
  ])('%s %s with what only reads is answered %i', async (method, path, status) => {
    expect((await call(gateway, path, reader, { method })).status).toBe(status)
  })

  test('that the token does not cover names the scopes that it needs', async () => {
    const { status, challenge, text } = await call(gateway, '/orders/1', reader, { method: 'DELETE' })
    expect(status).toBe(403)
    expect(challenge).toMatch(
      /^Bearer error="insufficient_scope", scope="orders:read orders:write", resource_metadata=/,
    )
    expect(JSON.parse(text)).toMatchObject({ code: 'scope-missing', ref: expect.any(String) })
  })

  test('to what is public needs no token, and carries nobody', async () => {
    const { status, told } = await call(gateway, '/health', undefined)
    expect([status, told]).toEqual([200, ['', '', '']])
    expect((await call(gateway, '/HEALTH', undefined)).status).toBe(403)
  })

  test.each([
    ['x-http-method-override', { 'x-http-method-override': 'DELETE' }, '/orders/1'],
    ['the query', {}, '/orders/1?_method=DELETE'],
    ['the path in a header', { 'x-rewrite-url': '/health' }, '/orders/1'],
  ])('that %s makes another one needs what that one needs', async (_, headers, path) => {
    expect((await call(gateway, path, reader, { headers })).status).toBeGreaterThanOrEqual(400)
  })

  test('by a form needs what its hidden method would', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    const writer = await tokenOf(gateway, 'one', ORDERS, { scope: 'orders:write' })
    expect((await call(gateway, '/orders/1', writer, { method: 'POST' })).status).toBe(200)
    expect((await call(gateway, '/orders/1', writer, { method: 'POST', headers: form })).status).toBe(403)
  })

  test('with a token for another API is refused', async () => {
    const stock = await tokenOf(gateway, 'one', STOCK)
    expect((await call(gateway, '/orders/1', stock)).status).toBe(401)
    expect((await call(gateway, '/x', one, { host: 'signed.kestrel.example' })).status).toBe(401)
    expect(
      (
        await call(gateway, '/x', await tokenOf(gateway, 'one', 'urn:kestrel:signed'), {
          host: 'signed.kestrel.example',
        })
      ).status,
    ).toBe(200)
  })
})

describe('an opaque token', () => {
  test('opens, from the networks of the API only, and no more once it is revoked', async () => {
    const token = await tokenOf(gateway, 'one', STOCK)
    const ask = (from?: object) => call(gateway, '/x', token, { host: 'stock.kestrel.example', ...from })
    expect(await ask()).toMatchObject({ status: 200, told: ['one', 'one', 'stock:read'] })
    expect((await ask({ headers: { 'X-Forwarded-For': '203.0.113.9' } })).status).toBe(403)
    expect((await post(gateway, 'revocation', 'one', { token })).status).toBe(200)
    expect((await ask()).status).toBe(401)
  })
})

describe('the policy', () => {
  test('decides about each call by where it comes from, and its receipt explains it', async () => {
    const token = await tokenOf(gateway, 'late')
    expect((await call(gateway, '/orders/1', token)).status).toBe(200)
    const refused = await call(gateway, '/orders/1', token, { headers: { 'X-Forwarded-For': '203.0.113.9' } })
    const { code, ref } = JSON.parse(refused.text)
    expect([refused.status, code]).toEqual([403, 'access-refused'])
    const receipt = await gateway.server.house.receipts.find(ref)
    expect(receipt).toMatchObject({ rule: 'at the gateway only', facts: { client: { id: 'late' } } })
  })

  test('cuts what a token may be used for', async () => {
    const token = await tokenOf(gateway, 'less', ORDERS, { scope: 'orders:read' })
    expect((await call(gateway, '/orders/1', token)).told).toEqual(['less', 'less', 'orders:read'])
  })
})

describe('whoever asks', () => {
  test('and is no proxy of ours is not answered', async () => {
    expect((await call(gateway, '/orders/1', one, { from: '127.0.0.2' })).status).toBe(403)
    expect((await call(gateway, '/health', undefined, { from: '127.0.0.2' })).status).toBe(403)
  })

  test.each([
    ['a host of no API', { host: 'elsewhere.kestrel.example' }],
    ['the API of another host', { query: '?api=stock' }],
    ['an API that is not there', { query: '?api=none' }],
    ['plain http', { headers: { 'X-Forwarded-Proto': 'http' } }],
    ['a host twice', { host: `${HOST},stock.kestrel.example` }],
    ['two addresses at once', { headers: { 'X-Original-URL': `https://${HOST}/health`, 'X-Original-Method': 'GET' } }],
    ['a twin of what the API is told', { headers: { X_Portico_Client: 'admin' } }],
    ['a tunnel', { headers: { upgrade: 'h2c' } }],
  ])('and says %s gets no 2xx', async (_, about) => {
    expect((await call(gateway, '/orders/1', one, about)).status).toBeGreaterThanOrEqual(400)
  })

  test('and names the API as it is gets the answer', async () => {
    expect((await call(gateway, '/orders/1', one, { query: '?api=orders' })).status).toBe(200)
  })
})
