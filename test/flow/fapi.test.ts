/**
 * FAPI 2.0, by a client that is not ours: openid-client pushes its requests, signs them, proves its key and reads signed
 * answers. And what the gateway takes from a client with such a profile, and what not.
 */
import { randomUUID } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader, exportJWK, SignJWT } from 'jose'
import * as oidc from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser } from '../../demo/browser.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { now, respelled } from '../support/proofs.ts'
import { atCallback, CALLBACK, typePassword } from '../support/relying-party.ts'

let gateway: Gateway
let keys: CryptoKeyPair
let rsa: CryptoKeyPair
const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

beforeAll(async () => {
  keys = (await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
    'sign',
    'verify',
  ])) as CryptoKeyPair
  const RSA = {
    name: 'RSASSA-PKCS1-v1_5',
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
    hash: 'SHA-256',
  }
  rsa = (await crypto.subtle.generateKey(RSA, true, ['sign', 'verify'])) as CryptoKeyPair
  const jwks = {
    keys: [
      { ...(await exportJWK(keys.publicKey)), kid: 'k1', use: 'sig' },
      { ...(await exportJWK(rsa.publicKey)), kid: 'k2', use: 'sig', alg: undefined },
    ].map((key) => JSON.parse(JSON.stringify(key))),
  }
  const app = (id: string, more: object) => ({
    id,
    policy: 'plain',
    audience: ['staff'],
    tags: ['resource-server'],
    oidc: {
      redirect_uris: [CALLBACK],
      scopes: ['openid', 'profile', 'email', 'offline_access'],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks,
      ...more,
    },
  })
  gateway = await startGateway({
    policies: POLICIES,
    people: [{ username: 'sam', name: 'Sam de Vries', mail: 'sam@kestrel.example', groups: ['staff'] }],
    apps: [
      app('bank', { profile: 'fapi2', dpop_bound_access_tokens: true }),
      app('signing', { profile: 'fapi2-message-signing', dpop_bound_access_tokens: true }),
      app('pushing', { require_pushed_authorization_requests: true }),
      app('plain', {}),
    ] as never,
  })
})
afterAll(() => gateway.close())

