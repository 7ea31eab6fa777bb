/** Addresses that a client registers and that lead inside: nobody is ever asked there, and the client is refused in the protocol's words. */
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { ASSERTION, assertion, type Signing, signingKey } from '../support/partners.ts'
import { POLICIES } from '../support/policies.ts'

let gateway: Gateway
let inside: Server
let port: number
let key: Signing
let asked = 0

beforeAll(async () => {
  inside = createServer((socket) => {
    asked++
    socket.destroy()
  })
  await new Promise<void>((done) => inside.listen(0, done))
  port = (inside.address() as AddressInfo).port
  key = await signingKey()
  gateway = await startGateway({ policies: POLICIES, settings: { outbound: { allow: [] } } })
})
afterAll(async () => {
  await gateway?.close()
  inside?.close()
})

/** The same machine, and what clouds tell about themselves, in the spellings that filters miss. */
const HOSTS = [
  ...['127.0.0.1', 'localhost', '127.1', '2130706433', '0x7f.0.0.1', '0177.0.0.1', '0.0.0.0', '127.0.0.1.'],
  ...['[::1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[64:ff9b::7f00:1]', 'LOCALHOST', '①②⑦.0.0.1'],
  ...['169.254.169.254', '[fd00:ec2::254]', 'metadata.google.internal', 'user@127.0.0.1', '127.0.0.1#.example.com'],
]
const KINDS: Readonly<Record<string, (address: string) => object>> = {
  jwks_uri: (address) => ({ jwks_uri: address }),
  federated: (address) => ({ federated: [{ issuer: address, subject: 'keyed' }] }),
  'federated keys': (address) => ({
    federated: [{ issuer: 'https://platform.example', subject: 'keyed', jwks_uri: address }],
  }),
}

test.each(Object.keys(KINDS))('%s', async (kind) => {
  let taken = 0
  for (const [i, host] of HOSTS.entries()) {
    const address = `https://${host}:${port}/keys`
    const id = `inside-${Object.keys(KINDS).indexOf(kind)}-${i}`
    const oidc = { token_endpoint_auth_method: 'private_key_jwt', ...KINDS[kind]!(address) }
    const app = { id, template: 'machine', policy: 'plain', oidc } as never
    const known = await gateway.server.house.catalog.apps.register(app, 'test').then(
      () => true,
      () => false,
    )
    if (!known) continue
    taken++
    const iss = kind === 'federated' ? address : kind === 'federated keys' ? 'https://platform.example' : id
    const client_assertion = await assertion(id, gateway.issuer, key, { iss, sub: kind === 'jwks_uri' ? id : 'keyed' })
    const answer = await fetch(`${gateway.issuer}/oauth2/token`, {
      method: 'POST',
      body: new URLSearchParams({
        ...{ grant_type: 'client_credentials', client_id: id },
        ...{ client_assertion, client_assertion_type: ASSERTION },
      }),
    })
    const body = (await answer.json()) as Record<string, string>
    expect([host, answer.status, body['error']]).toEqual([host, 401, 'invalid_client'])
    expect(body['error_description'], host).toMatch(/reference E-/)
  }
  expect([taken > 0, asked]).toEqual([true, 0])
})
