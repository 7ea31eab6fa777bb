/** How many calls a partner may make: counted at the gateway, over all processes that share the state. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Gateway } from '../support/gateway.ts'
import { ASSERTION, assertion, contractOf, type Signing, signingKey } from '../support/partners.ts'
import { call, ORDERS, startApis } from './house.ts'

let gateway: Gateway
let key: Signing

beforeAll(async () => {
  key = await signingKey('one')
  gateway = await startApis()
  const byKey = { authentication: { method: 'private_key_jwt', jwks: { keys: [key.jwk] } } }
  const { problems } = await gateway.server.house.catalog.partners.apply(
    [
      contractOf('acme', { ...byKey, apis: { orders: ['orders:read'] }, quota: { calls: '10/1m' } }),
      contractOf('free', { ...byKey, apis: { orders: ['orders:read'] } }),
    ],
    { by: 'test' },
  )
  expect(problems).toEqual([])
})
afterAll(() => gateway.close())

async function tokenOf(id: string): Promise<string> {
  const answer = await fetch(`${gateway.issuer}/oauth2/token`, {
    method: 'POST',
    body: new URLSearchParams({
      ...{ grant_type: 'client_credentials', resource: ORDERS, client_assertion_type: ASSERTION },
      client_assertion: await assertion(id, gateway.issuer, key),
    }),
  })
  const { access_token: token, ...rest } = (await answer.json()) as Record<string, string>
  if (token === undefined) throw new Error(JSON.stringify(rest))
  return token
}

test('calls beyond the quota are answered 429 with when there are more; what would not pass anyway is not counted', async () => {
  const token = await tokenOf('acme')
  for (let i = 0; i < 20; i++) expect((await call(gateway, '/orders/1', token, { method: 'POST' })).status).toBe(403)
  const answers = await Promise.all(Array.from({ length: 30 }, () => call(gateway, '/orders/1', token)))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(10)
  const refused = answers.filter(({ status }) => status !== 200)
  expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([429]))
  for (const { headers, text } of refused) {
    expect(headers['ratelimit-policy']).toBe('"calls";q=10;w=60')
    expect(headers['ratelimit']).toMatch(/^"calls";r=0;t=\d+$/)
    expect(Number(headers['retry-after'])).toBeGreaterThan(0)
    expect(Number(headers['retry-after'])).toBeLessThanOrEqual(62)
    expect(JSON.parse(text)).toMatchObject({ status: 429, code: 'throttled', ref: expect.any(String) })
  }
  // whose contract says nothing of it is not counted
  const other = await tokenOf('free')
  const free = await Promise.all(Array.from({ length: 30 }, () => call(gateway, '/orders/1', other)))
  expect(free.every(({ status }) => status === 200)).toBe(true)
  expect(gateway.log()).toContain('quota-exceeded')
})
