/**
 * The short ways of programs that sign: assertions (RFC 7523 §3) and proofs of possession (RFC 9449) are taken as the engine takes
 * them. Every request is sent twice, the second time with a word of its content type that means nothing and is left to the engine.
 */
import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import fc from 'fast-check'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { comparisonAt, expectSame, introspected, orderOf } from '../support/both-ways.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { ASSERTION } from '../support/partners.ts'
import { POLICIES } from '../support/policies.ts'
import {
  base64url,
  ecKeys,
  es256,
  hs256,
  type Json,
  jwt,
  now,
  proof,
  publicJwk,
  registered,
  respelled,
  type Signer,
  unsigned,
} from '../support/proofs.ts'
import { type RawAnswer, sendRaw } from '../support/raw.ts'

const [ec, other, holder] = [ecKeys(), ecKeys(), ecKeys()]
const ed = generateKeyPairSync('ed25519')
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const plainly =
  (key: KeyObject): Signer =>
  (text) =>
    base64url(sign(null, Buffer.from(text), key))
const rs256: Signer = (text) => base64url(sign('sha256', Buffer.from(text), rsa.privateKey))
const ps256: Signer = (text) =>
  base64url(
    sign('sha256', Buffer.from(text), {
      key: rsa.privateKey,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    }),
  )
const jwk = (key: KeyObject, more: Json): Json => ({ ...key.export({ format: 'jwk' }), use: 'sig', ...more })
const KEYS = [
  registered(ec, 'ec'),
  jwk(ed.publicKey, { alg: 'EdDSA', kid: 'ed' }),
  jwk(rsa.publicKey, { kid: 'rsa' }),
  registered(other, 'other'),
]

const BY_KEY = { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: KEYS } }

let gateway: Gateway
let comparable: ReturnType<typeof comparisonAt>
const both = ['orders:read', 'orders:write']
beforeAll(async () => {
  const machine = (id: string, oidc: object = {}, policy = 'plain') => ({
    ...{ id, template: 'machine', policy },
    oidc: { ...('token_endpoint_auth_method' in oidc ? {} : BY_KEY), ...oidc },
  })
  const secret = { token_endpoint_auth_method: 'client_secret_basic' }
  gateway = await startGateway({
    policies: POLICIES,
    apps: [
      machine('signer'),
      machine('refused', {}, 'closed'),
      machine('profiled', { profile: 'fapi2', dpop_bound_access_tokens: true }),
      machine('binding', { dpop_bound_access_tokens: true }),
      machine('by-secret', secret),
      { ...machine('api', secret), tags: ['resource-server'] },
    ] as never,
  })
  const { apis, catalog } = gateway.server.house
  const api = (id: string, more: object) => ({
    file: `apis/${id}.yaml`,
    text: JSON.stringify({
      ...{ api: id, name: id, owner: 'it@kestrel.example', audience: `urn:${id}`, policy: 'plain' },
      ...{ scopes: { 'orders:read': 'Read', 'orders:write': 'Write' }, ...more },
    }),
  })
  const made = await apis.apply(
    [
      api('lookups', { token: { format: 'opaque', lifetime: '10m' } }),
      api('orders', { token: { format: 'jwt', alg: 'EdDSA', lifetime: '10m' } }),
      api('bound', { sender_constraint: 'dpop' }),
      api('either', { sender_constraint: 'either', token: { format: 'opaque' } }),
      api('certified', { sender_constraint: 'mtls' }),
    ],
    { by: 'test' },
  )
  const granted = Object.fromEntries(made.changes.map(({ id }) => [id, both]))
  const caller = (id: string, oidc: object) => ({
    file: `${id}.yaml`,
    text: JSON.stringify(machine(id, { ...oidc, apis: granted })),
  })
  const programs = await catalog.apps.apply([caller('caller', {}), caller('secret-caller', secret)], { by: 'test' })
  expect([...made.problems, ...programs.problems]).toEqual([])
  for (const { id, clientSecret } of programs.changes)
    if (clientSecret) (gateway.secrets as Map<string, string>).set(id, clientSecret)
  comparable = comparisonAt(gateway)
})
afterAll(() => gateway?.close())

type Fields = Record<string, string>
interface Sent {
  readonly fields: Fields
  readonly headers?: Record<string, string>
}
const FORM = 'application/x-www-form-urlencoded'
const WAYS = { short: FORM, long: `${FORM}; charset=us-ascii` } as const
type WayName = keyof typeof WAYS

