/** Proofs of possession that are stolen, forged, old or shown again (RFC 9449 §4.3, §11). */
import { hkdfSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser } from '../../demo/browser.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import {
  athOf,
  ecKeys,
  es256,
  hs256,
  now,
  type ProofParts,
  proof,
  publicJwk,
  respelled,
  unsigned,
} from '../support/proofs.ts'
import { sendRaw } from '../support/raw.ts'
import { CALLBACK, relyingParty, signIn } from '../support/relying-party.ts'
import { makePlace, portico } from '../support/serve.ts'

const ours = ecKeys()
const thiefs = ecKeys()
const MACHINE = { template: 'machine', policy: 'plain' }

let gateway: Gateway
beforeAll(async () => {
  gateway = await startGateway({
    policies: POLICIES,
    people: [{ username: 'sam', name: 'Sam', groups: ['staff'] }],
    apps: [
      { id: 'bound', ...MACHINE, oidc: { dpop_bound_access_tokens: true } },
      { id: 'free', ...MACHINE },
      {
        id: 'web',
        policy: 'plain',
        audience: ['staff'],
        oidc: {
          redirect_uris: [CALLBACK],
          token_endpoint_auth_method: 'none',
          scopes: ['openid', 'offline_access'],
          grant_types: ['authorization_code', 'refresh_token'],
          dpop_bound_access_tokens: true,
        },
      },
    ] as never,
  })
})
afterAll(() => gateway.close())

const TOKEN = () => `${gateway.issuer}/oauth2/token`
const USERINFO = () => `${gateway.issuer}/oauth2/userinfo`