async function client(id: string, metadata: Partial<oidc.ClientMetadata> = {}) {
  const configuration = await oidc.discovery(
    new URL(gateway.issuer),
    id,
    { ...metadata, id_token_signed_response_alg: id === 'plain' || id === 'pushing' ? 'RS256' : 'ES256' },
    oidc.PrivateKeyJwt({ key: keys.privateKey, kid: 'k1' }),
    { execute: [oidc.allowInsecureRequests] },
  )
  return { configuration, DPoP: oidc.getDPoPHandle(configuration, await oidc.randomDPoPKeyPair('ES256')) }
}
const request = async () => {
  const verifier = oidc.randomPKCECodeVerifier()
  const [state, nonce] = [oidc.randomState(), oidc.randomNonce()]
  const parameters = {
    ...{ redirect_uri: CALLBACK, scope: 'openid email offline_access', response_type: 'code', state, nonce },
    ...{ code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' },
  }
  return { parameters, checks: { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce } }
}
async function back(url: URL): Promise<URL> {
  const browser = createBrowser({ stopAt: CALLBACK })
  const page = await browser.open(url.href)
  return (atCallback(page) ? page : await typePassword(browser, page, 'sam')).url
}

test('the security profile: pushed request, key of its own, bound tokens, and a refresh token that stays', async () => {
  const { configuration, DPoP } = await client('bank')
  const { parameters, checks } = await request()
  const pushed = await oidc.buildAuthorizationUrlWithPAR(configuration, parameters, { DPoP })
  expect([...pushed.searchParams.keys()].sort()).toEqual(['client_id', 'request_uri'])
  const answer = await back(pushed)
  expect(answer.searchParams.get('iss')).toBe(gateway.issuer)
  const tokens = await oidc.authorizationCodeGrant(configuration, answer, checks, undefined, { DPoP })
  expect(decodeProtectedHeader(tokens.id_token!).alg).toBe('ES256')
  const first = await oidc.refreshTokenGrant(configuration, tokens.refresh_token!, {}, { DPoP })
  const second = await oidc.refreshTokenGrant(configuration, tokens.refresh_token!, {}, { DPoP })
  expect([first.token_type, second.token_type]).toEqual(['dpop', 'dpop'])
  const info = await oidc.fetchUserInfo(configuration, second.access_token, tokens.claims()!.sub, { DPoP })
  expect(info.email).toBe('sam@kestrel.example')
})

test('message signing: the request is signed, and so are the answer and what introspection tells', async () => {
  const { configuration, DPoP } = await client('signing', {
    authorization_signed_response_alg: 'ES256',
    introspection_signed_response_alg: 'ES256',
  })
  oidc.useJwtResponseMode(configuration)
  const { parameters, checks } = await request()
  const signed = await oidc.buildAuthorizationUrlWithJAR(configuration, parameters, { key: keys.privateKey, kid: 'k1' })
  const answer = await back(await oidc.buildAuthorizationUrlWithPAR(configuration, signed.searchParams, { DPoP }))
  expect([...answer.searchParams.keys()]).toEqual(['response'])
  expect(decodeJwt(answer.searchParams.get('response')!)).toMatchObject({ iss: gateway.issuer, aud: 'signing' })
  const tokens = await oidc.authorizationCodeGrant(configuration, answer, checks, undefined, { DPoP })
  const told = await oidc.tokenIntrospection(configuration, tokens.access_token)
  expect(told).toMatchObject({ active: true, client_id: 'signing', cnf: { jkt: expect.any(String) } })
})

test('the discovery document offers what is there, and nothing unsigned', async () => {
  const { configuration } = await client('plain')
  const found = configuration.serverMetadata()
  expect(found['request_object_signing_alg_values_supported']).toEqual(['RS256', 'PS256', 'ES256', 'EdDSA'])
  for (const what of ['authorization', 'introspection'])
    expect([...(found[`${what}_signing_alg_values_supported`] as string[])].sort()).toEqual(['ES256', 'EdDSA', 'RS256'])
  expect(found['response_modes_supported']).toEqual(expect.arrayContaining(['jwt', 'query.jwt', 'form_post.jwt']))
})

describe('of a client with a profile', () => {
  const sign = (claims: Record<string, unknown>, { alg = 'ES256', typ }: { alg?: string; typ?: string } = {}) => {
    const [key, kid] = alg === 'ES256' ? [keys.privateKey, 'k1'] : [rsa.privateKey, 'k2']
    return new SignJWT(claims).setProtectedHeader({ alg, kid, ...(typ ? { typ } : {}) }).sign(key)
  }
  const assertion = (id: string, more: Record<string, unknown> = {}, alg?: string) =>
    sign(
      { iss: id, sub: id, aud: gateway.issuer, jti: randomUUID(), iat: now(), exp: now() + 60, ...more },
      alg === undefined ? {} : { alg },
    )
  async function push(id: string, fields: Record<string, unknown>, shown?: string) {
    const given = Object.entries(fields).filter((pair): pair is [string, string] => pair[1] !== undefined)
    const response = await fetch(`${gateway.issuer}/oauth2/request`, {
      method: 'POST',
      body: new URLSearchParams({
        ...Object.fromEntries(given),
        client_id: id,
        client_assertion: shown ?? (await assertion(id)),
        client_assertion_type: ASSERTION,
      }),
    })
    const json = (await response.json()) as Record<string, string>
    return { status: response.status, error: json['error'], json }
  }
  const object = async (
    id: string,
    more: Record<string, unknown> = {},
    header: { alg?: string; typ?: string } = {},
  ) => {
    const { parameters } = await request()
    const times = { iat: now(), nbf: now(), exp: now() + 60 }
    return sign(
      { iss: id, aud: gateway.issuer, client_id: id, response_mode: 'jwt', ...times, ...parameters, ...more },
      header,
    )
  }

  test('an ordinary request is refused, and so is one that is signed but not pushed', async () => {
    const { parameters } = await request()
    for (const id of ['bank', 'signing', 'pushing']) {
      for (const more of [parameters, { ...parameters, request: await object(id) }]) {
        const url = `${gateway.issuer}/oauth2/auth?${new URLSearchParams({ client_id: id, ...more })}`
        const response = await fetch(url, { redirect: 'manual' })
        const text = response.headers.get('location') ?? (await response.text())
        expect(text).not.toContain('code=')
        expect(response.headers.get('location') ?? '').not.toContain('/signin')
      }
    }
  })

  test('a pushed request does without nothing that protects it', async () => {
    const { parameters } = await request()
    expect((await push('bank', parameters)).status).toBe(201)
    const changes: Record<string, string | undefined>[] = [
      { code_challenge: undefined, code_challenge_method: undefined },
      { code_challenge_method: 'plain' },
      { redirect_uri: undefined },
      { redirect_uri: `${CALLBACK}/x` },
      { response_type: 'token' },
      { response_type: 'code id_token' },
    ]
    for (const change of changes) {
      const { status, error } = await push('bank', { ...parameters, ...change })
      expect([status, error], JSON.stringify(change)).toEqual([400, expect.stringMatching(/^(invalid|unsupported)_/)])
    }
  })

  test.each([
    ['for the token endpoint', { aud: 'TOKEN' }],
    ['for the pushed requests', { aud: 'PAR' }],
    ['for a list, even of one', { aud: 'LIST' }],
    ['that is made two minutes from now', { iat: now() + 240 }],
    ['that holds two minutes from now', { nbf: now() + 240 }],
  ])('an assertion %s is refused', async (_, more) => {
    const audiences: Record<string, unknown> = {
      TOKEN: `${gateway.issuer}/oauth2/token`,
      PAR: `${gateway.issuer}/oauth2/request`,
      LIST: [gateway.issuer],
    }
    const { parameters } = await request()
    const claims = 'aud' in more ? { aud: audiences[String(more.aud)] } : more
    const { status, error } = await push('bank', parameters, await assertion('bank', claims))
    expect([status, error]).toEqual([401, 'invalid_client'])
    // others may name the endpoint
    if ('aud' in more) expect((await push('plain', parameters, await assertion('plain', claims))).status).toBe(201)
  })

  test('an assertion by RS256 is refused, and none at all', async () => {
    const { parameters } = await request()
    expect((await push('bank', parameters, await assertion('bank', {}, 'RS256'))).error).toBe('invalid_client')
    expect((await push('plain', parameters, await assertion('plain', {}, 'RS256'))).status).toBe(201)
    const response = await fetch(`${gateway.issuer}/oauth2/request`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: 'bank', ...parameters }),
    })
    expect(response.status).toBe(401)
  })

  test('a clock that is a few seconds ahead is forgiven', async () => {
    const { parameters } = await request()
    const ahead = await assertion('bank', { iat: now() + 8, nbf: now() + 8 })
    expect((await push('bank', parameters, ahead)).status).toBe(201)
  })

  test('with message signing, a request that is not signed is refused, and one that wants a bare answer', async () => {
    const { parameters } = await request()
    expect((await push('signing', { ...parameters, response_mode: 'jwt' })).status).toBe(400)
    expect((await push('signing', { request: await object('signing') })).status).toBe(201)
    for (const response_mode of ['query', 'form_post', 'fragment', undefined])
      expect((await push('signing', { request: await object('signing', { response_mode }) })).status).toBe(400)
  })

  test.each([
    ['for somebody else', { aud: 'https://other.example' }, {}],
    ['of somebody else', { iss: 'bank' }, {}],
    ['about somebody else', { client_id: 'bank' }, {}],
    ['that never ends', { exp: undefined }, {}],
    ['that has no beginning', { nbf: undefined }, {}],
    ['that is over', { nbf: now() - 120, exp: now() - 60 }, {}],
    ['that holds for hours', { exp: now() + 7_200 }, {}],
    ['that began hours ago', { nbf: now() - 7_200 }, {}],
    ['of the future', { nbf: now() + 240, exp: now() + 300 }, {}],
    ['that is an assertion', { sub: 'signing' }, {}],
    ['of another type', {}, { typ: 'logout+jwt' }],
    ['signed by RS256', {}, { alg: 'RS256' }],
    ['that holds another one', { request: 'x' }, {}],
    ['that points to another one', { request_uri: 'https://other.example/request' }, {}],
  ] as [string, Record<string, unknown>, { alg?: string; typ?: string }][])(
    'a signed request %s is refused',
    async (_, more, header) => {
      const { status, error } = await push('signing', { request: await object('signing', more, header) })
      expect([status, error]).toEqual([400, expect.stringMatching(/^invalid_request(_object)?$/)])
    },
  )

  test('a signed request has one spelling, and one key', async () => {
    const request = await object('signing')
    for (const at of [0, 1, 2]) expect((await push('signing', { request: respelled(request, at) })).status).toBe(400)
    const [header, payload] = request.split('.')
    const none = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url')
    expect((await push('signing', { request: `${none}.${payload}.` })).error).toBe('invalid_request_object')
    expect((await push('signing', { request: `${header}.${payload}.${'A'.repeat(86)}` })).error).toBe(
      'invalid_request_object',
    )
  })

  test('a client without a profile signs its requests where it has keys, also without pushing them', async () => {
    const request = await object('plain', { response_mode: undefined }, { typ: 'oauth-authz-req+jwt' })
    const answer = await back(
      new URL(`${gateway.issuer}/oauth2/auth?${new URLSearchParams({ client_id: 'plain', request })}`),
    )
    expect(answer.searchParams.get('code')).toBeTruthy()
  })
})
