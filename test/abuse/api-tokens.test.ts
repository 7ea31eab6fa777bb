/** Tokens that nobody of ours wrote, or not like that: none opens an API. Each is put to a gateway whose own token passes. */
import { createHmac, generateKeyPairSync, sign as signWith } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Signer } from '#keys'
import { call, ORDERS, post, STOCK, startApis, tokenOf } from '../api-access/house.ts'
import type { Gateway } from '../support/gateway.ts'

let gateway: Gateway
let good: string
let signer: Signer
let eddsa: Signer
let rsa: Signer
const foreign = generateKeyPairSync('ec', { namedCurve: 'P-256' })
beforeAll(async () => {
  gateway = await startApis()
  good = await tokenOf(gateway, 'one')
  const signers = gateway.server.house.keys.signing.signers()
  signer = signers.find(({ alg }) => alg === 'ES256')!
  eddsa = signers.find(({ alg }) => alg === 'EdDSA')!
  rsa = signers.find(({ alg }) => alg === 'RS256')!
})
afterAll(() => gateway?.close())

type Fields = Record<string, unknown>
const b64 = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
const part = (token: string, i: number): Fields => JSON.parse(Buffer.from(token.split('.')[i]!, 'base64url').toString())
const seconds = () => Math.floor(Date.now() / 1000)

/** Our own key signs these very texts. */
async function signed(header: unknown, claims: unknown, by: Signer = signer): Promise<string> {
  const text = `${b64(header)}.${b64(claims)}`
  return `${text}.${Buffer.from(await by.sign(Buffer.from(text))).toString('base64url')}`
}
const header = (more: Fields = {}) => ({ ...part(good, 0), ...more })
const claims = (more: Fields = {}) => ({ ...part(good, 1), ...more })
const without = (from: Fields, name: string) => Object.fromEntries(Object.entries(from).filter(([key]) => key !== name))
const byForeign = (head: unknown, body: unknown) => {
  const text = `${b64(head)}.${b64(body)}`
  const tag = signWith('sha256', Buffer.from(text), { key: foreign.privateKey, dsaEncoding: 'ieee-p1363' })
  return `${text}.${tag.toString('base64url')}`
}
/** The last letter of base64url, with other bits that say nothing. */
const otherBits = (text: string) => {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return text.slice(0, -1) + letters[letters.indexOf(text.at(-1)!) ^ 1]!
}

test('what the gateway wrote opens, and so does a copy that is written in the same way', async () => {
  expect((await call(gateway, '/orders/1', good)).status).toBe(200)
  expect((await call(gateway, '/orders/1', await signed(header(), claims({ jti: 'another' })))).status).toBe(200)
})

