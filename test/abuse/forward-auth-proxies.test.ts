/** Requests that a real proxy and we could read differently: one app's rules never open another, nor one path another. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser } from '../../demo/browser.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { fetchPage } from '../support/page-fetch.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import {
  type EchoApp,
  type ProxyName,
  printedSnippet,
  type RunningProxy,
  type Seen,
  startEchoApp,
  startProxy,
} from '../support/proxies.ts'
import { exchange } from '../support/raw.ts'
import { typePassword } from '../support/relying-party.ts'

const PROXIES: readonly ProxyName[] = ['nginx', 'caddy', 'haproxy']
let gateway: Gateway
let echo: EchoApp
const ports = new Map<ProxyName, number>()
const running: RunningProxy[] = []

beforeAll(async () => {
  echo = await startEchoApp()
  for (const name of PROXIES) ports.set(name, await freePort())
  const app = (id: string, hosts: string[], rules: object[]) => ({
    id,
    name: id,
    policy: 'plain',
    audience: ['staff'],
    forward_auth: { hosts, upstream: `http://127.0.0.1:${echo.port}`, rules },
  })
  gateway = await startGateway({
    policies: POLICIES,
    host: '127.0.0.1',
    settings: { proxies: ['127.0.0.1', '::1'] },
    people: [{ username: 'zoya', name: 'Zoya', groups: ['staff'] }],
    apps: [
      ...PROXIES.map((name) =>
        app(
          `wiki-${name}`,
          [`localhost:${ports.get(name)}`],
          [
            { paths: ['/public/*'], access: 'public' },
            { paths: ['/hooks/*'], methods: ['POST'], access: 'public' },
            { paths: ['/admin/*'], access: 'deny' },
          ],
        ),
      ),
      // anybody may open this one: on a name of its own, and on another port of the same name
      app(
        'status',
        ['status.localhost', 'localhost:9', ...PROXIES.map((name) => `status.localhost:${ports.get(name)}`)],
        [{ paths: ['/*'], access: 'public' }],
      ),
    ] as never,
  })
  for (const name of PROXIES)
    running.push(await startProxy(name, ports.get(name)!, await printedSnippet(gateway, `wiki-${name}`, name)))
})
afterAll(async () => {
  for (const proxy of running) await proxy.close()
  await gateway?.close()
  await echo?.close()
})

const values = ({ rawHeaders }: Seen, name: string): string[] =>
  rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]!.toLowerCase().replace(/[^a-z0-9]/g, '-') === name)

describe.each(PROXIES)('%s', (proxy) => {
  const port = () => ports.get(proxy)!
  const host = () => `localhost:${port()}`
  /** The very bytes of a request. */
  async function send(line: string, ...headers: string[]) {
    const before = echo.seen.length
    const bytes = Buffer.from(`${[`${line} HTTP/1.1`, ...headers, 'Connection: close'].join('\r\n')}\r\n\r\n`, 'latin1')
    const answer = await exchange(port(), bytes)
    return { ...answer, reached: echo.seen.slice(before) }
  }
  async function cookie(): Promise<string> {
    const browser = createBrowser({ fetch: fetchPage })
    await typePassword(browser, await browser.open(`http://${host()}/`), 'zoya')
    return `Cookie: ${[...browser.jarOf('localhost')].map(([name, value]) => `${name}=${value}`).join('; ')}`
  }

  test('what the rest rests on: this app lets in whom it should, and what is public', async () => {
    expect((await send('GET /secret', `Host: ${host()}`, await cookie())).reached).toHaveLength(1)
    expect((await send('GET /secret', `Host: ${host()}`)).reached).toEqual([])
    expect((await send('GET /public/x', `Host: ${host()}`)).reached).toHaveLength(1)
    const json = ['Content-Length: 0', 'Content-Type: application/json']
    expect((await send('POST /hooks/x', `Host: ${host()}`, ...json)).reached).toHaveLength(1)
  })

  test.each<[string, (own: string, port: number) => [line: string, host: string]]>([
    ['on another port of the same name', () => ['GET /secret', 'localhost:9']],
    ['on another name', () => ['GET /secret', 'status.localhost']],
    ['on another name at this port', (_, at) => ['GET /secret', `status.localhost:${at}`]],
    ['with this app in the first line', (own, at) => [`GET http://${own}/secret`, `status.localhost:${at}`]],
    ['with this app in the first line, and another port', (own) => [`GET http://${own}/secret`, 'localhost:9']],
    ['with that app in the first line', (own, at) => [`GET http://status.localhost:${at}/secret`, own]],
  ])('an app that is open to everybody opens no other: %s', async (_, ask) => {
    const [line, named] = ask(host(), port())
    expect((await send(line, `Host: ${named}`)).reached).toEqual([])
  })

  test.each([
    '/.portico/x',
    '/.portico/ask',
    '/.portic%6f/x',
    '/.portic%6f/ask',
    '/.portic%6f/callback?code=x',
    '/%2eportico/x',
    '//.portico/x',
    '/x/../.portico/y',
    '/.PORTICO/x',
  ])('%s is not the app, and shows nobody what the app is told', async (path) => {
    const { headers, reached } = await send(`GET ${path}`, `Host: ${host()}`, await cookie())
    expect([headers['x-portico-jwt'], headers['remote-user'], reached]).toEqual([undefined, undefined, []])
  })

  test.each(['X-Original-URL', 'X-Rewrite-URL', 'X_Original_URL', 'x_rewrite_url'])(
    '%s names no other path to the app',
    async (name) => {
      const { reached } = await send('GET /public/x', `Host: ${host()}`, `${name}: /admin/x`)
      for (const seen of reached) expect(values(seen, name.toLowerCase().replaceAll('_', '-'))).toEqual([])
    },
  )

  test.each([
    ['X_HTTP_Method_Override: DELETE', 'Content-Type: application/json'],
    ['X.HTTP.Method: DELETE', 'Content-Type: application/json'],
    ['Content-Type: application/json', 'Content-Type: application/x-www-form-urlencoded'],
    ['Content-Type: application/x-www-form-urlencoded', 'Content-Type: application/json'],
  ])('%s, %s: what is open for POST is open for nothing else', async (...lies) => {
    const { reached } = await send('POST /hooks/x', `Host: ${host()}`, 'Content-Length: 0', ...lies)
    for (const seen of reached) {
      expect([values(seen, 'x-http-method-override'), values(seen, 'x-http-method')]).toEqual([[], []])
      expect(values(seen, 'content-type')).toEqual(['application/json'])
    }
  })

  test.each(['Remote-User, X-Portico-Jwt', 'remote-user', 'close, Remote-User', 'upgrade, Remote-User'])(
    'Connection: %s takes nothing from the app of what it is told',
    async (names) => {
      const { reached } = await send('GET /secret', `Host: ${host()}`, `Connection: ${names}`, await cookie())
      expect(reached.map((seen) => values(seen, 'remote-user'))).toEqual([['zoya']])
    },
  )
})
