/** Tokens of a cluster or a build server that stand for a client (RFC 7523), and those that do not. */

import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import {
  ecKeys,
  es256,
  hs256,
  type Json,
  jwt,
  now,
  publicJwk,
  registered,
  respelled,
  type Signer,
  unsigned,
} from '../support/proofs.ts'
import { sendRaw } from '../support/raw.ts'

const cluster = ecKeys()
const next = ecKeys()
const thiefs = ecKeys()
const SUBJECT = 'system:serviceaccount:shop:orders'
const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

let gateway: Gateway
let server: Server
let issuer: string
let late = 0
let published: Json[] = [registered(cluster, 'c1')]
let asked = 0
let says: Json = {}
let down = false

beforeAll(async () => {
  const port = await freePort()
  issuer = `http://localhost:${port}`
  server = createServer((request, response) => {
    asked++
    if (down) return response.writeHead(503).end()
    const found = request.url === '/keys' ? { keys: published } : { issuer, jwks_uri: `${issuer}/keys`, ...says }
    return response.setHeader('content-type', 'application/json').end(JSON.stringify(found))
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const app = (id: string, federated: readonly object[]) => ({
    id,
    template: 'machine',
    policy: 'federated',
    oidc: { token_endpoint_auth_method: 'private_key_jwt', federated },
  })
  gateway = await startGateway({
    clock: { now: () => Date.now() + late },
    policies: {
      ...POLICIES,
      'federated.yaml':
        'policy: federated\nrules:\n  - { name: by key, when: { client.authentication: [private_key_jwt] }, allow: {} }\n',
    },
    apps: [
      app('orders', [{ issuer, subject: SUBJECT }]),
      app('pod', [{ issuer, subject: SUBJECT, jwks_uri: `${issuer}/keys`, reuse: true }]),
      app('job', [{ issuer, subject: 'repo:shop/web:ref:refs/heads/main', audience: 'shop-deploys' }]),
      app('inside', [{ issuer: 'http://localhost:9', subject: SUBJECT }]),
      { id: 'plain', template: 'machine', policy: 'plain' },
    ] as never,
  })
})
afterAll(async () => {
  await gateway?.close()
  await new Promise((resolve) => server.close(resolve))
})

interface Parts {
  readonly header?: Json
  readonly claims?: Json
  readonly signer?: Signer
}
/** By the gateway's clock, which only goes on. */
const at = () => now() + Math.floor(late / 1000)
/** As a cluster writes it: the audience is a list. */
const token = ({ header, claims, signer = es256(cluster.privateKey) }: Parts = {}) =>
  jwt(
    { alg: 'ES256', kid: 'c1', ...header },
    {
      iss: issuer,
      sub: SUBJECT,
      aud: [gateway.issuer],
      jti: randomUUID(),
      iat: at(),
      nbf: at(),
      exp: at() + 600,
      ...claims,
    },
    signer,
  )
async function ask(client_id: string | undefined, assertion: string, more: Record<string, string> = {}) {
  const response = await fetch(`${gateway.issuer}/oauth2/token`, {
    method: 'POST',
    body: new URLSearchParams({
      ...{ grant_type: 'client_credentials', client_assertion: assertion, client_assertion_type: ASSERTION },
      ...(client_id === undefined ? {} : { client_id }),
      ...more,
    }),
  })
  const json = (await response.json()) as Record<string, string>
  expect(response.status, JSON.stringify(json)).toBeLessThan(500)
  return { status: response.status, error: json['error'], json }
}

test('the token of the registered account is enough, at every endpoint for programs', async () => {
  const { status, json } = await ask('orders', token())
  expect(status, JSON.stringify(json)).toBe(200)
  const told = await fetch(`${gateway.issuer}/oauth2/introspection`, {
    method: 'POST',
    body: new URLSearchParams({
      ...{
        token: json['access_token']!,
        client_id: 'orders',
        client_assertion: token(),
        client_assertion_type: ASSERTION,
      },
    }),
  })
  expect(await told.json()).toMatchObject({ active: true, client_id: 'orders' })
})

test('also where it comes in pieces', async () => {
  const body = new URLSearchParams({
    ...{
      grant_type: 'client_credentials',
      client_id: 'orders',
      client_assertion: token(),
      client_assertion_type: ASSERTION,
    },
    ...{ x: 'x'.repeat(9_000) },
  }).toString()
  const answer = await sendRaw(Number(new URL(gateway.issuer).port), {
    method: 'POST',
    path: '/oauth2/token',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body,
  })
  expect(answer.status, answer.body).toBe(200)
})

test('another audience is asked for where the registration says so', async () => {
  const claims = { sub: 'repo:shop/web:ref:refs/heads/main', aud: 'shop-deploys' }
  expect((await ask('job', token({ claims }))).status).toBe(200)
  expect((await ask('job', token({ claims: { ...claims, aud: gateway.issuer } }))).error).toBe('invalid_client')
})

test('a token is taken once, whatever its spelling, unless the registration lets it be shown again', async () => {
  const shown = token()
  expect((await ask('orders', shown)).status).toBe(200)
  expect((await ask('orders', shown)).error).toBe('invalid_client')
  const withoutId = token({ claims: { jti: undefined } })
  expect((await ask('orders', withoutId)).status).toBe(200)
  expect((await ask('orders', withoutId)).error).toBe('invalid_client')
  const again = token()
  for (let time = 0; time < 3; time++) expect((await ask('pod', again)).status).toBe(200)
  for (const at of [0, 1, 2]) expect((await ask('pod', respelled(again, at))).error).toBe('invalid_client')
})

test('of twenty copies at once one is taken', async () => {
  const shown = token()
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask('orders', shown)))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
})