const CORPUS: Record<string, () => string | Promise<string>> = {
  'alg none, unsigned': () => `${b64(header({ alg: 'none' }))}.${b64(claims())}.`,
  'alg none, with the signature': () => `${b64(header({ alg: 'none' }))}.${good.split('.').slice(1).join('.')}`,
  'HMAC with the public key': () => {
    const text = `${b64(header({ alg: 'HS256' }))}.${b64(claims())}`
    const key = signer.publicKey.export({ format: 'pem', type: 'spki' })
    return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
  },
  'another key': () => byForeign(header(), claims()),
  'another key that it brings along (jwk)': () =>
    byForeign(header({ jwk: foreign.publicKey.export({ format: 'jwk' }) }), claims()),
  'another key that it names (jku)': () => byForeign(header({ jku: 'https://evil.example/jwks' }), claims()),
  'another key that it names (x5u)': () => byForeign(header({ x5u: 'https://evil.example/cert' }), claims()),
  'a key id that is a path': () => byForeign(header({ kid: '../../../../dev/null' }), claims()),
  'a key id that is a query': () => byForeign(header({ kid: "' or 1=1 --" }), claims()),
  'a key id that is a name of every object': () => byForeign(header({ kid: '__proto__' }), claims()),
  'no key id': () => signed(without(header(), 'kid'), claims()),
  'a key id that is no text': () => signed(header({ kid: [signer.kid] }), claims()),
  'our signature with a jwk beside it': () =>
    signed(header({ jwk: signer.publicKey.export({ format: 'jwk' }) }), claims()),
  'our signature with a jku beside it': () => signed(header({ jku: 'https://evil.example/' }), claims()),
  crit: () => signed(header({ crit: ['exp'], exp: 1 }), claims()),
  'b64 false': () => signed(header({ b64: false, crit: ['b64'] }), claims()),
  'another type': () => signed(header({ typ: 'JWT' }), claims()),
  'the type in capitals': () => signed(header({ typ: 'AT+JWT' }), claims()),
  'no type': () => signed(without(header(), 'typ'), claims()),
  'the type of a logout token': () => signed(header({ typ: 'logout+jwt' }), claims()),
  'a key of ours for another algorithm': () => signed(header({ kid: rsa.kid, alg: 'RS256' }), claims(), rsa),
  'the algorithm of another key of ours': () => signed(header({ kid: eddsa.kid }), claims(), eddsa),
  'an algorithm that the API does not use': () => signed(header({ kid: eddsa.kid, alg: 'EdDSA' }), claims(), eddsa),
  'a claim twice': () => signed(header(), JSON.stringify(claims()).replace('"aud"', '"aud":"urn:x","aud"')),
  'a header twice': () => signed(JSON.stringify(header()).replace('"alg"', '"alg":"none","alg"'), claims()),
  'JSON with a blank': () => signed(header(), JSON.stringify(claims()).replace(':', ': ')),
  over: () => signed(header(), claims({ iat: seconds() - 700, exp: seconds() - 1 })),
  'over just now': () => signed(header(), claims({ exp: seconds() })),
  'never over': () => signed(header(), without(claims(), 'exp')),
  'over at no time': () => signed(header(), claims({ exp: 1e300 })),
  'over at a text': () => signed(header(), claims({ exp: String(seconds() + 60) })),
  'issued in an hour': () => signed(header(), claims({ iat: seconds() + 3600, exp: seconds() + 7200 })),
  'not before an hour from now': () => signed(header(), claims({ nbf: seconds() + 3600, exp: seconds() + 7200 })),
  'never issued': () => signed(header(), without(claims(), 'iat')),
  'another audience': () => signed(header(), claims({ aud: STOCK })),
  'another audience in a list': () => signed(header(), claims({ aud: [STOCK] })),
  'this and another audience': () => signed(header(), claims({ aud: [ORDERS, STOCK] })),
  'an audience that begins like it': () => signed(header(), claims({ aud: `${ORDERS}/` })),
  'no audience': () => signed(header(), without(claims(), 'aud')),
  'an audience that is an object': () => signed(header(), claims({ aud: { toString: ORDERS } })),
  'another issuer': () => signed(header(), claims({ iss: 'https://evil.example' })),
  'an issuer with a slash': () => signed(header(), claims({ iss: `${gateway.issuer}/` })),
  'a client that is not there': () => signed(header(), claims({ client_id: 'nobody', sub: 'nobody' })),
  'a client that may not call this API': () => signed(header(), claims({ client_id: 'api', sub: 'api' })),
  'a person who is not there': () => signed(header(), claims({ sub: 'nobody' })),
  'no client': () => signed(header(), without(claims(), 'client_id')),
  'no id': () => signed(header(), without(claims(), 'jti')),
  'scopes in a list': () => signed(header(), claims({ scope: ['orders:read'] })),
  'bound to a key': () => signed(header(), claims({ cnf: { jkt: 'x'.repeat(43) } })),
  'bound to something unknown': () => signed(header(), claims({ cnf: { other: 'x' } })),
  'bound to nothing': () => signed(header(), claims({ cnf: {} })),
  'claims that are a list': () => signed(header(), [claims()]),
  'claims that are null': () => signed(header(), null),
  'claims that are no JSON': () => signed(header(), 'orders:read'),
  huge: () => signed(header(), claims({ more: 'x'.repeat(20_000) })),
  'with other last bits': () => otherBits(good),
  'with padding': () => `${good}=`,
  'with a part more': () => `${good}.`,
  'with a part less': () => good.split('.').slice(0, 2).join('.'),
  'with another signature of ours': async () =>
    `${good.split('.').slice(0, 2).join('.')}.${(await signed(header(), claims({ jti: 'b' }))).split('.')[2]}`,
  'a signature of zeros': () => `${good.split('.').slice(0, 2).join('.')}.${'A'.repeat(86)}`,
  'claims changed': () => {
    const [head, , tag] = good.split('.')
    return `${head}.${b64(claims({ sub: 'reader' }))}.${tag}`
  },
  'its id alone': () => String(part(good, 1)['jti']),
  nothing: () => '',
  'an ID token': () => signed(without(header(), 'typ'), claims({ aud: 'one' })),
}

