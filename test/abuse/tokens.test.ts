/** Tokens, assertions and codes that are forged, confused, stretched or used again. */
import {
  type BinaryLike,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser } from '../../demo/browser.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { CALLBACK, typePassword } from '../support/relying-party.ts'

const ours = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const thiefs = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const PUBLIC = { ...ours.publicKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig', kid: 'k1' }
const OTHER_CALLBACK = 'http://localhost:9/other'

let gateway: Gateway
const oidcApp = (id: string, oidc: object) => ({
  id,
  policy: 'plain',
  audience: ['staff'],
  oidc: {
    redirect_uris: [CALLBACK, OTHER_CALLBACK],
    post_logout_redirect_uris: [CALLBACK],
    scopes: ['openid', 'profile', 'offline_access'],
    grant_types: ['authorization_code', 'refresh_token'] as const,
    ...oidc,
  },
})

beforeAll(async () => {
  gateway = await startGateway({
    policies: POLICIES,
    people: [
      { username: 'sam', name: 'Sam', groups: ['staff'] },
      { username: 'eve', name: 'Eve', groups: ['staff'] },
    ],
    apps: [
      oidcApp('web', {}),
      oidcApp('other', {}),
      oidcApp('public', { token_endpoint_auth_method: 'none' }),
      oidcApp('keyed', { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [PUBLIC] } }),
      oidcApp('keyed-too', { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [PUBLIC] } }),
    ] as never,
  })
})
afterAll(() => gateway.close())

type Json = Record<string, unknown>
const base64url = (value: string | Buffer) => Buffer.from(value).toString('base64url')
const part = (value: unknown) => base64url(typeof value === 'string' ? value : JSON.stringify(value))
type Signer = (signed: string) => string
const es256 =
  (key: KeyObject = ours.privateKey): Signer =>
  (signed) =>
    base64url(sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }))
const hs256 =
  (secret: BinaryLike): Signer =>
  (signed) =>
    createHmac('sha256', secret).update(signed).digest('base64url')
const nothing: Signer = () => ''
const jwt = (header: unknown, payload: unknown, signer: Signer) => {
  const signed = `${part(header)}.${part(payload)}`
  return `${signed}.${signer(signed)}`
}

async function post(path: string, fields: Record<string, string>, headers: Record<string, string> = {}) {
  const response = await fetch(`${gateway.issuer}${path}`, {
    method: 'POST',
    headers,
    body: new URLSearchParams(fields),
  })
  const text = await response.text()
  expect(response.status, text).toBeLessThan(500)
  return { status: response.status, json: (text ? JSON.parse(text) : {}) as Json }
}
const basic = (id: string) => ({ authorization: `Basic ${btoa(`${id}:${gateway.secrets.get(id)}`)}` })

const challengeOf = (verifier: string) => createHash('sha256').update(verifier).digest('base64url')
/** The address that the browser was sent back to, and what the app keeps. */
async function authorized(client: string, more: Record<string, string> = {}, username = 'sam') {
  const verifier = randomBytes(32).toString('base64url')
  const parameters = {
    client_id: client,
    response_type: 'code',
    scope: 'openid offline_access',
    redirect_uri: CALLBACK,
    state: 'x',
    code_challenge: challengeOf(verifier),
    code_challenge_method: 'S256',
    ...more,
  }
  const browser = createBrowser({ stopAt: 'http://localhost:9/' })
  const asked = await browser.open(`${gateway.issuer}/oauth2/auth?${new URLSearchParams(parameters)}`)
  const page = asked.url.port === '9' ? asked : await typePassword(browser, asked, username)
  return { code: page.url.searchParams.get('code')!, verifier, browser, url: page.url }
}
const exchange = (code: string, verifier: string, client = 'web', more: Record<string, string> = {}) =>
  post(
    '/oauth2/token',
    { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier, ...more },
    basic(client),
  )
