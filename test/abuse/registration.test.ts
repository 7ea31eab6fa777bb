/** Registrations that ask for what nobody gave them: refused in the words of the protocol, and nothing inside is asked. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Gateway } from '../support/gateway.ts'
import { CALLBACK, CLIENT, invite, register, send, startRegistering, type Told } from '../support/registering.ts'

let gateway: Gateway
let token: string
let inside: ReturnType<typeof createServer>
let reached = 0
beforeAll(async () => {
  inside = createServer((_, response) => {
    reached++
    response.end('{}')
  })
  await new Promise<void>((resolve) => inside.listen(0, '127.0.0.1', resolve))
  gateway = await startRegistering()
  token = await invite(gateway, 500)
})
afterAll(async () => {
  await gateway?.close()
  inside?.close()
})
const insideAt = () => `http://127.0.0.1:${(inside.address() as AddressInfo).port}`
const KEYED = { ...CLIENT, token_endpoint_auth_method: 'private_key_jwt' }

describe('the address to come back to', () => {
  test.each([
    ['of somebody else', 'https://evil.example/cb'],
    ['at another port', 'http://localhost:10/callback'],
    ['of a host below', 'https://a.apps.example/cb'],
    ['of a host that ends alike', 'https://evilapps.example/cb'],
    ['with a user name', 'https://apps.example@evil.example/cb'],
    ['with two user names', 'https://apps.example@a@evil.example/'],
    ['with a backslash', 'https://apps.example\\@evil.example/'],
    ['with a blank', 'https://apps.example/ cb'],
    ['with a broken line', 'https://apps.example/cb\r\nx: y'],
    ['with a fragment', 'https://apps.example/cb#x'],
    ['with a wildcard', 'https://apps.example/*'],
    ['with dots', 'https://apps.example/a/../cb'],
    ['with encoded dots', 'https://apps.example/%2e%2e/cb'],
    ['with an encoded slash', 'https://apps.example/%2fevil.example'],
    ['by plain http', 'http://apps.example/cb'],
    ['in other letters', 'https://APPS.example/cb'],
    ['of a host in another script', 'https://аpps.example/cb'],
    ['with a scheme of its own', 'com.example.app:/cb'],
    ['that is a script', 'javascript:alert(1)//apps.example'],
    ['that is data', 'data:text/html,apps.example'],
    ['that is no address', 'apps.example/cb'],
    ['that brings a code along', 'https://apps.example/cb?code=x'],
    ['that is long', `https://apps.example/${'a'.repeat(3000)}`],
  ])('%s is refused', async (_, uri) => {
    const answer = await register(gateway, token, { ...CLIENT, redirect_uris: [CALLBACK, uri] })
    expect([answer.status, answer.body['error']]).toEqual([400, 'invalid_redirect_uri'])
  })
})

describe('metadata', () => {
  test.each<[string, unknown]>([
    ['no object', []],
    ['nothing', null],
    ['a text', '"x"'],
    ['no JSON', '{"client_name":'],
    ['without a name', { redirect_uris: [CALLBACK] }],
    ['with a name of two lines', { ...CLIENT, client_name: 'a\nb' }],
    ['with a name that turns round', { ...CLIENT, client_name: 'a\u202eb' }],
    ['with a long name', { ...CLIENT, client_name: 'a'.repeat(200) }],
    ['with a grant for programs', { ...CLIENT, grant_types: ['client_credentials'] }],
    ['with the implicit grant', { ...CLIENT, grant_types: ['authorization_code', 'implicit'] }],
    ['with a password grant', { ...CLIENT, grant_types: ['password'] }],
    ['with token exchange', { ...CLIENT, grant_types: ['urn:ietf:params:oauth:grant-type:token-exchange'] }],
    ['with another response type', { ...CLIENT, response_types: ['code', 'token'] }],
    ['with a method that is not taken', { ...CLIENT, token_endpoint_auth_method: 'client_secret_post' }],
    ['with a certificate', { ...CLIENT, token_endpoint_auth_method: 'tls_client_auth' }],
    ['with a method that there is none of', { ...CLIENT, token_endpoint_auth_method: 'constructor' }],
    ['with keys inside', { ...KEYED, jwks_uri: 'http://169.254.169.254/keys' }],
    ['with keys of somebody else', { ...KEYED, jwks_uri: 'https://evil.example/keys' }],
    ['with a private key', { ...KEYED, jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'd' }] } }],
    ['with a symmetric key', { ...KEYED, jwks: { keys: [{ kty: 'oct', k: 'x' }] } }],
    ['without keys', KEYED],
    ['with a sign-out inside', { ...CLIENT, backchannel_logout_uri: 'http://127.0.0.1:22/' }],
    ['with a sign-out in the browser elsewhere', { ...CLIENT, frontchannel_logout_uri: 'https://evil.example/' }],
    [
      'with a way back from signing out to somebody else',
      { ...CLIENT, post_logout_redirect_uris: ['https://evil.example/'] },
    ],
    ['with a sector', { ...CLIENT, sector_identifier_uri: 'https://apps.example/sector' }],
    ['with ids of its own for people', { ...CLIENT, subject_type: 'pairwise' }],
    ['with requests by address', { ...CLIENT, request_uris: ['https://apps.example/request'] }],
    ['with a statement that nobody here signed', { ...CLIENT, software_statement: 'a.b.c' }],
    ['that never ends', { ...CLIENT, client_uri: 'x'.repeat(300_000) }],
  ])('%s is refused', async (_, body) => {
    const answer = await register(gateway, token, body)
    expect([answer.status, answer.body['error']]).toEqual([400, 'invalid_client_metadata'])
  })

  test('of another type is refused', async () => {
    const address = `${gateway.issuer}/oauth2/register`
    const answer = await send(address, token, 'client_name=x', { type: 'application/x-www-form-urlencoded' })
    expect([answer.status, answer.body['error']]).toEqual([400, 'invalid_client_metadata'])
  })

  test('that says what is not the client’s to say says nothing', async () => {
    const { status, body } = await register(gateway, token, {
      ...CLIENT,
      ...{ client_id: 'admin', id: 'admin', client_secret: 'secret', registration_access_token: 'x', owner: 'me' },
      ...{
        policy: 'open',
        audience: ['*'],
        tags: ['resource-server'],
        tier: 'low',
        first_party: true,
        firstParty: true,
      },
      ...{ apis: { orders: ['orders:write'] }, scopes: ['email'], pkce: 'optional', claims: { groups: 'all' } },
      ...{
        federated: [{ issuer: 'https://evil.example', subject: 'x' }],
        partner: {},
        document: true,
        organisation: 'x',
      },
      ...{ require_signed_request_object: false, __proto__: null, constructor: { prototype: { a: 1 } } },
    })
    expect(status).toBe(201)
    const app = await gateway.server.house.catalog.apps.find(String(body['client_id']))
    expect(app).toMatchObject({
      ...{ policy: 'strangers', audience: ['staff'], tags: ['self-registered'], tier: 'standard', firstParty: false },
      oidc: { pkce: 'required', apis: { orders: ['orders:read'] }, federated: [], scopes: ['openid', 'profile'] },
    })
    for (const key of ['owner', 'organisation', 'partner', 'document']) expect(app).not.toHaveProperty(key)
    expect(body['client_id']).not.toBe('admin')
    expect(body).not.toHaveProperty('client_secret')
  })

  test('that names addresses of pictures and pages has none of them asked for', async () => {
    const at = insideAt()
    const pages = { logo_uri: at, client_uri: at, policy_uri: at, tos_uri: at, initiate_login_uri: at }
    expect(await register(gateway, token, { ...CLIENT, ...pages })).toMatchObject({ status: 201 })
    expect(reached).toBe(0)
  })
})

test('keys at a host that is allowed and inside are not fetched where the network is not', async () => {
  const host = new URL(insideAt()).host
  const hosts = ['localhost:9', host]
  const closed = await startRegistering({ hosts }, { settings: { outbound: { allow: [] } } })
  const { status, body } = await register(closed, await invite(closed), { ...KEYED, jwks_uri: `${insideAt()}/keys` })
  expect(status).toBe(201)
  const header = Buffer.from('{"alg":"ES256"}').toString('base64url')
  const assertion = `${header}.${Buffer.from(JSON.stringify({ iss: body['client_id'], sub: body['client_id'] })).toString('base64url')}.x`
  const answer = await fetch(`${closed.issuer}/oauth2/token`, {
    method: 'POST',
    body: new URLSearchParams({
      ...{ grant_type: 'authorization_code', code: 'x', client_id: String(body['client_id']) },
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    }),
  })
  expect([answer.status, reached]).toEqual([401, 0])
  await closed.close()
})

describe('a token that is not the right one', () => {
  const refused = ({ status, body, headers }: Told) =>
    expect([status, body, headers.get('www-authenticate')]).toEqual([
      ...[401, { error: 'invalid_token' }, 'Bearer error="invalid_token"'],
    ])
  test.each([undefined, '', 'x', 'x'.repeat(43), 'x'.repeat(5000), '__proto__'])(
    'registers nobody: %s',
    async (wrong) => {
      refused(await register(gateway, wrong, CLIENT))
    },
  )

  test('in the query or in the body registers nobody', async () => {
    const address = `${gateway.issuer}/oauth2/register?access_token=${token}`
    refused(await send(address, undefined, { ...CLIENT, access_token: token }))
  })

  test('of another client, of an invitation, of a sign-in reads, changes and removes nothing', async () => {
    const [one, other] = [await register(gateway, token, CLIENT), await register(gateway, token, CLIENT)]
    const address = String(one.body['registration_client_uri'])
    const change = { ...CLIENT, client_id: one.body['client_id'], client_name: 'Mine' }
    for (const wrong of [String(other.body['registration_access_token']), token, 'x'.repeat(43), undefined]) {
      refused(await send(address, wrong))
      refused(await send(address, wrong, change, { method: 'PUT' }))
      refused(await send(address, wrong, undefined, { method: 'DELETE' }))
    }
    refused(await send(`${address}x`, String(one.body['registration_access_token'])))
    refused(await send(`${gateway.issuer}/oauth2/register/`, String(one.body['registration_access_token'])))
    refused(await register(gateway, String(one.body['registration_access_token']), CLIENT))
    expect(await send(address, String(one.body['registration_access_token']))).toMatchObject({
      status: 200,
      body: { client_name: 'Planner' },
    })
  })

  test.each<[string, object, string]>([
    ['another id', { client_id: 'client-0' }, 'invalid_request'],
    ['no id', { client_id: undefined }, 'invalid_request'],
    ['a token of its choice', { registration_access_token: 'x' }, 'invalid_request'],
    ['an address of its choice', { registration_client_uri: 'https://evil.example/' }, 'invalid_request'],
    ['a time of its choice', { client_secret_expires_at: 0 }, 'invalid_request'],
    ['a secret of its choice', { client_secret: 'secret' }, 'invalid_client_metadata'],
    ['an address of somebody else', { redirect_uris: ['https://evil.example/'] }, 'invalid_redirect_uri'],
  ])('nor does the right one with %s', async (_, more, error) => {
    const { body } = await register(gateway, token, CLIENT)
    const [address, own] = [String(body['registration_client_uri']), String(body['registration_access_token'])]
    const answer = await send(address, own, { ...CLIENT, client_id: body['client_id'], ...more }, { method: 'PUT' })
    expect([answer.status, answer.body['error']]).toEqual([400, error])
    expect(await send(address, own)).toMatchObject({ status: 200, body: { redirect_uris: [CALLBACK] } })
  })
})

test.each(['GET', 'PUT', 'DELETE', 'PATCH'])('%s is no way to register', async (method) => {
  const answer = await fetch(`${gateway.issuer}/oauth2/register`, { method })
  expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST'])
})