describe('a token that is', () => {
  test.each(Object.keys(CORPUS))('%s opens nothing', async (name) => {
    const { status, text, headers } = await call(gateway, '/orders/1', await CORPUS[name]!())
    expect([status, headers['x-portico-client']]).toEqual([401, undefined])
    expect(headers['www-authenticate']).toMatch(/^Bearer .*resource_metadata="/)
    expect(JSON.parse(text)).toMatchObject({ status: 401, ref: expect.any(String) })
  })

  test('good is no token of an API whose tokens are opaque, and the other way round', async () => {
    const onStock = await signed(header(), claims({ aud: STOCK }))
    expect((await call(gateway, '/x', onStock, { host: 'stock.kestrel.example' })).status).toBe(401)
    const opaque = await tokenOf(gateway, 'one', STOCK)
    expect((await call(gateway, '/orders/1', opaque)).status).toBe(401)
    expect((await call(gateway, '/x', opaque, { host: 'stock.kestrel.example' })).status).toBe(200)
  })
})

describe('a good token', () => {
  test.each([
    ['in the query', '/orders/1?access_token=', {}],
    ['in the query, by another spelling', '/orders/1?access%5Ftoken=', {}],
    ['twice', '/orders/1', { authorization: ['Bearer x', 'Bearer y'] }],
    ['by another scheme', '/orders/1', { authorization: 'Token x' }],
    ['as a proof would carry it', '/orders/1', { authorization: 'DPoP GOOD' }],
    ['with something after it', '/orders/1', { authorization: 'Bearer GOOD, Bearer GOOD' }],
    [
      'in a header of another spelling',
      '/orders/1',
      { authorization: 'Bearer GOOD', Authorization_: 'x', AUTHORIZATION: 'Bearer x' },
    ],
  ])('%s opens nothing', async (_, path, headers) => {
    const lines = JSON.parse(JSON.stringify(headers).replaceAll('GOOD', good))
    const answer = await call(gateway, path.includes('?') ? path + good : path, path.includes('?') ? good : undefined, {
      headers: lines,
    })
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.headers['x-portico-client']).toBeUndefined()
  })

  test('has of its scopes those that the client still has', async () => {
    const token = await signed(header(), claims({ client_id: 'reader', sub: 'reader' }))
    expect((await call(gateway, '/orders/1', token)).told).toEqual(['reader', 'reader', 'orders:read'])
    expect((await call(gateway, '/orders/1', token, { method: 'POST' })).status).toBe(403)
  })

  test('of the person who signs in is not the opaque token of another kind', async () => {
    const answer = await post(gateway, 'token', 'api', { grant_type: 'client_credentials' })
    const { access_token: token } = (await answer.json()) as Record<string, string>
    expect((await call(gateway, '/x', token, { host: 'stock.kestrel.example' })).status).toBe(401)
  })
})
