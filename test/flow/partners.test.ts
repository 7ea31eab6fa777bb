/** Partners ask for tokens: by their contract, from where it says, until it ends; and what becomes of what they have. */
import { createServer, type Server } from 'node:http'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { allVerbs, runCommand } from '#cli'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { ASSERTION, assertion, contractOf, postFrom, type Signing, signingKey } from '../support/partners.ts'
import { POLICIES } from '../support/policies.ts'

const VERBS = await allVerbs()
const ORDERS = 'https://api.kestrel.example/orders'
const DAY = 86_400_000
const START = Date.UTC(2026, 10, 30, 9)
const HERE = '127.0.0.1'
/** A proxy of ours. */
const PROXY = '127.0.0.2'

/** The engine looks at the clock of the machine: both are set together. */
const clock = {
  now: () => Date.now(),
  get at() {
    return Date.now()
  },
  set at(time: number) {
    vi.setSystemTime(time)
  },
}
let gateway: Gateway
let one: Signing
let two: Signing
let served: object[]
let reads = 0
let publishing: Server

const api = (id: string, format: string) => ({
  file: `apis/${id}.yaml`,
  text: JSON.stringify({
    ...{ api: id, name: id, audience: id === 'orders' ? ORDERS : `urn:kestrel:${id}`, policy: 'machines' },
    ...{ scopes: { [`${id}:read`]: 'Read' }, token: { format, lifetime: '5m' } },
  }),
})
const apply = async (...contracts: ReturnType<typeof contractOf>[]) => {
  const { problems } = await gateway.server.house.catalog.partners.apply(contracts, { by: 'test' })
  expect(problems).toEqual([])
}
const byKeys = (keys: readonly object[]) => ({ authentication: { method: 'private_key_jwt', jwks: { keys } } })
const ORDERS_ONLY = { apis: { orders: ['orders:read'] } }
const STOCK_ONLY = { apis: { stock: ['stock:read'] } }

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: START })
  ;[one, two] = [await signingKey('one'), await signingKey('two')]
  served = [one.jwk]
  publishing = createServer((_request, response) => {
    reads++
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: served }))
  })
  await new Promise<void>((done) => publishing.listen(0, HERE, done))
  gateway = await startGateway({
    clock,
    settings: { proxies: [PROXY] },
    policies: {
      ...POLICIES,
      'machines.yaml': [
        'policy: machines\nrules:\n',
        '  - { name: not this one, when: { client.organisation: [partners/closed] }, deny: {} }\n',
        '  - { name: partners, when: { client.authentication: [private_key_jwt, client_secret_basic] }, allow: {} }\n',
      ].join(''),
    },
    apps: [{ id: 'api', template: 'machine', policy: 'machines', tags: ['resource-server'] }],
  })
  await gateway.server.house.apis.apply([api('orders', 'jwt'), api('stock', 'opaque')], { by: 'test' })
  await apply(
    contractOf('acme', { ...byKeys([one.jwk, two.jwk]), ...ORDERS_ONLY, networks: ['127.0.0.0/8'] }),
    contractOf('away', { ...byKeys([one.jwk]), ...ORDERS_ONLY, networks: ['203.0.113.0/24'] }),
    contractOf('closed', { ...byKeys([one.jwk]), ...ORDERS_ONLY }),
    contractOf('short', { ...byKeys([one.jwk]), ...ORDERS_ONLY, expires: '2026-12-09' }),
    contractOf('shelf', { ...byKeys([one.jwk]), ...STOCK_ONLY }),
    contractOf('gone', { ...byKeys([one.jwk]), ...STOCK_ONLY }),
  )
})
afterAll(async () => {
  await gateway.close()
  publishing.close()
  vi.useRealTimers()
})

interface Asking {
  readonly key?: Signing
  readonly from?: string
  readonly headers?: Record<string, string>
}
async function token(id: string, { key = one, from = HERE, headers = {} }: Asking = {}) {
  const fields = {
    ...{ grant_type: 'client_credentials', client_id: id, client_assertion_type: ASSERTION },
    client_assertion: await assertion(id, gateway.issuer, key),
  }
  return postFrom(from, `${gateway.issuer}/oauth2/token`, fields, headers)
}
async function introspected(value: unknown): Promise<Record<string, unknown>> {
  const secret = btoa(`api:${gateway.secrets.get('api')}`)
  const headers = { authorization: `Basic ${secret}` }
  return (await postFrom(HERE, `${gateway.issuer}/oauth2/introspection`, { token: String(value) }, headers)).body
}
async function receiptOf(body: Record<string, unknown>) {
  const reference = /\/why\/([0-9A-Z]{4}-[0-9A-Z]{4})$/.exec(String(body['error_uri']))![1]!
  return gateway.server.house.receipts.find(reference)
}