describe('it does not stand for the client', () => {
  const forged: [string, Parts][] = [
    ['from another issuer', { claims: { iss: 'https://other.example' } }],
    ['about another account', { claims: { sub: 'system:serviceaccount:shop:other' } }],
    ['about a list of accounts', { claims: { sub: [SUBJECT] } }],
    ['for somebody else', { claims: { aud: 'https://other.example' } }],
    ['for a list of others', { claims: { aud: ['https://other.example', 'x'] } }],
    ['for nobody', { claims: { aud: undefined } }],
    ['that is over', { claims: { iat: at() - 700, nbf: at() - 700, exp: at() - 60 } }],
    ['that never ends', { claims: { exp: undefined } }],
    ['that ends at no number', { claims: { exp: 'never' } }],
    ['that holds later', { claims: { nbf: at() + 300 } }],
    ['made in the future', { claims: { iat: at() + 300 } }],
    ['made days ago', { claims: { iat: at() - 200_000 } }],
    ['made at no time', { claims: { iat: undefined } }],
    ['that nobody has signed', { header: { alg: 'none' }, signer: unsigned }],
    [
      'signed with HMAC over the public key',
      { header: { alg: 'HS256' }, signer: hs256(JSON.stringify(publicJwk(cluster))) },
    ],
    ['signed by somebody else', { signer: es256(thiefs.privateKey) }],
    [
      'that brings its own key',
      { header: { jwk: publicJwk(thiefs), kid: undefined }, signer: es256(thiefs.privateKey) },
    ],
    [
      'that says where its key is',
      { header: { jku: 'http://localhost:9/keys', kid: 'x' }, signer: es256(thiefs.privateKey) },
    ],
    ['whose key is a path', { header: { kid: '../../etc/passwd' } }],
    ['with something critical that nobody knows', { header: { crit: ['b64x'], b64x: true } }],
    ['that is an access token', { header: { typ: 'at+jwt' } }],
    ['that is a logout token', { header: { typ: 'logout+jwt' } }],
  ]
  test.each(forged)('%s', async (_, parts) => {
    const { status, error, json } = await ask('orders', token(parts))
    expect([status, error]).toEqual([401, 'invalid_client'])
    expect(json['error_description']).toMatch(/reference E-/)
    expect(gateway.log()).toContain('federated-credential-refused')
  })

  test('cut, doubled, too long or no token at all', async () => {
    const whole = token()
    for (const text of [
      whole.slice(0, -9),
      `${whole}.${whole}`,
      'x',
      '..',
      `${whole}=`,
      token({ claims: { x: 'x'.repeat(20_000) } }),
    ])
      expect((await ask('orders', text)).status).toBeGreaterThanOrEqual(400)
    const claims = JSON.stringify({
      iss: 'https://other.example',
      aud: gateway.issuer,
      exp: at() + 60,
      iat: at(),
      sub: SUBJECT,
    })
    const doubled = jwt(
      { alg: 'ES256', kid: 'c1' },
      claims.replace('{', `{"iss":"${issuer}",`),
      es256(cluster.privateKey),
    )
    expect((await ask('orders', doubled)).error).toBe('invalid_client')
  })

  test('for another client, for one without such credentials, or for none', async () => {
    expect((await ask('job', token())).error).toBe('invalid_client')
    for (const id of ['plain', 'nobody', undefined]) {
      const { status, json } = await ask(id, token())
      expect([status >= 400, json['access_token']]).toEqual([true, undefined])
    }
  })

  test('nor does an assertion that somebody signs as the client itself', async () => {
    const claims = { iss: 'orders', sub: 'orders', aud: gateway.issuer }
    for (const signer of [es256(cluster.privateKey), es256(thiefs.privateKey)])
      expect((await ask('orders', token({ claims, signer }))).error).toBe('invalid_client')
    expect((await ask('orders', token({ claims, header: { alg: 'EdDSA', jwk: publicJwk(thiefs) } }))).error).toBe(
      'invalid_client',
    )
  })

  test('nor in two pieces of one form, or beside a secret', async () => {
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: 'orders',
      client_assertion_type: ASSERTION,
    })
    form.append('client_assertion', token())
    form.append('client_assertion', token())
    const response = await fetch(`${gateway.issuer}/oauth2/token`, { method: 'POST', body: form })
    expect(response.status).toBe(400)
    expect((await ask('orders', token(), { client_secret: 'x' })).status).toBe(400)
  })
})

