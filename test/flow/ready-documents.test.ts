/** Discovery and keys are kept as the engine wrote them: the same bytes and headers, until what they rest on changes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { type RawAnswer, sendRaw } from '../support/raw.ts'

const PATHS = ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server', '/oauth2/jwks']

let now = Date.parse('2026-12-01T09:00:00Z')
let gateway: Gateway
beforeAll(async () => {
  gateway = await startGateway({ policies: POLICIES, clock: { now: () => now } })
})
afterAll(() => gateway?.close())

const ask = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  sendRaw(Number(new URL(gateway.issuer).port), { method, path, headers })
const same = ({ status, headers: { date: _, ...headers }, body }: RawAnswer) => ({ status, headers, body })
/** So much later that nothing is kept. */
const later = () => {
  now += 2_000
}

describe.each(PATHS)('%s', (path) => {
  test('is the same from the engine and kept, in every header', async () => {
    later()
    const [engine, kept] = [await ask(path), await ask(path)]
    expect(engine.status).toBe(200)
    expect(same(kept)).toEqual(same(engine))
    expect(kept.headers['cache-control']).toBe('public, max-age=1800')
    expect(kept.headers['x-content-type-options']).toBe('nosniff')
  })

  test.each([
    ['with HEAD', {}, 'HEAD'],
    ['from a page', { origin: 'https://app.example' }, 'GET'],
    ['for a page that may not', { origin: 'null' }, 'GET'],
  ] as [string, Record<string, string>, string][])('%s it is the engine that answers', async (_, headers, method) => {
    later()
    const plain = await ask(path)
    later()
    const fresh = await ask(path, headers, method)
    expect(same(await ask(path))).toEqual(same(plain))
    expect(same(await ask(path, headers, method))).toEqual(same(fresh))
  })

  test('says our addresses, whatever host the first who asked had named', async () => {
    later()
    const first = await ask(path, { host: 'evil.example', 'x-forwarded-host': 'evil.example' })
    expect(first.body).not.toContain('evil')
    expect(same(await ask(path)).body).toBe(first.body)
  })
})

test('with a query the engine answers, and what it says is kept for nobody', async () => {
  later()
  const [plain, queried] = [await ask('/oauth2/jwks'), await ask('/oauth2/jwks?x=1')]
  expect(queried.body).toBe(plain.body)
})

test('types of authorization details of a new API stand there within a second', async () => {
  const api = {
    ...{ api: 'payments', name: 'Payments', owner: 'it@kestrel.example', audience: 'urn:payments', policy: 'plain' },
    scopes: { pay: 'Pay' },
    authorization_details: {
      transfer: {
        words: 'A transfer',
        schema: { type: 'object', properties: { note: { type: 'string', maxLength: 9 } } },
      },
    },
  }
  const types = async () =>
    (JSON.parse((await ask(PATHS[0]!)).body).authorization_details_types_supported ?? []) as string[]
  later()
  expect(await types()).toEqual([])
  const { problems } = await gateway.server.house.apis.apply(
    [{ file: 'apis/payments.yaml', text: JSON.stringify(api) }],
    {
      by: 'test',
    },
  )
  expect(problems).toEqual([])
  // until then it is kept
  now += 900
  expect(await types()).toEqual([])
  now += 200
  expect(await types()).toEqual(['transfer'])
})
