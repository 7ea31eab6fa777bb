/** What can be spent once: of fifty copies, sent to two processes at the same time, exactly one wins, and nothing is left for later. */
import { randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createBrowser, formOf, formsOf } from '../../demo/browser.ts'
import { raw } from '../forward-auth/house.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { athOf, ecKeys, es256, type Json, jwt, now, proof, registered } from '../support/proofs.ts'
import { atCallback, CALLBACK, typePassword } from '../support/relying-party.ts'
import { makePlace, type Place, portico, type Serving, serve } from '../support/serve.ts'

const COPIES = 50
const at = (id: string) => `https://api.kestrel.example/${id}`
const HOST = 'api.kestrel.example'
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const VERIFIER = 'v'.repeat(43)
const CHALLENGE = '7w_YNF9DSfIdPf_pRjSq646_kPr-2-o9NAl16JGghdM'

const keys = ecKeys()
const cluster = ecKeys()
let place: Place
let platform: Server
let issuerOfTokens: string
let ports: number[]
const serving: Serving[] = []

beforeAll(async () => {
  platform = createServer((_request, response) =>
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [registered(cluster, 'c1')] })),
  )
  await new Promise<void>((done) => platform.listen(0, '127.0.0.1', done))
  issuerOfTokens = `http://localhost:${(platform.address() as AddressInfo).port}`
  const program = (id: string, oidc: object) => ({ id, template: 'machine', policy: 'plain', oidc })
  const federated = [{ issuer: issuerOfTokens, subject: 'job', jwks_uri: `${issuerOfTokens}/keys` }]
  place = await makePlace({
    policies: POLICIES,
    settings: { proxies: ['127.0.0.1'], outbound: { allow: ['127.0.0.0/8', '::1'] } },
    people: [{ username: 'sam', name: 'Sam', groups: ['staff'] }],
    apps: [
      {
        ...{ id: 'shop', policy: 'plain', audience: ['staff'] },
        oidc: {
          redirect_uris: [CALLBACK],
          scopes: ['openid', 'offline_access'],
          grant_types: ['authorization_code', 'refresh_token', DEVICE_CODE],
          apis: { orders: ['orders:read'] },
        },
      },
      program('keyed', {
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [registered(keys, 'k1')] },
        apis: { orders: ['orders:read'] },
      }),
      program('job', { token_endpoint_auth_method: 'private_key_jwt', federated }),
      program('service', {
        grant_types: ['client_credentials', EXCHANGE],
        apis: { stock: ['stock:read'], orders: ['orders:read'] },
      }),
    ] as never,
  })
  const api = (id: string, more: object) => ({
    ...{ api: id, name: id, audience: at(id), policy: 'plain', scopes: { [`${id}:read`]: 'Read' } },
    ...more,
  })
  mkdirSync(join(place.folder, 'apis'))
  const gateway = { hosts: [HOST], rules: [{ paths: ['/*'], scopes: ['orders:read'] }] }
  const exchange = [{ from: 'orders', by: ['service'], scopes: { 'orders:read': ['stock:read'] } }]
  writeFileSync(join(place.folder, 'apis/orders.yaml'), JSON.stringify(api('orders', { gateway })))
  writeFileSync(join(place.folder, 'apis/stock.yaml'), JSON.stringify(api('stock', { exchange })))
  const applied = portico(['apis', 'apply', join(place.folder, 'apis'), '--config', place.config])
  expect(await applied.exited, applied.out() + applied.err()).toBe(0)
  const other = await freePort()
  serving.push(await serve(place.config))
  serving.push(await serve(place.settings('other.yaml', { listen: `127.0.0.1:${other}` })))
  ports = [place.port, other]
})
afterAll(async () => {
  for (const one of serving) await one.stop()
  platform?.close()
  await place?.remove()
})