const port = () => Number(new URL(gateway.issuer).port)
const send = (way: WayName, { fields, headers }: Sent): Promise<RawAnswer> =>
  sendRaw(port(), {
    method: 'POST',
    path: '/oauth2/token',
    headers: { 'content-type': WAYS[way], ...headers },
    body: new URLSearchParams(fields).toString(),
  })

/** The request in both ways, each with what it may show once. */
async function bothWays(make: () => Sent) {
  const [short, long] = [await send('short', make()), await send('long', make())]
  const [one, two] = [await comparable(short), await comparable(long)]
  expectSame(one, two)
  return { short, one, tookShort: orderOf(short) !== orderOf(long) }
}

let count = 0
interface Made {
  readonly id?: string
  readonly header?: Json
  readonly claims?: Json
  readonly signer?: Signer
}
const made = ({ id = 'signer', header, claims, signer = es256(ec.privateKey) }: Made = {}): string =>
  jwt(
    { alg: 'ES256', kid: 'ec', ...header },
    { iss: id, sub: id, aud: gateway.issuer, iat: now(), exp: now() + 60, jti: `jti-${count++}`, ...claims },
    signer,
  )
const asks = (assertion: string, more: Fields = {}, headers: Record<string, string> = {}): Sent => ({
  fields: { grant_type: 'client_credentials', client_assertion_type: ASSERTION, client_assertion: assertion, ...more },
  headers,
})
const basic = (id: string) => ({
  authorization: `Basic ${Buffer.from(`${id}:${gateway.secrets.get(id)}`).toString('base64')}`,
})
const TOKEN = () => `${gateway.issuer}/oauth2/token`

async function nonceNow(): Promise<string> {
  const headers = { ...basic('secret-caller'), dpop: proof(holder, TOKEN()) }
  const answer = await send('long', { fields: { grant_type: 'client_credentials', resource: 'urn:orders' }, headers })
  return answer.headers['dpop-nonce']!
}

