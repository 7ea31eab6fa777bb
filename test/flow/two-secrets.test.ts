/** `apps rotate-secret --overlap`: for a while an app may show either secret, wherever it shows one. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Travel, travelTo } from '../../bench/fake-date.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'

const DAY = 86_400_000

let clock: Travel
let gateway: Gateway

beforeAll(async () => {
  clock = travelTo(Date.parse('2026-11-23T09:00:00Z'))
  gateway = await startGateway({
    apps: [
      { id: 'stock', template: 'machine', oidc: { token_endpoint_auth_method: 'client_secret_basic' } },
      { id: 'posting', template: 'machine', oidc: { token_endpoint_auth_method: 'client_secret_post' } },
    ],
  })
})
afterAll(async () => {
  await gateway.close()
  clock.end()
})

const apps = () => gateway.server.house.catalog.apps

/** The status of a request for a token, and of one for what a token is, with this secret. */
async function taken(id: string, secret: string): Promise<number[]> {
  const basic = id === 'stock' && { authorization: `Basic ${btoa(`${id}:${encodeURIComponent(secret)}`)}` }
  const asked = async (path: string, fields: Record<string, string>) => {
    const body = new URLSearchParams({ ...fields, ...(!basic && { client_id: id, client_secret: secret }) })
    const response = await fetch(`${gateway.issuer}${path}`, { method: 'POST', headers: { ...basic }, body })
    await response.arrayBuffer()
    return response.status
  }
  return [
    await asked('/oauth2/token', { grant_type: 'client_credentials' }),
    await asked('/oauth2/introspection', { token: 'anything' }),
  ]
}

test.each(['stock', 'posting'])('%s shows the old secret and the new one until the overlap ends', async (id) => {
  const { clientSecret: first } = await apps().rotateSecret(id, 'cli')
  const { clientSecret: second } = await apps().rotateSecret(id, 'cli', 7 * DAY)
  expect(await taken(id, first)).toEqual([200, 200])
  expect(await taken(id, second)).toEqual([200, 200])
  expect(await taken(id, `${first}x`)).toEqual([401, 401])
  clock.advance(7 * DAY - 1)
  expect(await taken(id, first)).toEqual([200, 200])
  clock.advance(1)
  expect(await taken(id, first)).toEqual([401, 401])
  expect(await taken(id, second)).toEqual([200, 200])
})

test('the overlap ends sooner when the administrator says so, and without one the old secret ends at once', async () => {
  const { clientSecret: first } = await apps().rotateSecret('stock', 'cli')
  const { clientSecret: second } = await apps().rotateSecret('stock', 'cli', DAY)
  await apps().endPreviousSecret('stock', 'cli')
  expect(await taken('stock', first)).toEqual([401, 401])
  const { clientSecret: third } = await apps().rotateSecret('stock', 'cli')
  expect(await taken('stock', second)).toEqual([401, 401])
  expect(await taken('stock', third)).toEqual([200, 200])
})