async function send(url: string, init: RequestInit) {
  const response = await fetch(url, init)
  const text = await response.text()
  expect(response.status, text).toBeLessThan(500)
  const json = (/^{/.test(text) ? JSON.parse(text) : {}) as Record<string, string>
  const said = response.headers.get('www-authenticate') ?? ''
  const error = json['error'] ?? /error="([^"]+)"/.exec(said)?.[1]
  return { status: response.status, json, error, nonce: response.headers.get('dpop-nonce'), said }
}
const basic = (id: string, secrets = gateway.secrets) => ({
  authorization: `Basic ${btoa(`${id}:${secrets.get(id)}`)}`,
})
const ask = (proof: string | undefined, id = 'bound') =>
  send(TOKEN(), {
    method: 'POST',
    headers: { ...basic(id), ...(proof === undefined ? {} : { dpop: proof }) },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
/** What the gateway wants to see in the next proof. */
const nonceNow = async () => (await ask(proof(ours, TOKEN()))).nonce!

describe('at the token endpoint', () => {
  test('a proof with the nonce makes a token that is bound to its key, and says so', async () => {
    const first = await ask(proof(ours, TOKEN()))
    expect([first.status, first.error]).toEqual([400, 'use_dpop_nonce'])
    const { status, json } = await ask(proof(ours, TOKEN(), { claims: { nonce: first.nonce } }))
    expect([status, json['token_type']]).toEqual([200, 'DPoP'])
    const told = await send(`${gateway.issuer}/oauth2/introspection`, {
      method: 'POST',
      headers: basic('bound'),
      body: new URLSearchParams({ token: json['access_token']! }),
    })
    expect(told.json['cnf']).toEqual({ jkt: expect.stringMatching(/^[\w-]{43}$/) })
  })

  test('a client whose tokens are to be bound gets none without a proof, also where the short way would give one', async () => {
    const plain = (id: string) =>
      sendRaw(Number(new URL(gateway.issuer).port), {
        method: 'POST',
        path: '/oauth2/token',
        // exactly as the short ways know it
        headers: { ...basic(id), 'content-type': 'application/x-www-form-urlencoded' },
        body: 'grant_type=client_credentials',
      })
    expect((await plain('free')).status).toBe(200)
    const { status, body } = await plain('bound')
    const { error, error_description } = JSON.parse(body)
    expect([status, error]).toEqual([400, 'invalid_grant'])
    const reference = /reference ([0-9A-Z-]+)/.exec(error_description)![1]!
    expect(JSON.stringify(await gateway.server.house.diagnosis.byReference(reference))).toContain('key-not-proved')
  })

  test('a client with a clock that is hours wrong is known by the nonce to be here now', async () => {
    const claims = { nonce: await nonceNow(), iat: now() - 7_200 }
    expect((await ask(proof(ours, TOKEN(), { claims }))).status).toBe(200)
  })

  const forged: [string, ProofParts, string?][] = [
    ['for another address', { claims: { htu: 'https://id.example.com/oauth2/token' } }],
    ['for another path', { claims: { htu: 'http://localhost/oauth2/introspection' } }],
    ['for an address that is none', { claims: { htu: 'token' } }],
    ['without an address', { claims: { htu: undefined } }],
    ['for another method', { claims: { htm: 'GET' } }],
    ['for the method in small letters', { claims: { htm: 'post' } }],
    ['without an id', { claims: { jti: undefined } }],
    ['with an id that is no text', { claims: { jti: 7 } }],
    ['without a time', { claims: { iat: undefined } }],
    ['signed with another key than it shows', { signer: es256(thiefs.privateKey) }],
    ['with alg none', { header: { alg: 'none' }, signer: unsigned }],
    [
      'signed with HMAC over the public key',
      { header: { alg: 'HS256' }, signer: hs256(JSON.stringify(publicJwk(ours))) },
    ],
    [
      'that shows a symmetric key',
      { header: { alg: 'HS256', jwk: { kty: 'oct', k: 'c2VjcmV0' } }, signer: hs256('secret') },
    ],
    ['that shows its private key', { header: { jwk: ours.privateKey.export({ format: 'jwk' }) } }],
    ['that shows no key', { header: { jwk: undefined } }],
    ['that names its key by address', { header: { jwk: undefined, jku: 'http://localhost:9/keys' } }],
    ['of another type', { header: { typ: 'JWT' } }],
    ['without a type', { header: { typ: undefined } }],
    ['with something critical that nobody knows', { header: { crit: ['x'], x: 1 } }],
    ['with an algorithm that does not fit the key', { header: { alg: 'EdDSA' } }],
  ]
  test.each(forged)('a proof %s is refused', async (_, parts) => {
    const claims = { nonce: await nonceNow(), ...parts.claims }
    const { status, error } = await ask(proof(ours, TOKEN(), { ...parts, claims }))
    expect([status, error]).toEqual([400, 'invalid_dpop_proof'])
  })

  test('the nonces are made of our own key, so that every process takes them', async () => {
    const claims = { nonce: nonceOf(Math.floor(now() / 60)) }
    expect((await ask(proof(ours, TOKEN(), { claims }))).status).toBe(200)
  })

  test.each([
    ['that somebody made up', async () => 'a-nonce'],
    ['that is empty', async () => ''],
    ['of ten minutes ago', async () => nonceOf(Math.floor(now() / 60) - 10)],
    ['of the minute after next and later', async () => nonceOf(Math.floor(now() / 60) + 5)],
  ])('a nonce %s is refused, and the right one told', async (_, nonce) => {
    const { status, error, nonce: told } = await ask(proof(ours, TOKEN(), { claims: { nonce: await nonce() } }))
    expect([status, error]).toEqual([400, 'use_dpop_nonce'])
    expect(told).toBeTruthy()
  })

  test('a nonce that is no text is refused', async () => {
    const { error } = await ask(proof(ours, TOKEN(), { claims: { nonce: [await nonceNow()] } }))
    expect(error).toBe('invalid_dpop_proof')
  })

  test.each([
    ['old', -3_600],
    ['from the future', 3_600],
    ['just made', 0],
  ])('without a nonce, a proof that is %s is refused', async (_, by) => {
    const { status, error } = await ask(proof(ours, TOKEN(), { claims: { iat: now() + by } }))
    expect([status, error]).toEqual([400, 'use_dpop_nonce'])
  })

  test('a proof is taken once, whatever it is spelled like', async () => {
    const shown = proof(ours, TOKEN(), { claims: { nonce: await nonceNow() } })
    expect((await ask(shown)).status).toBe(200)
    expect((await ask(shown)).error).toBe('invalid_grant')
    for (const at of [0, 1, 2]) expect((await ask(respelled(shown, at))).error).toBe('invalid_dpop_proof')
    expect((await ask(`${shown}=`)).error).toBe('invalid_dpop_proof')
    // signed anew: the id inside is what was spent
    const { jti, nonce } = JSON.parse(Buffer.from(shown.split('.')[1]!, 'base64url').toString())
    expect((await ask(proof(ours, TOKEN(), { claims: { jti, nonce } }))).error).toBe('invalid_grant')
  })

  test('two proofs in two headers are none', async () => {
    const one = proof(ours, TOKEN(), { claims: { nonce: await nonceNow() } })
    expect((await ask(`${one}, ${one}`)).error).toBe('invalid_dpop_proof')
  })
})

test('of fifty copies of one proof, sent to two processes at once, one is taken', { timeout: 60_000 }, async () => {
  const place = await makePlace({
    apps: [{ id: 'bound', ...MACHINE, oidc: { dpop_bound_access_tokens: true } }] as never,
  })
  const second = place.settings('second.yaml', { listen: '127.0.0.1:0', log: { level: 'info' } })
  const running = [portico(['serve', '--config', place.config]), portico(['serve', '--config', second])]
  try {
    await Promise.all(running.map((one) => one.printed(/^ready/m)))
    const other = Number((await running[1]!.printed(/"port":(\d+)/))[1])
    const url = `${place.issuer}/oauth2/token`
    const to = (port: number, shown: string) =>
      send(`http://127.0.0.1:${port}/oauth2/token`, {
        method: 'POST',
        headers: { ...basic('bound', place.secrets), dpop: shown },
        body: new URLSearchParams({ grant_type: 'client_credentials' }),
      })
    const { nonce } = await to(place.port, proof(ours, url))
    for (let round = 0; round < 10; round++) {
      const shown = proof(ours, url, { claims: { nonce } })
      const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => to(i % 2 ? other : place.port, shown)))
      const lost = answers.filter(({ status }) => status !== 200)
      expect(lost).toHaveLength(49)
      expect(new Set(lost.map(({ error }) => error))).toEqual(new Set(['invalid_grant']))
    }
  } finally {
    await Promise.all(running.map((one) => one.stop()))
    await place.remove()
  }
})

