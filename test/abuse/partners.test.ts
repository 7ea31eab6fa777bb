/** What must not work for partners, over two processes on one storage. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ASSERTION, assertion, contractOf, postFrom, type Signing, signingKey } from '../support/partners.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { makePlace, type Place, portico, type Serving, serve } from '../support/serve.ts'

const HERE = '127.0.0.1'
let place: Place
let key: Signing
let doors: string[]
const serving: Serving[] = []

beforeAll(async () => {
  place = await makePlace({
    policies: {
      ...POLICIES,
      'machines.yaml': 'policy: machines\nrules:\n  - { name: partners, when: { request.kind: [api] }, allow: {} }\n',
    },
  })
  key = await signingKey()
  const run = async (...words: string[]) => {
    const command = portico([...words, '--config', place.config])
    expect(await command.exited, command.out() + command.err()).toBe(0)
  }
  const file = (name: string, text: string) => {
    writeFileSync(join(place.folder, name), text)
    return join(place.folder, name)
  }
  const orders = {
    ...{ api: 'orders', name: 'Orders', audience: 'urn:kestrel:orders', policy: 'machines' },
    ...{ scopes: { 'orders:read': 'Read' }, token: { format: 'opaque' } },
  }
  const partner = (id: string, more: object = {}) =>
    contractOf(id, {
      authentication: { method: 'private_key_jwt', jwks: { keys: [key.jwk] } },
      apis: { orders: ['orders:read'] },
      ...more,
    }).text
  await run('apis', 'apply', file('orders.yaml', JSON.stringify(orders)))
  const tokens = { quota: { tokens: '30/10m' } }
  const texts = [
    partner('acme'),
    partner('busy', tokens),
    partner('late', { expires: '2026-01-31' }),
    partner('calm', tokens),
  ]
  await run('partners', 'apply', file('partners.yaml', texts.join('\n---\n')))
  const other = await freePort()
  serving.push(await serve(place.config))
  serving.push(await serve(place.settings('other.yaml', { listen: `127.0.0.1:${other}` })))
  doors = [place.port, other].map((port) => `http://127.0.0.1:${port}/oauth2/token`)
}, 60_000)
afterAll(async () => {
  for (const one of serving) await one.stop()
  await place?.remove()
})

/** For whoever reads a failure: what went wrong there says the server. */
const said = () => serving.map((one) => `${one.out()}${one.err()}`.slice(-4000)).join('\n\n')
const send = (id: string, client_assertion: string, door = 0) =>
  postFrom(HERE, doors[door]!, {
    ...{ grant_type: 'client_credentials', client_id: id, client_assertion_type: ASSERTION },
    client_assertion,
  })

test('50 at once over two processes at the edge of a quota: exactly as many tokens as are left', async () => {
  const many = async (count: number) => {
    const assertions = await Promise.all(Array.from({ length: count }, () => assertion('busy', place.issuer, key)))
    return Promise.all(assertions.map((one, i) => send('busy', one, i % 2)))
  }
  expect(
    (await many(20)).map(({ status }) => status),
    said(),
  ).toEqual(Array(20).fill(200))
  const answers = await many(50)
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(10)
  const refused = answers.filter(({ status }) => status !== 200)
  for (const { status, headers, body } of refused) {
    expect([status, body['error'], body['access_token']]).toEqual([429, 'temporarily_unavailable', undefined])
    expect(Number(headers['retry-after'])).toBeGreaterThan(500)
    expect(headers['ratelimit']).toMatch(/^"tokens";r=0;t=\d+$/)
    expect(headers['ratelimit-policy']).toBe('"tokens";q=30;w=600')
  }
})

test('nobody uses up the quota of another: what is not signed rightly does not count', async () => {
  const stranger = await signingKey('one')
  const wrong = await Promise.all(Array.from({ length: 40 }, () => assertion('calm', place.issuer, stranger)))
  for (const { status } of await Promise.all(wrong.map((one, i) => send('calm', one, i % 2)))) expect(status).toBe(401)
  const { status, headers } = await send('calm', await assertion('calm', place.issuer, key))
  expect([status, headers['ratelimit']?.toString().split(';')[1]]).toEqual([200, 'r=29'])
})

describe('an assertion is not taken', () => {
  const now = () => Math.floor(Date.now() / 1000)
  test.each<[what: string, make: () => Promise<string>]>([
    ['for another token endpoint', () => assertion('acme', 'https://other.example/oauth2/token', key)],
    ['for the API', () => assertion('acme', 'urn:kestrel:orders', key)],
    ['for an address that begins like ours', () => assertion('acme', `${place.issuer}.example`, key)],
    ['that somebody else issued', () => assertion('acme', place.issuer, key, { iss: 'busy' })],
    ['that is over', () => assertion('acme', place.issuer, key, { iat: now() - 600, exp: now() - 300 })],
    ['without an end', () => assertion('acme', place.issuer, key, { exp: undefined as never })],
    ['without an id', () => assertion('acme', place.issuer, key, { jti: undefined as never })],
    ['with another key of the same name', async () => assertion('acme', place.issuer, await signingKey('one'))],
  ])('%s', async (_what, make) => {
    const { status, body } = await send('acme', await make())
    expect([status, body['error'], body['access_token']]).toEqual([401, 'invalid_client', undefined])
  })

  test('of another partner, whoever is named beside it', async () => {
    const { status, body } = await send('acme', await assertion('busy', place.issuer, key))
    expect([status, body['error'], body['access_token']]).toEqual([400, 'invalid_request', undefined])
  })

  test('a second time, of 50 at once over two processes exactly one', async () => {
    const once = await assertion('acme', place.issuer, key)
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => send('acme', once, i % 2)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(49)
    expect((await send('acme', once, 1)).status).toBe(401)
  })
})

test('after the last day of the contract there is no token, at either process', async () => {
  for (const door of [0, 1]) {
    const { status, body } = await send('late', await assertion('late', place.issuer, key), door)
    expect([status, body['error']], said()).toEqual([400, 'access_denied'])
    expect(body['error_uri']).toMatch(/\/why\/[0-9A-Z]{4}-[0-9A-Z]{4}$/)
  }
})

test('ended at the command line, a running process gives nothing with its next request', async () => {
  const id = 'calm'
  const { body } = await send(id, await assertion(id, place.issuer, key))
  expect(body['access_token']).toEqual(expect.any(String))
  const command = portico(['partners', 'end', id, '--config', place.config])
  expect(await command.exited).toBe(0)
  for (const door of [0, 1])
    expect((await send(id, await assertion(id, place.issuer, key), door)).body['error']).toBe('access_denied')
})
