/** Assertions that are good for one time, shown together with a proof that has to come twice (RFC 7523 §3, RFC 9449 §8). */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as oidc from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { ASSERTION } from '../support/partners.ts'
import { POLICIES } from '../support/policies.ts'
import { ecKeys, es256, type Json, jwt, now, proof, registered } from '../support/proofs.ts'

const cluster = ecKeys()
const own = ecKeys()
const holder = ecKeys()
const SUBJECT = 'repo:shop/web:ref:refs/heads/main'

let gateway: Gateway
let platform: Server
let issuer: string
beforeAll(async () => {
  platform = createServer((_request, response) =>
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [registered(cluster, 'c1')] })),
  )
  await new Promise<void>((done) => platform.listen(0, '127.0.0.1', done))
  issuer = `http://localhost:${(platform.address() as AddressInfo).port}`
  const app = (id: string, more: object) => ({
    ...{ id, template: 'machine', policy: 'plain' },
    oidc: { token_endpoint_auth_method: 'private_key_jwt', dpop_bound_access_tokens: true, ...more },
  })
  gateway = await startGateway({
    policies: POLICIES,
    apps: [
      app('job', { federated: [{ issuer, subject: SUBJECT, jwks_uri: `${issuer}/keys` }] }),
      app('keyed', { jwks: { keys: [registered(own, 'k1')] } }),
    ] as never,
  })
})
afterAll(async () => {
  await gateway?.close()
  await new Promise((resolve) => platform.close(resolve))
})

const TOKEN = () => `${gateway.issuer}/oauth2/token`
let count = 0
const claims = (more: Json) => ({
  ...{ aud: gateway.issuer, jti: `once-${count++}`, iat: now(), exp: now() + 60 },
  ...more,
})
const assertions = {
  job: () => jwt({ alg: 'ES256', kid: 'c1' }, claims({ iss: issuer, sub: SUBJECT }), es256(cluster.privateKey)),
  keyed: () => jwt({ alg: 'ES256', kid: 'k1' }, claims({ iss: 'keyed', sub: 'keyed' }), es256(own.privateKey)),
}
type Client = keyof typeof assertions

async function ask(client_id: Client, client_assertion: string, dpop: string | undefined) {
  const response = await fetch(TOKEN(), {
    method: 'POST',
    headers: dpop === undefined ? {} : { dpop },
    body: new URLSearchParams({
      ...{ grant_type: 'client_credentials', client_id, client_assertion, client_assertion_type: ASSERTION },
    }),
  })
  const { error } = (await response.json()) as { error?: string }
  return { status: response.status, error, nonce: response.headers.get('dpop-nonce') }
}
const proven = (nonce?: string | null) => proof(holder, TOKEN(), { claims: nonce ? { nonce } : {} })

/** As a build server does: it has one token of its platform, and no way to a second. */
test('openid-client gets its token with the one token of its platform, and with a nonce of before', async () => {
  for (const old of [undefined, 'A'.repeat(43)]) {
    const shown = assertions.job()
    const authentication: oidc.ClientAuth = (_as, _client, body) => {
      body.set('client_id', 'job')
      body.set('client_assertion', shown)
      body.set('client_assertion_type', ASSERTION)
    }
    const options = { execute: [oidc.allowInsecureRequests] }
    const configuration = await oidc.discovery(new URL(gateway.issuer), 'job', {}, authentication, options)
    const DPoP = oidc.getDPoPHandle(configuration, await oidc.randomDPoPKeyPair('ES256'))
    if (old) expect((await ask('job', shown, proven(old))).error).toBe('use_dpop_nonce')
    const { token_type } = await oidc.clientCredentialsGrant(configuration, {}, { DPoP })
    expect(token_type).toBe('dpop')
    await expect(oidc.clientCredentialsGrant(configuration, {}, { DPoP })).rejects.toMatchObject({
      error: 'invalid_client',
    })
  }
})

describe.each(['job', 'keyed'] as const)('the assertion of %s', (id) => {
  test('is not spent by being asked for a nonce, and is by whatever else is answered', async () => {
    const shown = assertions[id]()
    const first = await ask(id, shown, proven())
    expect([first.status, first.error]).toEqual([400, 'use_dpop_nonce'])
    const again = await ask(id, shown, proven('A'.repeat(43)))
    expect([again.status, again.error]).toEqual([400, 'use_dpop_nonce'])
    expect((await ask(id, shown, proven(again.nonce))).status).toBe(200)
    expect((await ask(id, shown, proven(again.nonce))).error).toBe('invalid_client')
    // nor does asking for a nonce give back what was spent before
    expect((await ask(id, shown, proven())).error).toBe('invalid_client')
    expect((await ask(id, shown, proven(again.nonce))).error).toBe('invalid_client')
  })

  test.each([
    ['without a proof', () => undefined],
    ['with a proof for another address', (nonce: string) => proof(holder, 'https://a.example', { claims: { nonce } })],
    ['with a proof that is none', () => 'a.b.c'],
  ])('is spent %s', async (_, dpop) => {
    const { nonce } = await ask(id, assertions[id](), proven())
    const shown = assertions[id]()
    expect((await ask(id, shown, dpop(nonce!))).status).toBe(400)
    expect((await ask(id, shown, proven(nonce))).error).toBe('invalid_client')
  })

  test('makes one token of sixty copies, of which some have no nonce', async () => {
    const { nonce } = await ask(id, assertions[id](), proven())
    const shown = assertions[id]()
    const copies = Array.from({ length: 60 }, (_, at) => ask(id, shown, proven(at % 3 === 0 ? undefined : nonce)))
    const won = (await Promise.all(copies)).filter(({ status }) => status === 200)
    expect(won.length).toBeLessThanOrEqual(1)
    const late = await ask(id, shown, proven(nonce))
    expect(won.length + (late.status === 200 ? 1 : 0)).toBe(1)
  })
})