describe('with a token of a person', () => {
  let tokens: { access_token: string; refresh_token: string }
  /** At the userinfo endpoint; every proof is made for the token and the moment. */
  const use = async (parts: ProofParts = {}, keys = ours, headers: Record<string, string> = {}) => {
    const claims = { htm: 'GET', ath: athOf(tokens.access_token), nonce: await nonceNow(), ...parts.claims }
    const authorization = `DPoP ${tokens.access_token}`
    return send(USERINFO(), {
      headers: { authorization, dpop: proof(keys, USERINFO(), { ...parts, claims }), ...headers },
    })
  }
  const redeem = async (fields: Record<string, string>, keys?: typeof ours) =>
    send(TOKEN(), {
      method: 'POST',
      headers: keys ? { dpop: proof(keys, TOKEN(), { claims: { nonce: await nonceNow() } }) } : {},
      body: new URLSearchParams({ client_id: 'web', ...fields }),
    })

  beforeAll(async () => {
    const party = await relyingParty(gateway, 'web')
    const begun = await party.begin({ scope: 'openid offline_access' })
    const browser = createBrowser({ stopAt: CALLBACK })
    const { callback } = await signIn(
      browser,
      { ...party, begin: async () => begun, finish: async () => ({}) as never },
      'sam',
    )
    const code = callback.searchParams.get('code')!
    const fields = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: begun.verifier }
    const without = await redeem(fields)
    expect([without.status, without.error]).toEqual([400, 'invalid_grant'])
    const { status, json } = await redeem(fields, ours)
    expect(status, JSON.stringify(json)).toBe(200)
    tokens = json as never
  })

  test('the token with its proof is taken', async () => {
    expect((await use()).status).toBe(200)
  })

  test.each([
    ['for another token', { claims: { ath: athOf('x') } }, 'invalid_dpop_proof'],
    ['for no token', { claims: { ath: undefined } }, 'invalid_dpop_proof'],
    ['for another method', { claims: { htm: 'POST' } }, 'invalid_dpop_proof'],
    ['for the token endpoint', { claims: { htu: 'http://localhost/oauth2/token' } }, 'invalid_dpop_proof'],
    ['with a nonce of nobody', { claims: { nonce: 'x' } }, 'use_dpop_nonce'],
  ] as [string, ProofParts, string][])('a proof %s is refused', async (_, parts, expected) => {
    const { status, error } = await use(parts)
    expect([status, error]).toEqual([401, expected])
  })

  test('a thief with the token and a key of their own has nothing', async () => {
    const { status, error } = await use({}, thiefs)
    expect([status, error]).toEqual([401, 'invalid_token'])
  })

  test('a thief with the token alone has nothing', async () => {
    const { status } = await send(USERINFO(), { headers: { authorization: `Bearer ${tokens.access_token}` } })
    expect(status).toBe(401)
    const dpop = await send(USERINFO(), { headers: { authorization: `DPoP ${tokens.access_token}` } })
    expect([dpop.status >= 400, dpop.status < 500]).toEqual([true, true])
  })

  test('a proof that was used with the token is not taken again', async () => {
    const claims = { htm: 'GET', ath: athOf(tokens.access_token), nonce: await nonceNow() }
    const headers = { authorization: `DPoP ${tokens.access_token}`, dpop: proof(ours, USERINFO(), { claims }) }
    expect((await send(USERINFO(), { headers })).status).toBe(200)
    expect((await send(USERINFO(), { headers })).status).toBe(401)
  })

  test('the refresh token of a client without secret is bound to the key as well', async () => {
    const fields = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token }
    const stolen = await redeem(fields, thiefs)
    expect([stolen.status, stolen.error]).toEqual([400, 'invalid_grant'])
    expect((await redeem(fields)).error).toBe('invalid_grant')
    expect((await redeem(fields, ours)).status).toBe(200)
  })
})

/** The nonce of a minute since 1970, as the engine makes it of our key. */
function nonceOf(minute: number): string {
  const salt = Buffer.alloc(8)
  salt.writeBigUInt64BE(BigInt(minute))
  const key = gateway.server.house.keys.derive('dpop-nonce')
  return Buffer.from(hkdfSync('sha256', key, salt, 'DPoP', 32)).toString('base64url')
}