test('a partner gets a token for its API with a key of its contract, each of several', async () => {
  for (const key of [one, two]) {
    const { status, body } = await token('acme', { key })
    expect([status, body['scope']]).toEqual([200, 'orders:read'])
    const jwks = await (await fetch(`${gateway.issuer}/oauth2/jwks`)).json()
    const options = { issuer: gateway.issuer, audience: ORDERS, typ: 'at+jwt', currentDate: new Date() }
    const { payload } = await jwtVerify(String(body['access_token']), createLocalJWKSet(jwks), options)
    expect(payload).toMatchObject({ client_id: 'acme', sub: 'acme', scope: 'orders:read' })
  }
  expect((await token('acme', { key: await signingKey('one') })).status).toBe(401)
})

describe('from another network', () => {
  test('it gets a refusal with a reference, and its receipt names the rule', async () => {
    const { status, body } = await token('away')
    expect([status, body['error'], body['access_token']]).toEqual([400, 'access_denied', undefined])
    expect(await receiptOf(body)).toMatchObject({
      ...{ rule: 'partner-networks', outcome: 'deny', policy: 'machines' },
      facts: { network: { ip: HERE }, client: { organisation: 'partners/away' } },
    })
  })

  test.each([
    ['x-forwarded-for', '203.0.113.9'],
    ['forwarded', 'for=203.0.113.9'],
    ['x-real-ip', '203.0.113.9'],
    ['true-client-ip', '203.0.113.9'],
  ])('it does not get in by writing %s', async (name, value) => {
    expect((await token('away', { headers: { [name]: value } })).body['error']).toBe('access_denied')
  })

  test('what our own proxy says counts, and of what it passes on only the last', async () => {
    const through = (value: string) => token('away', { from: PROXY, headers: { 'x-forwarded-for': value } })
    expect((await through('203.0.113.9')).status).toBe(200)
    expect((await through('203.0.113.9, 192.0.2.1')).body['error']).toBe('access_denied')
    expect((await through('203.0.113.9, rubbish')).body['error']).toBe('access_denied')
  })

  test('the command that explains says the same', async () => {
    const out: string[] = []
    const explain = (ip: string) =>
      runCommand({
        words: ['policy', 'explain', '--app', 'away', '--ip', ip, '--config', `${gateway.folder}/portico.yaml`],
        verbs: VERBS,
        openHouse: async () => ({ ...gateway.server.house, close: async () => {} }) as never,
        out: (line) => out.push(line),
        err: (line) => out.push(line),
      })
    expect(await explain('192.0.2.1')).toBe(0)
    expect(out.splice(0).join('\n')).toMatch(/^DENY {2}machines › partner-networks\n[\s\S]*yes +partner-networks\n/)
    expect(await explain('203.0.113.9')).toBe(0)
    expect(out.join('\n')).toMatch(/^ALLOW {2}machines › partners/)
  })
})

test('the policy decides as well, by its organisation', async () => {
  const { body } = await token('closed')
  expect([body['error'], (await receiptOf(body))?.rule]).toEqual(['access_denied', 'not this one'])
})

