/** A real nginx, with the configuration that `apis snippet` prints, protects a sample API. */
import { generateKeyPairSync, sign } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCommand } from '../../src/cli/run.ts'
import { apisVerbs } from '../../src/cli/verbs/apis.ts'
import { applyApis, ORDERS, orders, post, STOCK, startApis, tokenOf } from '../api-access/house.ts'
import type { Gateway } from '../support/gateway.ts'
import { freePort } from '../support/ports.ts'
import { type EchoApp, type RunningProxy, type Seen, startEchoApp, startProxy } from '../support/proxies.ts'

let gateway: Gateway
let echo: EchoApp
let nginx: RunningProxy
let origin: string
let one: string
beforeAll(async () => {
  echo = await startEchoApp()
  const port = await freePort()
  origin = `http://localhost:${port}`
  gateway = await startApis({ host: '127.0.0.1', settings: { proxies: ['127.0.0.1', '::1'] } })
  const upstream = `http://127.0.0.1:${echo.port}`
  await applyApis(gateway, {
    ...orders,
    gateway: { ...orders.gateway, hosts: [`localhost:${port}`], upstream, networks: ['here'] },
  })
  const lines: string[] = []
  const code = await runCommand({
    words: ['apis', 'snippet', 'orders', '--for', 'nginx', '--json', '--config', join(gateway.folder, 'portico.yaml')],
    verbs: apisVerbs,
    openHouse: async () => ({ ...gateway.server.house, close: async () => {} }) as never,
    out: (line) => lines.push(line),
    err: (line) => lines.push(line),
  })
  if (code !== 0) throw new Error(lines.join('\n'))
  nginx = await startProxy('nginx', port, JSON.parse(lines.join('\n')))
  one = await tokenOf(gateway, 'one')
}, 60_000)
afterAll(async () => {
  await nginx?.close()
  await echo?.close()
  await gateway?.close()
})

async function ask(path: string, token?: string, { method = 'GET', headers = {} as Record<string, string> } = {}) {
  const sent = token === undefined ? headers : { authorization: `Bearer ${token}`, ...headers }
  const before = echo.seen.length
  const answer = await fetch(origin + path, { method, headers: sent })
  const text = await answer.text()
  const reached = echo.seen.length - before
  return { status: answer.status, challenge: answer.headers.get('www-authenticate') ?? '', text, reached }
}
const values = ({ rawHeaders }: Seen, name: string) =>
  rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]!.toLowerCase() === name)

test('a call that may pass reaches the API, which is told who calls, whatever the client says', async () => {
  const lies = { 'X-Portico-Client': 'admin', 'X-Portico-Scope': 'all', 'X-Forwarded-Uri': '/health' }
  const { status, text } = await ask('/orders/1?a=b%20c', one, { headers: lies })
  const seen: Seen = JSON.parse(text)
  expect([status, seen.url]).toEqual([200, '/orders/1?a=b%20c'])
  expect(values(seen, 'x-portico-client')).toEqual(['one'])
  expect(values(seen, 'x-portico-subject')).toEqual(['one'])
  expect(values(seen, 'x-portico-scope')).toEqual(['orders:read orders:write'])
})

test('what is public passes, and carries nobody', async () => {
  const { status, text } = await ask('/health', undefined, { headers: { 'X-Portico-Client': 'admin' } })
  expect([status, values(JSON.parse(text), 'x-portico-client').join()]).toEqual([200, ''])
})

const foreign = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const byAnotherKey = () => {
  const text = one.split('.').slice(0, 2).join('.')
  return `${text}.${sign('sha256', Buffer.from(text), { key: foreign, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

test.each<[string, number, RegExp, () => Promise<Parameters<typeof ask>> | Parameters<typeof ask>]>([
  ['no token', 401, /^Bearer scope="orders:read"/, () => ['/orders/1']],
  [
    'a scope',
    403,
    /error="insufficient_scope", scope="orders:write"/,
    async () => ['/orders/1', await tokenOf(gateway, 'reader'), { method: 'PUT' }],
  ],
  ['an audience', 401, /error="invalid_token"/, async () => ['/orders/1', await tokenOf(gateway, 'one', STOCK)]],
  ['a key', 401, /error="invalid_token"/, () => ['/orders/1', byAnotherKey()]],
  ['a network', 403, /^$/, () => ['/orders/1', one, { headers: { 'X-Forwarded-For': '203.0.113.9' } }]],
  ['a path that could be another', 403, /^$/, () => ['/orders/..%2fhealth', one]],
  ['what no rule names', 403, /^$/, () => ['/other', one]],
])('by %s it is refused, with why and a reference', async (_, status, challenge, asked) => {
  const answer = await ask(...(await asked()))
  expect([answer.status, answer.reached]).toEqual([status, 0])
  expect(answer.challenge).toMatch(challenge)
  expect(JSON.parse(answer.text)).toMatchObject({ code: expect.any(String), ref: expect.any(String) })
})

test('by revocation it is refused at the next call', async () => {
  const token = await tokenOf(gateway, 'one', ORDERS)
  expect((await ask('/orders/1', token)).status).toBe(200)
  expect((await post(gateway, 'revocation', 'one', { token })).status).toBe(200)
  const from = performance.now()
  expect(await ask('/orders/1', token)).toMatchObject({ status: 401, reached: 0 })
  console.log(`revoked → refused through nginx: ${(performance.now() - from).toFixed(1)} ms`)
})