interface Told {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, string>
}
interface Sending {
  readonly path?: string
  readonly door?: number
  readonly headers?: Record<string, string>
  /** Whose secret goes along. */
  readonly as?: string
}
async function post(fields: Record<string, string>, { path = 'token', door = 0, headers = {}, as }: Sending = {}) {
  const shown: Record<string, string> = as ? { authorization: `Basic ${btoa(`${as}:${place.secrets.get(as)}`)}` } : {}
  const answer = await fetch(`http://127.0.0.1:${ports[door % 2]}/oauth2/${path}`, {
    method: 'POST',
    headers: { ...shown, ...headers },
    body: new URLSearchParams(fields),
  })
  return {
    status: answer.status,
    headers: answer.headers,
    body: (await answer.json()) as Record<string, string>,
  } as Told
}

/** Sends the same fifty times: one wins, the others are refused in the words of the protocol and find it in the log. */
async function onlyOne(send: (door: number) => Promise<Told>, ...errors: string[]): Promise<Told> {
  const answers = await Promise.all(Array.from({ length: COPIES }, (_, door) => send(door)))
  const [won, ...more] = answers.filter(({ status }) => status < 300)
  expect(
    [won?.status, more.length],
    JSON.stringify(answers.map(({ status, body }) => [status, body]).slice(0, 3)),
  ).toEqual([expect.any(Number), 0])
  const refused = [...answers.filter((one) => one !== won), await send(0), await send(1)]
  for (const { status, body } of refused) {
    expect([400, 401]).toContain(status)
    expect(errors).toContain(body['error'])
    expect(JSON.stringify(body)).not.toContain('token":')
    expect(body['error_description']).toMatch(/reference E-[0-9A-Z-]+$/)
  }
  return won!
}

const browser = createBrowser({ stopAt: CALLBACK })
async function code(more: Record<string, string> = {}): Promise<string> {
  const query = {
    ...{ client_id: 'shop', response_type: 'code', redirect_uri: CALLBACK, scope: 'openid orders:read offline_access' },
    ...{ code_challenge: CHALLENGE, code_challenge_method: 'S256', resource: at('orders'), ...more },
  }
  let page = await browser.open(`${place.issuer}/oauth2/auth?${new URLSearchParams(query)}`)
  if (!atCallback(page)) page = await typePassword(browser, page, 'sam')
  return page.url.searchParams.get('code')!
}
const redeem = (value: string, door = 0, headers = {}) =>
  post(
    {
      ...{ grant_type: 'authorization_code', code: value, redirect_uri: CALLBACK, code_verifier: VERIFIER },
      resource: at('orders'),
    },
    { as: 'shop', door, headers },
  )
const signed = (claims: Json, kid: string, by = keys) => jwt({ alg: 'ES256', kid }, claims, es256(by.privateKey))
const times = () => ({ iat: now(), exp: now() + 60, jti: randomUUID() })

test('a code', async () => {
  const value = await code()
  await onlyOne((door) => redeem(value, door), 'invalid_grant')
})

test('a refresh token', async () => {
  const { body } = await redeem(await code())
  const refresh = (door: number) =>
    post(
      { grant_type: 'refresh_token', refresh_token: body['refresh_token']!, resource: at('orders') },
      { as: 'shop', door },
    )
  await onlyOne(refresh, 'invalid_grant')
})

test('a device code', async () => {
  const { body } = await post({ scope: 'openid' }, { path: 'device/auth', as: 'shop' })
  let page = await browser.open(body['verification_uri_complete']!)
  page = await browser.submit(formsOf(page).find(({ fields }) => fields.has('user_code'))!)
  page = await browser.submit(formOf(page, 'device-confirm'), { confirm: 'yes' })
  if (page.text.includes('value="identifier"')) page = await typePassword(browser, page, 'sam')
  expect(page.status).toBe(200)
  await onlyOne(
    (door) => post({ grant_type: DEVICE_CODE, device_code: body['device_code']! }, { as: 'shop', door }),
    'invalid_grant',
  )
})

test('an assertion', async () => {
  const shown = signed({ iss: 'keyed', sub: 'keyed', aud: place.issuer, ...times() }, 'k1')
  const fields = { grant_type: 'client_credentials', client_assertion_type: ASSERTION, client_assertion: shown }
  await onlyOne((door) => post(fields, { door }), 'invalid_client')
})