async function tokensOf(client = 'web', username = 'sam') {
  const { code, verifier, browser } = await authorized(client, {}, username)
  const { json } = await exchange(code, verifier, client)
  return { ...(json as { access_token: string; refresh_token: string; id_token: string }), browser }
}

describe('a client assertion (RFC 7523 §3)', () => {
  const now = () => Math.floor(Date.now() / 1000)
  const claims = (more: Json = {}): Json => ({
    iss: 'keyed',
    sub: 'keyed',
    aud: gateway.issuer,
    jti: randomBytes(16).toString('hex'),
    iat: now(),
    exp: now() + 60,
    ...more,
  })
  const HEADER = { alg: 'ES256', kid: 'k1', typ: 'JWT' }
  /** Whether the client is believed: then only the token is unknown. */
  async function believed(assertion: string, client?: string): Promise<boolean> {
    const { status, json } = await post('/oauth2/introspection', {
      token: 'x',
      client_assertion: assertion,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      ...(client ? { client_id: client } : {}),
    })
    if (status !== 200) expect(json['error']).toMatch(/^invalid_(client|request)$/)
    return status === 200
  }

  test('that is right is believed, so the tests can fail', async () => {
    expect(await believed(jwt(HEADER, claims(), es256()))).toBe(true)
    expect(await believed(jwt(HEADER, claims({ aud: `${gateway.issuer}/oauth2/token` }), es256()))).toBe(true)
  })

  const pem = ours.publicKey.export({ type: 'spki', format: 'pem' })
  const der = ours.publicKey.export({ type: 'spki', format: 'der' })
  const thief = { ...thiefs.publicKey.export({ format: 'jwk' }) }
  const FORGED: readonly (readonly [what: string, header: unknown, signer: Signer])[] = [
    ['alg none', { alg: 'none' }, nothing],
    ['alg none, with the key’s name', { alg: 'none', kid: 'k1' }, nothing],
    ['alg None', { alg: 'None' }, nothing],
    ['alg nONE', { alg: 'nONE', kid: 'k1' }, nothing],
    ['no alg', { kid: 'k1' }, nothing],
    ['alg null', { alg: null, kid: 'k1' }, nothing],
    ['alg a list', { alg: ['ES256'], kid: 'k1' }, es256()],
    ['alg of a prototype', { alg: '__proto__', kid: 'k1' }, nothing],
    ['no signature', HEADER, nothing],
    ['HS256 with the public key as PEM', { alg: 'HS256', kid: 'k1' }, hs256(pem)],
    ['HS256 with the public key as DER', { alg: 'HS256', kid: 'k1' }, hs256(der)],
    ['HS256 with the public key as JWK', { alg: 'HS256', kid: 'k1' }, hs256(JSON.stringify(PUBLIC))],
    ['HS256 with an empty key', { alg: 'HS256' }, hs256('')],
    ['another key', HEADER, es256(thiefs.privateKey)],
    ['another key, sent along', { ...HEADER, jwk: thief }, es256(thiefs.privateKey)],
    ['another key under our name, sent along', { ...HEADER, jwk: { ...thief, kid: 'k1' } }, es256(thiefs.privateKey)],
    ['another key, without a name', { alg: 'ES256', jwk: thief }, es256(thiefs.privateKey)],
    ['another key by jku', { ...HEADER, jku: 'http://localhost:9/jwks' }, es256(thiefs.privateKey)],
    ['another key by x5u', { ...HEADER, x5u: 'http://localhost:9/x5u' }, es256(thiefs.privateKey)],
    ['another key by x5c', { ...HEADER, x5c: ['MIIB'] }, es256(thiefs.privateKey)],
    ['a path as kid', { alg: 'HS256', kid: '../../../../dev/null' }, hs256('')],
    ['SQL as kid', { alg: 'HS256', kid: "x' union select 'a" }, hs256('a')],
    ['a prototype as kid', { alg: 'ES256', kid: '__proto__' }, es256(thiefs.privateKey)],
    ['something critical that nobody knows', { ...HEADER, crit: ['exp2'], exp2: 1 }, es256()],
    ['ES384 of an ES256 key', { alg: 'ES384', kid: 'k1' }, es256()],
    ['a signature of zeros', HEADER, () => base64url(Buffer.alloc(64))],
    ['a signature in DER', HEADER, (signed) => base64url(sign('sha256', Buffer.from(signed), ours.privateKey))],
    ['a header that is a list', [HEADER], es256()],
    ['a header that is no JSON', 'x', es256()],
    ['a header that says something twice', JSON.stringify(HEADER).replace('{', '{"alg":"none",'), es256()],
  ]
  test.each(FORGED)('with %s is not', async (_what, header, signer) => {
    expect(await believed(jwt(header, claims(), signer))).toBe(false)
    expect(await believed(jwt(header, claims(), signer), 'keyed')).toBe(false)
  })

  test.each<readonly [string, () => Json]>([
    ['of another client', () => ({ iss: 'keyed-too', sub: 'keyed' })],
    ['about another client', () => ({ iss: 'keyed', sub: 'keyed-too' })],
    ['for somebody else', () => ({ aud: 'https://evil.example' })],
    ['for the app itself', () => ({ aud: 'keyed' })],
    ['for nobody', () => ({ aud: undefined })],
    ['for an address that begins like ours', () => ({ aud: `${gateway.issuer}.evil.example` })],
    ['for an empty list', () => ({ aud: [] })],
    ['over', () => ({ exp: now() - 61 })],
    ['without an end', () => ({ exp: undefined })],
    ['with an end that is no number', () => ({ exp: '9999999999' })],
    ['with an end that is no time', () => ({ exp: Number.NaN })],
    ['with an end after all time', () => ({ exp: 1e300 })],
    ['with an end between two seconds', () => ({ exp: now() + 60.5 })],
    ['with an end in a hundred thousand years', () => ({ exp: now() + 1e5 * 31_557_600 })],
    ['not valid yet', () => ({ nbf: now() + 3600 })],
    ['without a jti', () => ({ jti: undefined })],
    ['with a jti that is no text', () => ({ jti: { a: 1 } })],
    ['without an issuer', () => ({ iss: undefined })],
    ['without a subject', () => ({ sub: undefined })],
  ])('%s is not believed', async (_what, change) => {
    expect(await believed(jwt(HEADER, claims(change()), es256()))).toBe(false)
  })

  test.each(['iss', 'sub', 'aud', 'exp', 'jti'])(
    'that says %s twice is not believed, whichever comes first',
    async (name) => {
      const right = JSON.stringify(claims())
      for (const wrong of ['"x"', JSON.stringify(claims()[name])]) {
        expect(await believed(jwt(HEADER, right.replace('{', `{"${name}":${wrong},`), es256()))).toBe(false)
        expect(await believed(jwt(HEADER, `${right.slice(0, -1)},"${name}":${wrong}}`, es256()))).toBe(false)
      }
      // a name that is written in another way is the same one
      const escaped = `\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}`
      expect(await believed(jwt(HEADER, right.replace('{', `{"${escaped}":"x",`), es256()))).toBe(false)
    },
  )

  test('that has quotes, colons and braces in its values is believed', async () => {
    expect(await believed(jwt(HEADER, claims({ note: 'a":{"b\\":["c', more: [{ a: 1 }, { a: 2 }] }), es256()))).toBe(
      true,
    )
  })

  test('is believed once, of 50 at once exactly once, and never in another spelling', async () => {
    const assertion = jwt(HEADER, claims(), es256())
    const first = await Promise.all(Array.from({ length: 50 }, () => believed(assertion)))
    expect(first.filter(Boolean)).toHaveLength(1)
    for (const spelling of spellings(assertion)) expect(await believed(spelling), spelling.slice(-8)).toBe(false)
  })

  test.each([0, 1, 2, 3, 4, 5, 6, 7])('in another spelling (%d) is not believed, and spends nothing', async (n) => {
    let assertion = ''
    // not every signature has a character that is written otherwise elsewhere
    do assertion = jwt(HEADER, claims(), es256())
    while (spellings(assertion)[n] === assertion)
    expect(await believed(spellings(assertion)[n]!)).toBe(false)
    expect(await believed(assertion)).toBe(true)
  })

  /** The same bytes to a forgiving reader. */
  function spellings(token: string): string[] {
    const [header = '', payload = '', signature = ''] = token.split('.')
    const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    // the last character of 86 carries four bits that mean nothing
    const last = ALPHABET.indexOf(signature.at(-1)!)
    const twin = signature.slice(0, -1) + ALPHABET[(last & 0b110000) | ((last + 1) & 0b1111)]
    return [
      `${header}.${payload}.${twin}`,
      `${token}==`,
      `${token}=`,
      `${header}=.${payload}=.${signature}`,
      `${header}.${payload}.${signature.replaceAll('-', '+').replaceAll('_', '/')}`,
      `${header}.${payload}.${signature.slice(0, 10)}\n${signature.slice(10)}`,
      ` ${token} `,
      `${token}.`,
    ]
  }

  test('of the size of a book is refused', async () => {
    const long = jwt(HEADER, claims({ x: 'y'.repeat(30_000) }), es256())
    expect(await believed(long)).toBe(true) // 40 KB of something true is only long
    const { status } = await post('/oauth2/introspection', {
      token: 'x',
      client_assertion: 'a.'.repeat(40_000),
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    })
    expect(status).toBe(400)
  })

  test('does not stand in for the method that the client registered', async () => {
    for (const client of ['web', 'public'])
      expect(await believed(jwt(HEADER, claims({ iss: client, sub: client }), es256()), client)).toBe(false)
  })
})