describe('an assertion', () => {
  test.each([
    ['with ES256', {}, {}],
    ['with EdDSA', { header: { alg: 'EdDSA', kid: 'ed' }, signer: plainly(ed.privateKey) }, {}],
    ['with RS256', { header: { alg: 'RS256', kid: 'rsa' }, signer: rs256 }, {}],
    ['with PS256', { header: { alg: 'PS256', kid: 'rsa' }, signer: ps256 }, {}],
    ['that says that it is a JWT', { header: { typ: 'JWT' } }, {}],
    ['as openid-client makes it', { claims: { nbf: now() } }, {}],
    ['without iat', { claims: { iat: undefined } }, {}],
    ['beside the name of its client', {}, { client_id: 'signer' }],
    ['for an API, opaque', { id: 'caller' }, { resource: 'urn:lookups' }],
    ['for an API, as a JWT', { id: 'caller' }, { resource: 'urn:orders', scope: 'orders:read' }],
  ] as [string, Made, Fields][])('%s takes the short way, and the answer is the same', async (_, parts, fields) => {
    const { short, tookShort } = await bothWays(() => asks(made(parts), fields))
    expect([short.status, tookShort]).toEqual([200, true])
  })

  test('for the address of the endpoint takes it too', async () => {
    const { short, tookShort } = await bothWays(() => asks(made({ claims: { aud: TOKEN() } })))
    expect([short.status, tookShort]).toEqual([200, true])
  })

  const wrong = (parts: () => Made | string, fields: Fields = {}, status = 401) => [parts, fields, status] as const
  test.each([
    ['for several audiences', wrong(() => ({ claims: { aud: [gateway.issuer, 'https://x.example'] } }), {}, 200)],
    ['without a kid', wrong(() => ({ header: { kid: undefined } }), {}, 200)],
    ['with blanks in its claims', wrong(() => spaced('signer'), {}, 200)],
    ['with a claim that is not usual', wrong(() => ({ claims: { purpose: 'x' } }), {}, 200)],
    ['of a client with a profile', wrong(() => ({ id: 'profiled' }), {}, 400)],
    ['of a client whose tokens are bound', wrong(() => ({ id: 'binding' }), {}, 400)],
    ['for another server', wrong(() => ({ claims: { aud: 'https://x.example' } }))],
    ['that is over', wrong(() => ({ claims: { exp: now() - 600 } }))],
    ['without an end', wrong(() => ({ claims: { exp: undefined } }))],
    ['that ends as a text', wrong(() => ({ claims: { exp: String(now() + 60) } }))],
    ['that ends after all time', wrong(() => ({ claims: { exp: 253_402_300_800 } }))],
    ['that ends within a second', wrong(() => ({ claims: { exp: now() + 60.5 } }))],
    ['that does not hold yet', wrong(() => ({ claims: { nbf: now() + 60 } }))],
    ['made in the future', wrong(() => ({ claims: { iat: now() + 60 } }), {}, 200)],
    ['made at a text', wrong(() => ({ claims: { iat: 'now' } }))],
    ['without jti', wrong(() => ({ claims: { jti: undefined } }))],
    ['with an empty jti', wrong(() => ({ claims: { jti: '' } }))],
    ['with a jti that is a number', wrong(() => ({ claims: { jti: 7 } }))],
    ['with a long jti', wrong(() => ({ claims: { jti: `${count++}`.padEnd(300, 'x') } }), {}, 200)],
    ['of somebody else about this client', wrong(() => ({ claims: { iss: 'caller' } }))],
    ['about somebody else', wrong(() => ({ claims: { sub: 'caller' } }))],
    ['of nobody', wrong(() => ({ id: 'nobody' }))],
    ['of a client with a secret', wrong(() => ({ id: 'by-secret' }))],
    ['beside the name of another client', wrong(() => ({}), { client_id: 'caller' }, 400)],
    ['signed by another of its keys', wrong(() => ({ signer: es256(other.privateKey) }))],
    ['signed by a key of its own making', wrong(() => ({ signer: es256(holder.privateKey) }))],
    ['with a kid that nobody knows', wrong(() => ({ header: { kid: 'x' } }))],
    ['with the kid of a key of another kind', wrong(() => ({ header: { kid: 'rsa' } }))],
    ['without a signature', wrong(() => ({ header: { alg: 'none' }, signer: unsigned }))],
    [
      'signed with the public key',
      wrong(() => ({ header: { alg: 'HS256' }, signer: hs256(JSON.stringify(publicJwk(ec))) })),
    ],
    ['that brings its key', wrong(() => ({ header: { jwk: publicJwk(holder) }, signer: es256(holder.privateKey) }))],
    ['that says where its key is', wrong(() => ({ header: { jku: 'http://127.0.0.1:9/' } }), {}, 200)],
    ['with crit', wrong(() => ({ header: { crit: ['x'], x: 1 } }))],
    ['that is a proof', wrong(() => ({ header: { typ: 'dpop+jwt' } }), {}, 200)],
    ['in another spelling', wrong(() => respelled(made()))],
    ['in two parts', wrong(() => made().split('.').slice(0, 2).join('.'), {}, 400)],
    ['that is no token', wrong(() => 'x', {}, 400)],
    ['of another type', wrong(() => ({}), { client_assertion_type: 'urn:x' }, 400)],
    ['beside a secret', wrong(() => ({}), { client_secret: 'x' }, 400)],
    ['in a grant type that is not its own', wrong(() => ({}), { grant_type: 'authorization_code', code: 'x' }, 400)],
  ] as [string, ReturnType<typeof wrong>][])(
    '%s is answered by the engine alone',
    async (_, [parts, fields, status]) => {
      const make = () => {
        const what = parts()
        return asks(typeof what === 'string' ? what : made(what), fields)
      }
      const { short, tookShort } = await bothWays(make)
      expect([short.status, tookShort], short.body).toEqual([status, false])
    },
  )

  /** JSON as others write it. */
  function spaced(id: string): string {
    const claims = { iss: id, sub: id, aud: gateway.issuer, exp: now() + 60, jti: `jti-${count++}` }
    return jwt({ alg: 'ES256', kid: 'ec' }, JSON.stringify(claims, undefined, 1), es256(ec.privateKey))
  }

  test('whatever its claims and header are, both ways answer the same', async () => {
    const value = fc.oneof(
      fc.constantFrom<unknown>(undefined, null, 0, 1, -1, '', 'signer', 'caller', 'ec', 'JWT', true, [], {}),
      fc.constantFrom('ES256', 'EdDSA', 'RS256', 'HS256'),
      fc.integer({ min: -120, max: 120 }).map((apart) => now() + apart),
    )
    const names = fc.constantFrom('iss', 'sub', 'aud', 'exp', 'iat', 'nbf', 'jti', 'client_id', '__proto__')
    const change = fc.record({
      header: fc.dictionary(fc.constantFrom('alg', 'kid', 'typ', 'cty', 'b64'), value, { maxKeys: 1 }),
      claims: fc.dictionary(names, value, { maxKeys: 2 }),
    })
    let short = 0
    await fc.assert(
      fc.asyncProperty(change, async ({ header, claims }) => {
        // one that both would show is spent by the first
        const { jti, ...more } = claims as Record<string, unknown>
        const unique = typeof jti === 'string' || jti === undefined ? {} : { jti }
        const { tookShort } = await bothWays(() => asks(made({ header, claims: { ...more, ...unique } as Json })))
        if (tookShort) short++
      }),
      { numRuns: 200 },
    )
    expect(short).toBeGreaterThan(5)
  })

  test('opens once, whichever way it is shown', async () => {
    for (const ways of [
      ['short', 'short'],
      ['short', 'long'],
      ['long', 'short'],
    ] as [WayName, WayName][]) {
      const sent = asks(made())
      const first = await send(ways[0], sent)
      const again = await send(ways[1], sent)
      expect([first.status, again.status], ways.join()).toEqual([200, 401])
      expect(JSON.parse(again.body)).toMatchObject({ error: 'invalid_client' })
    }
  })

  test('of forty copies at once, in both ways, one opens', async () => {
    const sent = asks(made())
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => send(i % 2 ? 'short' : 'long', sent)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(39)
  })

  const receipts = async () =>
    (await sql<{ n: number }>`select count(*) as n from receipts`.execute(gateway.server.house.storage.records))
      .rows[0]!.n

  test('of a program that policy refuses leaves one receipt, is refused alike, and is spent', async () => {
    const before = await receipts()
    const { short, tookShort } = await bothWays(() => asks(made({ id: 'refused' })))
    expect([short.status, JSON.parse(short.body).error, tookShort]).toEqual([400, 'access_denied', false])
    expect((await receipts()) - before).toBe(2)
    const sent = asks(made({ id: 'refused' }))
    const answers = [await send('short', sent), await send('short', sent), await send('long', sent)]
    expect(answers.map(({ status }) => status)).toEqual([400, 401, 401])
    expect((await receipts()) - before).toBe(3)
  })

  test.each([
    ['short', { header: { alg: 'EdDSA', kid: 'ed' }, signer: plainly(ed.privateKey) }],
    ['long', { header: { alg: 'RS256', kid: 'rsa' }, signer: rs256 }],
  ] as [WayName, Made][])('says with which key: what it gave ends with that key (%s)', async (way, parts) => {
    const given = async (resource: string) =>
      JSON.parse((await send(way, asks(made({ id: 'caller', ...parts }), { resource }))).body).access_token
    const [opaque, signed] = [await given('urn:lookups'), await given('urn:orders')]
    const active = async (token: string) => (await introspected(gateway, token))['active']
    expect(await active(opaque)).toBe(true)
    const { client_key } = JSON.parse(Buffer.from(signed.split('.')[1], 'base64url').toString())
    expect(client_key).toMatch(/^[\w-]{43}$/)
    await gateway.server.house.revocations.revoke({ kind: 'key', id: `caller ${client_key}` }, 'test')
    expect(await active(opaque)).toBe(false)
  })
})