describe('the keys of the issuer', () => {
  test('a new one is taken up without a call, and one that is gone opens nothing once they are read again', async () => {
    const rotated = () => token({ header: { kid: 'c2' }, signer: es256(next.privateKey) })
    expect((await ask('orders', rotated())).error).toBe('invalid_client')
    published = [registered(cluster, 'c1'), registered(next, 'c2')]
    late += 60_000
    expect((await ask('orders', rotated())).status).toBe(200)
    published = [registered(next, 'c2')]
    late += 660_000
    expect((await ask('orders', token())).error).toBe('invalid_client')
    published = [registered(cluster, 'c1'), registered(next, 'c2')]
    late += 660_000
    expect((await ask('orders', token())).status).toBe(200)
  })

  test('tokens that name unknown keys do not make us ask the issuer each time', async () => {
    await ask('orders', token())
    const before = asked
    for (let time = 0; time < 5; time++) await ask('orders', token({ header: { kid: `k${time}` } }))
    expect(asked - before).toBeLessThanOrEqual(2)
  })

  test('a discovery document of somebody else is none, and an issuer that is down lets nobody in', async () => {
    for (const trouble of [
      () => {
        says = { issuer: 'https://other.example' }
      },
      () => {
        down = true
      },
    ]) {
      trouble()
      late += 700_000
      expect((await ask('orders', token())).error).toBe('invalid_client')
      says = {}
      down = false
      // not asked again at once
      expect((await ask('orders', token())).error).toBe('invalid_client')
      late += 31_000
      expect((await ask('orders', token())).status).toBe(200)
    }
  })

  test('an issuer that cannot be reached is no way around', async () => {
    const inside = token({ claims: { iss: 'http://localhost:9' } })
    expect((await ask('inside', inside)).error).toBe('invalid_client')
  })

  test('an issuer on a network that requests may not reach is never asked (SSRF)', async () => {
    const oidc = { token_endpoint_auth_method: 'private_key_jwt', federated: [{ issuer, subject: SUBJECT }] }
    const careful = await startGateway({
      policies: POLICIES,
      settings: { outbound: { allow: [] } },
      apps: [{ id: 'orders', template: 'machine', policy: 'plain', oidc }] as never,
    })
    try {
      const before = asked
      const fields = { grant_type: 'client_credentials', client_id: 'orders', client_assertion_type: ASSERTION }
      const client_assertion = token({ claims: { aud: careful.issuer } })
      const response = await fetch(`${careful.issuer}/oauth2/token`, {
        method: 'POST',
        body: new URLSearchParams({ ...fields, client_assertion }),
      })
      expect([response.status, asked - before]).toEqual([401, 0])
    } finally {
      await careful.close()
    }
  })
})
