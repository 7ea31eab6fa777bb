/** Real gateways with the configuration that `apis snippet` prints protect a sample API: what they refuse, and beside it what passes. */
import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as oidc from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCommand } from '../../src/cli/run.ts'
import { apisVerbs } from '../../src/cli/verbs/apis.ts'
import { applyApis, orders, post, program, STOCK, startApis, stock, tokenOf } from '../api-access/house.ts'
import { makeClientCertificate, makeServerCertificate } from '../support/certificates.ts'
import { clientCert, escapedCert, fetchCertified } from '../support/certified.ts'
import type { Gateway } from '../support/gateway.ts'
import { fetchPageOverTls } from '../support/page-fetch.ts'
import { freePort } from '../support/ports.ts'
import { type EchoApp, type RunningProxy, type Seen, startEchoApp, startProxy } from '../support/proxies.ts'

/** Those that Debian has. */
const GATEWAYS = ['nginx', 'caddy'] as const
type Name = (typeof GATEWAYS)[number]
const HERE = '127.0.0.1'
const ELSEWHERE = '127.0.0.2'
const READ_WRITE = ['orders:read', 'orders:write']

let folder: string
let gateway: Gateway
let echo: EchoApp
const ports = new Map<Name, number>()
const running: RunningProxy[] = []

const hostOf = (name: Name) => `${name}.kestrel.example:${ports.get(name)}`
const audience = (name: Name) => `https://${hostOf(name)}/orders`
const originOf = (name: Name) => `https://${hostOf(name)}`
const both = (scopes: readonly string[]) => Object.fromEntries(GATEWAYS.map((name) => [`orders-${name}`, scopes]))

async function printed(name: Name) {
  const lines: string[] = []
  const config = join(gateway.folder, 'portico.yaml')
  const code = await runCommand({
    words: ['apis', 'snippet', `orders-${name}`, '--for', name, '--json', '--config', config],
    verbs: apisVerbs,
    openHouse: async () => ({ ...gateway.server.house, close: async () => {} }) as never,
    out: (line) => lines.push(line),
    err: (line) => lines.push(line),
  })
  if (code !== 0) throw new Error(lines.join('\n'))
  return JSON.parse(lines.join('\n'))
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portico-api-gateway-'))
  await makeServerCertificate(folder, GATEWAYS.map((name) => `DNS:${name}.kestrel.example`).join(','))
  for (const name of ['shop', 'other']) await makeClientCertificate(folder, name)
  echo = await startEchoApp()
  for (const name of GATEWAYS) ports.set(name, await freePort())
  gateway = await startApis({
    host: HERE,
    settings: { proxies: [HERE], client_certificates: { header: 'client-cert' } },
    apps: [
      program('one', { ...both(READ_WRITE), stock: ['stock:read'] }),
      program('reader', both(['orders:read'])),
      { ...program('keyed', {}), oidc: { apis: both(READ_WRITE), dpop_bound_access_tokens: true } },
      {
        ...program('certified', {}),
        oidc: { apis: both(READ_WRITE), tls_client_certificate_bound_access_tokens: true },
      },
    ] as never,
  })
  const upstream = `http://${HERE}:${echo.port}`
  const apis = GATEWAYS.map((name) => ({
    ...{ ...orders, api: `orders-${name}`, audience: audience(name) },
    gateway: { ...orders.gateway, hosts: [hostOf(name)], upstream, networks: ['inside'] },
  }))
  await applyApis(gateway, stock, ...apis)
  const [certificate, key] = ['server.pem', 'server.key'].map((file) => join(folder, file)) as [string, string]
  for (const name of GATEWAYS)
    running.push(
      await startProxy(name, ports.get(name)!, await printed(name), { certificate, key, together: certificate }),
    )
})
afterAll(async () => {
  for (const proxy of running) await proxy.close()
  await echo?.close()
  await gateway?.close()
  rmSync(folder, { recursive: true, force: true })
})

interface Asking {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly from?: string
  /** The certificate that it comes with. */
  readonly certificate?: string
}