describe('a proof of possession', () => {
  let nonce: string
  beforeAll(async () => {
    nonce = await nonceNow()
  })
  type Parts = Parameters<typeof proof>[2] & { readonly url?: string }
  const proven = ({ url, claims, ...parts }: Parts = {}) =>
    proof(holder, url ?? TOKEN(), { ...parts, claims: { nonce, ...claims } })
  const bySecret = (parts: Parts | string, resource = 'urn:orders'): Sent => ({
    fields: { grant_type: 'client_credentials', resource },
    headers: { ...basic('secret-caller'), dpop: typeof parts === 'string' ? parts : proven(parts) },
  })
  const edJwk = () => ed.publicKey.export({ format: 'jwk' })

  test.each([
    ['with ES256', () => bySecret({})],
    ['with EdDSA', () => bySecret({ header: { alg: 'EdDSA', jwk: edJwk() }, signer: plainly(ed.privateKey) })],
    ['with Ed25519', () => bySecret({ header: { alg: 'Ed25519', jwk: edJwk() }, signer: plainly(ed.privateKey) })],
    ['for an opaque token', () => bySecret({}, 'urn:lookups')],
    ['for an API that wants it', () => bySecret({}, 'urn:bound')],
    ['for an API that wants it or a certificate', () => bySecret({}, 'urn:either')],
    ['beside an assertion', () => asks(made({ id: 'caller' }), { resource: 'urn:bound' }, { dpop: proven() })],
    ['of a client whose tokens are all bound', () => asks(made({ id: 'binding' }), {}, { dpop: proven() })],
    ['made long ago, with a nonce of now', () => bySecret({ claims: { iat: 1 } })],
  ] as [string, () => Sent][])('%s takes the short way, and the answer is the same', async (_, make) => {
    const { short, one, tookShort } = await bothWays(make)
    expect([short.status, tookShort], short.body).toEqual([200, true])
    expect(one.others).toMatchObject({ token_type: 'DPoP' })
    expect(one.introspected).toMatchObject({ cnf: { jkt: expect.stringMatching(/^[\w-]{43}$/) } })
  })

  test.each([
    ['without a nonce', () => bySecret({ claims: { nonce: undefined } })],
    ['with a nonce of its own making', () => bySecret({ claims: { nonce: 'A'.repeat(43) } })],
    ['with a nonce that is a number', () => bySecret({ claims: { nonce: 7 } })],
    ['with an empty nonce', () => bySecret({ claims: { nonce: '' } })],
    ['for another method', () => bySecret({ claims: { htm: 'GET' } })],
    ['for another address', () => bySecret({ url: 'https://x.example/oauth2/token' })],
    ['without iat', () => bySecret({ claims: { iat: undefined } })],
    ['made at zero', () => bySecret({ claims: { iat: 0 } })],
    ['without jti', () => bySecret({ claims: { jti: undefined } })],
    ['signed by another key', () => bySecret({ signer: es256(other.privateKey) })],
    [
      'with the private key in it',
      () => bySecret({ header: { jwk: holder.privateKey.export({ format: 'jwk' }) as Json } }),
    ],
    ['with a key that is no point', () => bySecret({ header: { jwk: { ...publicJwk(holder), y: 'A'.repeat(43) } } })],
    ['with a key of another kind', () => bySecret({ header: { jwk: edJwk() as Json } })],
    ['without a key', () => bySecret({ header: { jwk: undefined } })],
    ['of another type', () => bySecret({ header: { typ: 'JWT' } })],
    ['without an algorithm', () => bySecret({ header: { alg: 'none' }, signer: unsigned })],
    ['in another spelling', () => bySecret(respelled(proven()))],
    ['that is no token', () => bySecret('x.y.z')],
    ['for an API that wants a certificate', () => bySecret({}, 'urn:certified')],
    ['from a client with a wrong secret', () => ({ ...bySecret({}), headers: { ...basic('nobody'), dpop: proven() } })],
  ] as [string, () => Sent][])('%s is refused, by the engine alone', async (_, make) => {
    const { short, tookShort } = await bothWays(make)
    expect(short.status).toBeGreaterThanOrEqual(400)
    expect(tookShort).toBe(false)
  })

  test.each([
    ['with a query in its address', () => bySecret({ url: `${TOKEN()}?x=1` })],
    ['with a claim that is not usual', () => bySecret({ claims: { purpose: 'x' } })],
    ['with a name of its key', () => bySecret({ header: { jwk: { ...publicJwk(holder), kid: 'x' } } })],
  ] as [string, () => Sent][])('%s is taken, by the engine alone', async (_, make) => {
    const { short, tookShort } = await bothWays(make)
    expect([short.status, tookShort], short.body).toEqual([200, false])
  })

  test('opens once, whichever way it is shown, and of forty copies at once one', async () => {
    for (const ways of [
      ['short', 'short'],
      ['short', 'long'],
      ['long', 'short'],
    ] as [WayName, WayName][]) {
      const sent = bySecret({})
      const answers = [await send(ways[0], sent), await send(ways[1], sent)]
      expect(
        answers.map(({ status }) => status),
        ways.join(),
      ).toEqual([200, 400])
    }
    const sent = bySecret({})
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => send(i % 2 ? 'short' : 'long', sent)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  })

  test('that is spent says so beside a fresh assertion, which is spent as well', async () => {
    const [dpop, assertion] = [proven(), made({ id: 'caller' })]
    const sent = (text: string) => asks(text, { resource: 'urn:orders' }, { dpop })
    const answers = [await send('short', sent(made({ id: 'caller' })))]
    answers.push(await send('short', sent(assertion)), await send('short', sent(assertion)))
    expect(answers.map(({ status, body }) => [status, JSON.parse(body).error])).toEqual([
      [200, undefined],
      [400, 'invalid_grant'],
      [401, 'invalid_client'],
    ])
  })

  test('with the jti of the assertion beside it is one that was used before', async () => {
    const { short, tookShort } = await bothWays(() => {
      const jti = `same-${count++}`
      return asks(
        made({ id: 'caller', claims: { jti } }),
        { resource: 'urn:orders' },
        { dpop: proven({ claims: { jti } }) },
      )
    })
    expect([short.status, tookShort]).toEqual([400, false])
  })
})
