/** What is unusual about a partner: its policy denies or cuts, the trail tells, and nothing lets anybody in by it. */
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { allVerbs, runCommand } from '#cli'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { ASSERTION, assertion, contractOf, postFrom, type Signing, signingKey } from '../support/partners.ts'
import { POLICIES } from '../support/policies.ts'

const VERBS = await allVerbs()
const ORDERS = 'https://api.kestrel.example/orders'
const START = Date.UTC(2026, 10, 30, 9)
const DAY = 86_400_000
const HERE = '127.0.0.1'
const AWAY = '127.1.0.1'

let gateway: Gateway
let key: Signing
let stranger: Signing
const policy = (name: string, ...rules: string[]) =>
  `policy: ${name}\nrules:\n${rules.map((r) => `  - ${r}\n`).join('')}`
const PARTNERS = ['denied', 'cut', 'guessed', 'plain', 'closed']
beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: START })
  ;[key, stranger] = [await signingKey('one'), await signingKey('one')]
  gateway = await startGateway({
    clock: { now: () => Date.now() },
    policies: {
      ...POLICIES,
      'open.yaml': policy('open', '{ name: r, allow: {} }'),
      'plain.yaml': policy('plain', '{ name: r, allow: {} }'),
      'denied.yaml': policy(
        'denied',
        '{ name: new, when: { client.network_known: { is: false, unknown: false } }, deny: {} }',
        '{ name: r, allow: {} }',
      ),
      'cut.yaml': policy(
        'cut',
        "{ name: new, when: { client.network_known: { is: false, unknown: false } }, allow: { scopes: ['orders:read'], token: { max: 1m } } }",
        '{ name: r, allow: {} }',
      ),
      'guessed.yaml': policy(
        'guessed',
        '{ name: guessed, when: { client.failures: { over: 3 } }, deny: {} }',
        '{ name: r, allow: {} }',
      ),
      'closed.yaml': policy(
        'closed',
        '{ name: known only, when: { client.network_known: true, client.volume: { over: 1 } }, allow: {} }',
      ),
    },
  })
  const scopes = { 'orders:read': 'Read', 'orders:write': 'Write' }
  const text = JSON.stringify({ api: 'orders', name: 'Orders', audience: ORDERS, policy: 'open', scopes })
  await gateway.server.house.apis.apply([{ file: 'orders.yaml', text }], { by: 'test' })
  const contracts = PARTNERS.map((id) =>
    contractOf(id, {
      ...{ policy: id, apis: { orders: Object.keys(scopes) } },
      authentication: { method: 'private_key_jwt', jwks: { keys: [key.jwk] } },
    }),
  )
  const { problems } = await gateway.server.house.catalog.partners.apply(contracts, { by: 'test' })
  expect(problems).toEqual([])
  for (const id of PARTNERS) await ask(id)
})
afterAll(async () => {
  await gateway?.close()
  vi.useRealTimers()
})
let days = 0
beforeEach(() => void vi.setSystemTime(START + ++days * DAY))

async function ask(id: string, from = HERE, by = key) {
  const fields = {
    ...{ grant_type: 'client_credentials', client_id: id, client_assertion_type: ASSERTION },
    client_assertion: await assertion(id, gateway.issuer, by),
  }
  const { body } = await postFrom(from, `${gateway.issuer}/oauth2/token`, fields)
  return body['scope'] ?? body['error']
}
const eventsOf = async (app: string) =>
  (await gateway.server.house.audit.search({ app })).map(({ event, reason }) => [event, reason])
const BOTH = 'orders:read orders:write'

describe('a partner', () => {
  test('is refused or cut from a network that it never came from', async () => {
    expect([await ask('denied'), await ask('denied', AWAY)]).toEqual([BOTH, 'access_denied'])
    expect([await ask('cut'), await ask('cut', AWAY)]).toEqual([BOTH, 'orders:read'])
    expect(await ask('plain', AWAY)).toBe(BOTH)
    for (const id of ['denied', 'cut', 'plain'])
      expect(await eventsOf(id)).toContainEqual(['client-network-new', '127.1.0.0/24'])
    // asking again makes it no better, that day or the next
    expect([await ask('denied', AWAY), await ask('cut', AWAY)]).toEqual(['access_denied', 'orders:read'])
    vi.setSystemTime(Date.now() + 2 * DAY)
    expect([await ask('denied', AWAY), await ask('cut', AWAY)]).toEqual(['access_denied', BOTH])
    days += 2
  })

  test('is refused where somebody fails to be it, from there and not from elsewhere, and for an hour', async () => {
    for (let i = 0; i < 6; i++) expect(await ask('guessed', AWAY, stranger)).toBe('invalid_client')
    expect([await ask('guessed', AWAY), await ask('guessed')]).toEqual(['access_denied', BOTH])
    expect(await eventsOf('guessed')).toContainEqual(['client-failing', '127.1.0.0/24'])
    vi.setSystemTime(Date.now() + 3_600_000)
    expect(await ask('guessed', AWAY)).toBe(BOTH)
  })

  test('is let in by no fact of its past that is not known', async () => {
    expect(await ask('closed')).toBe('access_denied')
    expect(await ask('closed', AWAY)).toBe('access_denied')
  })

  test('is shown with its networks', async () => {
    const out: string[] = []
    const code = await runCommand({
      words: ['partners', 'show', 'plain', '--json', '--config', `${gateway.folder}/portico.yaml`],
      verbs: VERBS,
      openHouse: async () => ({ ...gateway.server.house, close: async () => {} }) as never,
      out: (line) => out.push(line),
      err: (line) => out.push(line),
    })
    expect(code).toBe(0)
    expect(JSON.parse(out[0]!)).toMatchObject({
      seen_from: [
        { network: '127.0.0.0/24', since: new Date(START).toISOString() },
        { network: '127.1.0.0/24', since: expect.any(String) },
      ],
      busiest_hour: expect.any(Number),
    })
  })
})