async function ask(name: Name, path: string, token?: string, { certificate, from, ...more }: Asking = {}) {
  const read = (file: string) => readFileSync(join(folder, file), 'utf8')
  const shown = certificate ? { cert: read(`${certificate}.pem`), key: read(`${certificate}.key`) } : {}
  const secure = fetchPageOverTls(read('ca.pem'), { ...shown, ...(from ? { localAddress: from } : {}) })
  const before = echo.seen.length
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const answer = await secure(new URL(originOf(name) + path), {
    method: more.method ?? 'GET',
    headers: { ...authorization, ...more.headers },
  })
  const reached = echo.seen.length - before
  const challenge = answer.headers.get('www-authenticate') ?? ''
  return { status: answer.status, challenge, text: await answer.text(), reached }
}
const told = ({ rawHeaders }: Seen, name: string) =>
  rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]!.toLowerCase() === name)

const foreign = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
function byAnotherKey(token: string): string {
  const text = token.split('.').slice(0, 2).join('.')
  const tag = sign('sha256', Buffer.from(text), { key: foreign, dsaEncoding: 'ieee-p1363' })
  return `${text}.${tag.toString('base64url')}`
}

describe.each(GATEWAYS)('%s', (name) => {
  const tokenFor = (id: string) => tokenOf(gateway, id, audience(name))
  const passes = async (...asked: [path: string, token?: string, about?: Asking]) =>
    expect(await ask(name, ...asked)).toMatchObject({ status: 200, reached: 1 })
  const refuses = async (
    status: number,
    challenge: RegExp,
    ...asked: [path: string, token?: string, about?: Asking]
  ) => {
    const answer = await ask(name, ...asked)
    expect([answer.status, answer.reached]).toEqual([status, 0])
    expect(answer.challenge).toMatch(challenge)
    expect(JSON.parse(answer.text)).toMatchObject({ code: expect.any(String), ref: expect.any(String) })
  }

  test('a call that may pass reaches the API, which is told who calls, whatever the client says', async () => {
    const headers = { 'X-Portico-Client': 'admin', 'X-Portico-Scope': 'all', 'X-Forwarded-Uri': '/health' }
    const { status, text } = await ask(name, '/orders/1?a=b%20c', await tokenFor('one'), { headers })
    const seen: Seen = JSON.parse(text)
    expect([status, seen.url]).toEqual([200, '/orders/1?a=b%20c'])
    expect(told(seen, 'x-portico-client')).toEqual(['one'])
    expect(told(seen, 'x-portico-subject')).toEqual(['one'])
    expect(told(seen, 'x-portico-scope')).toEqual(['orders:read orders:write'])
  })

  test('what is public passes, and carries nobody', async () => {
    const { status, text } = await ask(name, '/health', undefined, { headers: { 'X-Portico-Client': 'admin' } })
    expect([status, told(JSON.parse(text), 'x-portico-client').join()]).toEqual([200, ''])
  })

  test('without a token it is refused, and so is what could be another path and what no rule names', async () => {
    await refuses(401, /^Bearer scope="orders:read"/, '/orders/1')
    const token = await tokenFor('one')
    // nginx knows no other refusals than 401 and 403
    await refuses(name === 'nginx' ? 403 : 400, /^$/, '/orders/..%2fhealth', token)
    await refuses(403, /^$/, '/other', token)
  })

  test('what a client needs to know of the API is read where the challenge says, and is about the very address (RFC 9728 §3.3)', async () => {
    const { challenge } = await ask(name, '/orders/1')
    const where = new URL(/resource_metadata="([^"]+)"/.exec(challenge)![1]!)
    expect([where.origin, where.pathname]).toEqual([
      originOf(name),
      `/.well-known/oauth-protected-resource${new URL(audience(name)).pathname}`,
    ])
    const { status, text } = await ask(name, where.pathname)
    expect([status, JSON.parse(text)['resource']]).toEqual([200, audience(name)])
    // nothing beside it
    await refuses(403, /^$/, `${where.pathname}/x`)
  })

  test('by scope', async () => {
    const missing = /error="insufficient_scope", scope="orders:write"/
    await refuses(403, missing, '/orders/1', await tokenFor('reader'), { method: 'PUT' })
    await passes('/orders/1', await tokenFor('reader'))
    await passes('/orders/1', await tokenFor('one'), { method: 'PUT' })
  })

  test('by audience', async () => {
    await refuses(401, /error="invalid_token"/, '/orders/1', await tokenOf(gateway, 'one', STOCK))
    const other = audience(name === 'nginx' ? 'caddy' : 'nginx')
    await refuses(401, /error="invalid_token"/, '/orders/1', await tokenOf(gateway, 'one', other))
    await passes('/orders/1', await tokenFor('one'))
  })

  test('by network', async () => {
    const token = await tokenFor('one')
    await refuses(403, /^$/, '/orders/1', token, { from: ELSEWHERE })
    for (const header of ['X-Forwarded-For', 'X-Real-IP', 'Forwarded', 'True-Client-IP'])
      await refuses(403, /^$/, '/orders/1', token, {
        from: ELSEWHERE,
        headers: { [header]: header === 'Forwarded' ? `for=${HERE}` : HERE },
      })
    await passes('/orders/1', token)
  })

  test('by the key that signed it', async () => {
    const token = await tokenFor('one')
    await refuses(401, /error="invalid_token"/, '/orders/1', byAnotherKey(token))
    await passes('/orders/1', token)
  })

  test('by the key that it is bound to', async () => {
    const configuration = await oidc.discovery(
      new URL(gateway.issuer),
      'keyed',
      undefined,
      oidc.ClientSecretBasic(gateway.secrets.get('keyed')!),
      { execute: [oidc.allowInsecureRequests] },
    )
    configuration[oidc.customFetch] = (url, init) => fetchCertified(folder, 'shop')(url, init as RequestInit)
    const handle = async () => oidc.getDPoPHandle(configuration, await oidc.randomDPoPKeyPair('ES256'))
    const [own, others] = [await handle(), await handle()]
    const { access_token: token } = await oidc.clientCredentialsGrant(
      configuration,
      { resource: audience(name) },
      { DPoP: own },
    )
    const url = new URL(`${originOf(name)}/orders/1`)
    const call = (DPoP: oidc.DPoPHandle) =>
      oidc.fetchProtectedResource(configuration, token, url, 'GET', null, undefined, { DPoP })
    expect((await call(own)).status).toBe(200)
    expect((await call(own)).status).toBe(200)
    await expect(call(others)).rejects.toMatchObject({
      cause: [{ scheme: 'dpop', parameters: { error: 'invalid_dpop_proof' } }],
    })
    await refuses(401, /error="invalid_token"/, '/orders/1', token)
  })

  test('by the certificate that it is bound to, which only the gateway may tell of', async () => {
    const issued = await fetch(`${gateway.issuer}/oauth2/token`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${btoa(`certified:${gateway.secrets.get('certified')}`)}`,
        'client-cert': clientCert(folder, 'shop'),
      },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: audience(name) }),
    })
    const { access_token: token } = (await issued.json()) as { access_token: string }
    await passes('/orders/1', token, { certificate: 'shop' })
    await refuses(401, /error="invalid_token"/, '/orders/1', token)
    await refuses(401, /error="invalid_token"/, '/orders/1', token, { certificate: 'other' })
    for (const said of [clientCert(folder, 'shop'), escapedCert(folder, 'shop')])
      for (const certificate of [{}, { certificate: 'other' }])
        await refuses(401, /error="invalid_token"/, '/orders/1', token, {
          ...certificate,
          headers: { 'Client-Cert': said },
        })
  })

  test('by revocation at the next call', async () => {
    const [token, another] = [await tokenFor('one'), await tokenFor('one')]
    await passes('/orders/1', token)
    expect((await post(gateway, 'revocation', 'one', { token })).status).toBe(200)
    const from = performance.now()
    await refuses(401, /error="invalid_token"/, '/orders/1', token)
    console.log(`revoked → refused through ${name}: ${(performance.now() - from).toFixed(1)} ms`)
    await passes('/orders/1', another)
  })
})