describe('a contract that ends', () => {
  test('is told of before, gives no token that outlives it, and none after it', async () => {
    const end = Date.UTC(2026, 11, 10)
    const out: string[] = []
    await runCommand({
      words: ['expiring', '--within', '30d', '--json', '--config', `${gateway.folder}/portico.yaml`],
      verbs: VERBS,
      openHouse: async () => ({ ...gateway.server.house, close: async () => {} }) as never,
      clock,
      out: (line) => out.push(line),
      err: (line) => out.push(line),
    })
    const found = JSON.parse(out[0]!).expiring.filter(({ what }: { what: string }) => what === 'partner-contract')
    expect(found).toMatchObject([
      { of: 'short', at: '2026-12-10T00:00:00.000Z', fix: expect.stringContaining('Ann Cole') },
    ])
    clock.at = end - 60_000
    const { body } = await token('short')
    expect(body['expires_in']).toBe(60)
    clock.at = end
    const late = (await token('short')).body
    expect([late['error'], (await receiptOf(late))?.rule]).toEqual(['access_denied', 'partner-ended'])
    expect((await token('acme')).status).toBe(200)
    clock.at = START
  })

  test('by hand: no token any more, those that the API asks about are over at once, and stay so', async () => {
    const { partners } = gateway.server.house.catalog
    const before = (await token('shelf')).body['access_token']
    expect(await introspected(before)).toMatchObject({ active: true, client_id: 'shelf' })
    clock.at += 5000
    await partners.end('shelf', 'test')
    expect(await introspected(before)).toEqual({ active: false })
    const after = (await token('shelf')).body
    expect([after['error'], (await receiptOf(after))?.rule]).toEqual(['access_denied', 'partner-ended'])
    clock.at += 5000
    await partners.resume('shelf', 'test')
    expect(await introspected(before)).toEqual({ active: false })
    clock.at += 5000
    const again = (await token('shelf')).body['access_token']
    expect(await introspected(again)).toMatchObject({ active: true })
    clock.at = START
  })

  test('a partner that is removed takes its tokens along, also where another one gets its name', async () => {
    const before = (await token('gone')).body['access_token']
    expect(await introspected(before)).toMatchObject({ active: true })
    const { partners, apps } = gateway.server.house.catalog
    const others = (await partners.list()).filter(({ id }) => id !== 'gone')
    const contracts = await Promise.all(
      others.map(async ({ id }) => ({ file: `${id}.yaml`, text: await partners.export(id) })),
    )
    await partners.apply(contracts, { by: 'test', prune: true })
    expect(await apps.find('gone')).toBeUndefined()
    expect(await introspected(before)).toEqual({ active: false })
    expect((await token('gone')).status).toBe(401)
    clock.at += 5000
    await apply(contractOf('gone', { ...byKeys([two.jwk]), ...STOCK_ONLY }))
    expect(await introspected(before)).toEqual({ active: false })
    clock.at = START
  })
})

describe('keys at an address', () => {
  const reading = async (what: () => Promise<unknown>) => {
    const before = reads
    await what()
    return reads - before
  }

  test('a new one is taken without a call, an old one not any more, and nobody makes us read them all the time', async () => {
    const { port } = publishing.address() as { port: number }
    // the catalog takes https only; what stands behind it is the same to the engine
    await gateway.server.house.catalog.apps.register(
      {
        ...{ id: 'published', template: 'machine', policy: 'machines' },
        oidc: {
          token_endpoint_auth_method: 'private_key_jwt',
          jwks_uri: `http://127.0.0.1:${port}/keys`,
          apis: { orders: ['orders:read'] },
        },
      },
      'test',
    )
    expect((await token('published')).status).toBe(200)
    // with overlap: both are there
    served = [one.jwk, two.jwk]
    expect(await reading(async () => expect((await token('published', { key: two })).status).toBe(401))).toBe(0)
    clock.at += 60_000
    expect(await reading(async () => expect((await token('published', { key: two })).status).toBe(200))).toBe(1)
    expect((await token('published', { key: one })).status).toBe(200)
    // withdrawn
    served = [two.jwk]
    clock.at += 60_000
    expect((await token('published', { key: one })).status).toBe(401)
    expect((await token('published', { key: two })).status).toBe(200)
    const { revocations } = gateway.server.house
    expect((await revocations.current()).entries.filter(({ kind }) => kind === 'key')).toMatchObject([
      { id: expect.stringMatching(/^published [\w-]{43}$/), at: clock.now() },
    ])
    const stranger = await signingKey('three')
    expect(
      await reading(() => Promise.all(Array.from({ length: 20 }, () => token('published', { key: stranger })))),
    ).toBe(0)
    clock.at = START
  })

  test('where they cannot be read, those that are known stay', async () => {
    await new Promise((done) => publishing.close(done))
    clock.at += DAY
    expect((await token('published', { key: two })).status).toBe(200)
    clock.at = START
  })
})