test('a token of a platform', async () => {
  const shown = signed({ iss: issuerOfTokens, sub: 'job', aud: place.issuer, ...times() }, 'c1', cluster)
  const fields = { grant_type: 'client_credentials', client_id: 'job', client_assertion_type: ASSERTION }
  await onlyOne((door) => post({ ...fields, client_assertion: shown }, { door }), 'invalid_client')
})

const TOKEN_ENDPOINT = () => `${place.issuer}/oauth2/token`
async function nonce(): Promise<string> {
  const headers = { dpop: proof(keys, TOKEN_ENDPOINT()) }
  const answer = await post({ grant_type: 'client_credentials', resource: at('orders') }, { as: 'service', headers })
  return answer.headers.get('dpop-nonce')!
}

test('a proof at the token endpoint', async () => {
  const headers = { dpop: proof(keys, TOKEN_ENDPOINT(), { claims: { nonce: await nonce() } }) }
  const fields = { grant_type: 'client_credentials', resource: at('orders') }
  await onlyOne((door) => post(fields, { as: 'service', door, headers }), 'invalid_grant', 'invalid_dpop_proof')
})

test('a proof of a token exchange', async () => {
  const { body } = await redeem(await code())
  const headers = { dpop: proof(keys, TOKEN_ENDPOINT()) }
  const fields = {
    ...{ grant_type: EXCHANGE, subject_token: body['access_token']!, resource: at('stock') },
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  }
  await onlyOne((door) => post(fields, { as: 'service', door, headers }), 'invalid_grant')
})

test('a proof at the API gateway', async () => {
  const dpop = proof(keys, TOKEN_ENDPOINT(), { claims: { nonce: await nonce() } })
  const fields = { grant_type: 'client_credentials', resource: at('orders') }
  const { body } = await post(fields, { as: 'service', headers: { dpop } })
  const token = body['access_token']!
  const shown = proof(keys, `https://${HOST}/orders/1`, { claims: { htm: 'GET', ath: athOf(token) } })
  const ask = (door: number) =>
    raw(ports[door % 2]!, '/authz/api', {
      ...{ host: '127.0.0.1', 'X-Forwarded-Method': 'GET', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': HOST },
      ...{ 'X-Forwarded-Uri': '/orders/1', authorization: `DPoP ${token}`, dpop: shown },
    })
  const answers = await Promise.all(Array.from({ length: COPIES }, (_, door) => ask(door)))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  for (const answer of [...answers.filter(({ status }) => status !== 200), await ask(0), await ask(1)]) {
    expect([answer.status, answer.headers['www-authenticate']]).toEqual([
      401,
      expect.stringMatching(/^DPoP error="invalid_dpop_proof"/),
    ])
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'token-invalid', ref: expect.any(String) })
  }
})

test('a pushed request, by whoever opens it: of fifty browsers of one person one has a code', async () => {
  const { body } = await post(
    {
      ...{ response_type: 'code', client_id: 'shop', redirect_uri: CALLBACK, scope: 'openid' },
      ...{ code_challenge: CHALLENGE, code_challenge_method: 'S256' },
    },
    { path: 'request', as: 'shop' },
  )
  await code()
  const query = new URLSearchParams({ client_id: 'shop', request_uri: body['request_uri']! })
  const cookie = [...browser.jar].map(([name, value]) => `${name}=${value}`).join('; ')
  const answers = await Promise.all(
    Array.from({ length: COPIES }, (_, door) =>
      fetch(`http://127.0.0.1:${ports[door % 2]}/oauth2/auth?${query}`, { redirect: 'manual', headers: { cookie } }),
    ),
  )
  const codes = answers.filter((answer) => /[?&]code=/.test(answer.headers.get('location') ?? ''))
  expect(codes).toHaveLength(1)
  for (const answer of answers) expect(answer.status).toBeLessThan(500)
})