describe('a client', () => {
  test('proves itself in one way (RFC 6749 §2.3), and not in the address', async () => {
    const secret = gateway.secrets.get('web')!
    const fields = { token: 'x', client_id: 'web', client_secret: secret }
    expect((await post('/oauth2/introspection', { token: 'x' }, basic('web'))).status).toBe(200)
    expect((await post('/oauth2/introspection', fields, basic('web'))).status).toBe(400)
    expect((await post('/oauth2/introspection', { token: 'x', client_id: 'web' })).status).toBe(401)
    expect((await post(`/oauth2/introspection?client_id=web&client_secret=${secret}`, { token: 'x' })).status).toBe(400)
    expect((await post('/oauth2/introspection', { token: 'x', client_id: 'other' }, basic('web'))).status).toBe(400)
  })

  test.each(['', 'undefined', 'null', ' ', '%00', 'x'.repeat(20_000)])(
    'with the secret %j is refused',
    async (secret) => {
      const header = { authorization: `Basic ${btoa(`web:${secret}`)}` }
      expect([400, 401]).toContain((await post('/oauth2/introspection', { token: 'x' }, header)).status)
    },
  )
})

describe('an id_token_hint', () => {
  let idToken: string
  let browser: ReturnType<typeof createBrowser>
  let keys: { keys: JsonWebKey[] }
  beforeAll(async () => {
    ;({ id_token: idToken, browser } = await tokensOf())
    keys = (await (await fetch(`${gateway.issuer}/oauth2/jwks`)).json()) as { keys: JsonWebKey[] }
  })
  const payloadOf = (token: string): Json => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())
  const headerOf = (token: string): Json => JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString())
  const cookie = () => ({ cookie: [...browser.jar].map(([name, value]) => `${name}=${value}`).join('; ') })
  const ask = (hint: string) =>
    fetch(
      `${gateway.issuer}/oauth2/auth?${new URLSearchParams({ client_id: 'web', response_type: 'code', scope: 'openid', redirect_uri: CALLBACK, prompt: 'none', code_challenge: challengeOf('x'), code_challenge_method: 'S256', id_token_hint: hint })}`,
      { redirect: 'manual', headers: cookie() },
    )
  const end = (hint: string, headers: Record<string, string> = cookie()) =>
    fetch(
      `${gateway.issuer}/oauth2/session/end?${new URLSearchParams({ id_token_hint: hint, post_logout_redirect_uri: CALLBACK })}`,
      { redirect: 'manual', headers },
    )

  test('of ours is taken, so the tests can fail', async () => {
    expect(new URL((await ask(idToken)).headers.get('location')!).searchParams.has('code')).toBe(true)
    // in a browser that is not signed in, so that the session of the other tests lives on
    const ended = await end(idToken, {})
    expect(ended.status).toBe(303)
    expect(ended.headers.get('location')).toBe(CALLBACK)
  })

  test('about somebody else does not open the app for whoever is signed in', async () => {
    const other = await tokensOf('web', 'eve')
    const location = new URL((await ask(other.id_token)).headers.get('location')!)
    expect(location.searchParams.get('error')).toBe('login_required')
  })

  const FORGERIES: readonly (readonly [string, () => string])[] = [
    ['alg none', () => jwt({ alg: 'none' }, payloadOf(idToken), nothing)],
    ['alg none, with the key’s name', () => jwt({ ...headerOf(idToken), alg: 'none' }, payloadOf(idToken), nothing)],
    ['its signature cut off', () => `${idToken.split('.').slice(0, 2).join('.')}.`],
    [
      'another subject',
      () => `${idToken.split('.')[0]}.${part({ ...payloadOf(idToken), sub: 'x' })}.${idToken.split('.')[2]}`,
    ],
    [
      'another audience',
      () => `${idToken.split('.')[0]}.${part({ ...payloadOf(idToken), aud: 'other' })}.${idToken.split('.')[2]}`,
    ],
    [
      'HS256 with the secret of the app',
      () => jwt({ alg: 'HS256' }, payloadOf(idToken), hs256(gateway.secrets.get('web')!)),
    ],
    ...[0, 1, 2].flatMap((n): [string, () => string][] => [
      [
        `HS256 with our public key ${n} as JWK`,
        () =>
          jwt(
            { alg: 'HS256', kid: keys.keys[n]!['kid' as never] },
            payloadOf(idToken),
            hs256(JSON.stringify(keys.keys[n])),
          ),
      ],
      [
        `HS256 with our public key ${n} as PEM`,
        () =>
          jwt(
            { alg: 'HS256', kid: keys.keys[n]!['kid' as never] },
            payloadOf(idToken),
            hs256(
              createPublicKey({ key: keys.keys[n]! as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' }),
            ),
          ),
      ],
    ]),
    ['another key', () => jwt({ ...headerOf(idToken), alg: 'ES256' }, payloadOf(idToken), es256(thiefs.privateKey))],
    [
      'another key, sent along',
      () =>
        jwt(
          { alg: 'ES256', jwk: thiefs.publicKey.export({ format: 'jwk' }) },
          payloadOf(idToken),
          es256(thiefs.privateKey),
        ),
    ],
    [
      'another issuer',
      () => jwt({ alg: 'ES256', kid: 'k1' }, { ...payloadOf(idToken), iss: 'https://evil.example' }, es256()),
    ],
    ['five parts', () => 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIiwiemlwIjoiREVGIn0.AAAA.AAAA.AAAA.AAAA'],
    ['no token', () => '__proto__'],
    ['no JSON', () => 'eA.eA.eA'],
    ['10 KB', () => `${'x'.repeat(5000)}.${'y'.repeat(5000)}.z`],
  ]
  test.each(FORGERIES)('with %s is not', async (_what, make) => {
    const hint = make()
    const asked = await ask(hint)
    expect(asked.status).toBeLessThan(500)
    const location = asked.headers.get('location')
    if (location !== null) {
      expect(new URL(location, gateway.issuer).searchParams.has('code')).toBe(false)
      expect(new URL(location, gateway.issuer).searchParams.get('error')).toMatch(/^(invalid_request|login_required)$/)
    } else expect(asked.status).toBe(400)
    const ended = await end(hint)
    expect(ended.status).toBe(400)
    expect(ended.headers.get('location')).toBeNull()
  })

  test('of another app does not lead to that app’s page after a sign-out', async () => {
    const response = await fetch(
      `${gateway.issuer}/oauth2/session/end?${new URLSearchParams({ id_token_hint: idToken, client_id: 'other', post_logout_redirect_uri: CALLBACK })}`,
      { redirect: 'manual', headers: cookie() },
    )
    expect(response.status).toBe(400)
  })
})

describe('a token of one kind', () => {
  test('is none of another', async () => {
    const { access_token, refresh_token, id_token } = await tokensOf()
    const { code } = await authorized('web')
    const userinfo = async (token: string) =>
      (await fetch(`${gateway.issuer}/oauth2/userinfo`, { headers: { authorization: `Bearer ${token}` } })).status
    expect(await userinfo(access_token)).toBe(200)
    for (const other of [
      refresh_token,
      id_token,
      code,
      gateway.secrets.get('web')!,
      `${access_token}x`,
      `${access_token}=`,
    ])
      expect(await userinfo(other)).toBe(401)
    for (const other of [access_token, id_token, code]) {
      const { status, json } = await post(
        '/oauth2/token',
        { grant_type: 'refresh_token', refresh_token: other },
        basic('web'),
      )
      expect([status, json['error']]).toEqual([400, 'invalid_grant'])
    }
    for (const other of [access_token, refresh_token, id_token]) {
      const { status, json } = await exchange(other, 'x'.repeat(43))
      expect([status, json['error']]).toEqual([400, 'invalid_grant'])
    }
    for (const other of [id_token, code, 'x'])
      expect((await post('/oauth2/introspection', { token: other }, basic('web'))).json['active']).not.toBe(true)
  })

  test('of one app is nothing to another', async () => {
    const { access_token, refresh_token } = await tokensOf()
    const refreshed = await post('/oauth2/token', { grant_type: 'refresh_token', refresh_token }, basic('other'))
    expect(refreshed.json['error']).toBe('invalid_grant')
    expect((await post('/oauth2/introspection', { token: access_token }, basic('other'))).json).toEqual({
      active: false,
    })
    // revoking it is answered like a token that never was (RFC 7009 §2.2), and it lives on
    await post('/oauth2/revocation', { token: access_token }, basic('other'))
    expect((await post('/oauth2/introspection', { token: access_token }, basic('web'))).json['active']).toBe(true)
  })

  test('that comes a second time ends its family, and the trail says so', async () => {
    const { audit } = gateway.server.house
    const subject = gateway.ids.get('sam')!
    const seen = async (event: 'code-reuse-detected' | 'token-reuse-detected') =>
      (await audit.search({ event, subject, app: 'web' })).length
    const before = [await seen('code-reuse-detected'), await seen('token-reuse-detected')]

    const { refresh_token } = await tokensOf()
    const refresh = (token: string) =>
      post('/oauth2/token', { grant_type: 'refresh_token', refresh_token: token }, basic('web'))
    const next = (await refresh(refresh_token)).json['refresh_token'] as string
    expect((await refresh(refresh_token)).status).toBe(400)
    expect((await refresh(next)).status).toBe(400)

    const { code, verifier } = await authorized('web')
    const { json } = await exchange(code, verifier)
    expect((await exchange(code, verifier)).status).toBe(400)
    expect(
      (await post('/oauth2/introspection', { token: String(json['access_token']) }, basic('web'))).json['active'],
    ).toBe(false)
    expect([await seen('code-reuse-detected'), await seen('token-reuse-detected')]).toEqual(before.map((n) => n + 1))
  })

  test('does not widen when it is refreshed (RFC 6749 §6)', async () => {
    const { refresh_token } = await tokensOf()
    const { json } = await post(
      '/oauth2/token',
      { grant_type: 'refresh_token', refresh_token, scope: 'openid profile' },
      basic('web'),
    )
    expect(json['error']).toBe('invalid_scope')
  })
})

describe('a code', () => {
  test('is for the app, the address and the verifier that it was made for', async () => {
    for (const [client, verifier, more] of [
      ['other', undefined, {}],
      ['web', undefined, { redirect_uri: OTHER_CALLBACK }],
      ['web', undefined, { redirect_uri: '' }],
      ['web', 'x'.repeat(43), {}],
      ['web', '', {}],
    ] as const) {
      const begun = await authorized('web')
      const { status, json } = await exchange(begun.code, verifier ?? begun.verifier, client, more)
      expect(status).toBe(400)
      expect(json['error']).toMatch(/^invalid_(grant|request)$/)
      expect(json['access_token']).toBeUndefined()
    }
  })

  test('without PKCE, or with the plain method, is not given (RFC 9700 §2.1.1)', async () => {
    for (const client of ['web', 'public'])
      for (const more of [
        { code_challenge: '', code_challenge_method: '' },
        { code_challenge_method: 'plain' },
        { code_challenge_method: '' },
        { code_challenge: 'short' },
      ]) {
        const { url } = await authorized(client, more as never).catch(() => ({ url: new URL('http://refused') }))
        expect(url.searchParams.get('code')).toBeNull()
      }
  })

  test('taken out of one answer does not fit into the request of another (mix-up, RFC 9207)', async () => {
    const { url } = await authorized('web')
    expect(url.searchParams.get('iss')).toBe(gateway.issuer)
  })
})

describe('request objects and pushed requests', () => {
  const begin = async (parameters: Record<string, string>) =>
    fetch(`${gateway.issuer}/oauth2/auth?${new URLSearchParams(parameters)}`, { redirect: 'manual' })

  test('an unsigned request in the address is not read', async () => {
    const request = jwt({ alg: 'none' }, { redirect_uri: 'https://evil.example', client_id: 'web' }, nothing)
    const response = await begin({
      client_id: 'web',
      response_type: 'code',
      scope: 'openid',
      redirect_uri: CALLBACK,
      request,
    })
    const location = response.headers.get('location')
    expect(location ?? '').not.toContain('evil.example')
    expect(new URL(location ?? 'x:').searchParams.get('error')).toBe('invalid_request_object')
  })

  test('a request_uri elsewhere is not fetched', async () => {
    for (const request_uri of [
      'http://localhost:9/request',
      'https://evil.example/r',
      'file:///etc/passwd',
      'urn:ietf:params:oauth:request_uri:nothing',
    ]) {
      const response = await begin({ client_id: 'web', request_uri })
      expect(response.status).toBeLessThan(500)
      expect(response.headers.get('location') ?? '').not.toMatch(/signin/)
    }
  })

  test('that of another client is not taken (RFC 9126 §4)', async () => {
    const fields = {
      client_id: 'web',
      response_type: 'code',
      scope: 'openid',
      redirect_uri: CALLBACK,
      code_challenge: challengeOf('x'),
      code_challenge_method: 'S256',
    }
    const { json } = await post('/oauth2/request', fields, basic('web'))
    const stolen = await begin({ client_id: 'other', request_uri: String(json['request_uri']) })
    expect(stolen.status).toBe(400)
    const own = await begin({ client_id: 'web', request_uri: String(json['request_uri']) })
    expect(own.headers.get('location')).toMatch(/^\/signin\//)
  })
})

test('no key of ours signs with a private half that is published', async () => {
  const { keys } = (await (await fetch(`${gateway.issuer}/oauth2/jwks`)).json()) as { keys: JsonWebKey[] }
  for (const key of keys) {
    for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth']) expect(key).not.toHaveProperty(secret)
    expect(() => createPrivateKey({ key: key as never, format: 'jwk' })).toThrow()
  }
})
