/** Connections that become others: what is judged once must not carry what nobody was asked about. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { app, createVisitor, raw, startHouse, type Visitor, WIKI } from '../forward-auth/house.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { type ProxyName, printedSnippet, type RunningProxy, startProxy } from '../support/proxies.ts'
import { exchange } from '../support/raw.ts'

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const H2C = 'AAMAAABkAAQAAP__AAIAAAAA'

describe('the question of a proxy', () => {
  let gateway: Gateway
  let sam: Visitor
  beforeAll(async () => {
    const rules = [{ paths: ['/public/*'], access: 'public' as const }]
    gateway = await startHouse({
      apps: [app('wiki', { hosts: ['wiki.example.com', 'docs.example.com'], rules }), app('pos')],
    })
    sam = createVisitor(gateway)
    await sam.open(`${WIKI}/`)
  })
  afterAll(() => gateway?.close())

  const cookie = () => [...sam.jarOf('wiki.example.com')].map(([name, value]) => `${name}=${value}`).join('; ')
  const ask = (more: Record<string, string>, uri = '/socket') =>
    raw(Number(new URL(gateway.issuer).port), '/authz/forward', {
      host: 'gateway',
      'X-Forwarded-Method': 'GET',
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-Host': 'wiki.example.com',
      'X-Forwarded-Uri': uri,
      ...more,
    })
  // node sends a request with `Upgrade` only together with `Connection`
  const socket = (more: Record<string, string> = {}) => ({ 'Sec-WebSocket-Key': KEY, cookie: cookie(), ...more })

  test.each<[string, Record<string, string>]>([
    ['its own page', { origin: WIKI }],
    ['a page of another host of the app', { origin: 'https://docs.example.com' }],
    ['a program', {}],
  ])('a WebSocket that %s opens is let in', async (_, from) => expect((await ask(socket(from))).status).toBe(200))

  test.each([
    'https://evil.example',
    'https://pos.example.com',
    'https://blog.wiki.example.com',
    'https://wiki.example.com.evil.example',
    'https://wiki.example.com:8443',
    'http://wiki.example.com',
    'http://docs.example.com',
    'null',
    '',
  ])('a WebSocket that a page of "%s" opens is not, though the cookie comes along', async (origin) => {
    const answer = await ask(socket({ origin }))
    expect([answer.status, JSON.parse(answer.text).code]).toEqual([403, 'cross-origin'])
  })

  test('what is public is the app’s own to guard, and another request than a WebSocket tells its page’s host', async () => {
    expect((await ask(socket({ origin: 'https://evil.example' }), '/public/x')).status).toBe(200)
    expect((await ask({ cookie: cookie(), origin: 'https://evil.example' })).status).toBe(200)
  })

  test.each<[string, Record<string, string>]>([
    ['h2c', { Upgrade: 'h2c', Connection: 'Upgrade' }],
    ['h2c among others', { Upgrade: 'websocket, h2c', Connection: 'Upgrade' }],
    ['TLS', { Upgrade: 'TLS/1.0', Connection: 'Upgrade' }],
    ['HTTP/2, where the proxy has taken Upgrade away', { 'HTTP2-Settings': H2C }],
  ])('no other protocol is let through, not even where everything is public: %s', async (_, lie) => {
    for (const uri of ['/public/x', '/socket']) {
      const answer = await ask({ cookie: cookie(), ...lie }, uri)
      expect([answer.status, JSON.parse(answer.text).code]).toEqual([400, 'request-refused'])
    }
  })
})

const PROXIES: readonly ProxyName[] = ['nginx', 'caddy', 'haproxy']

describe.each(PROXIES)('%s, with the configuration that is printed for it', (name) => {
  let gateway: Gateway
  let proxy: RunningProxy
  let backend: Server
  let port: number
  const upgrades: string[] = []
  const sockets = new Set<Socket>()

  beforeAll(async () => {
    // an app that goes on in whatever it is asked for, and then answers everything
    backend = createServer((_, response) => response.end('plain'))
    backend.on('upgrade', ({ headers }, connection) => {
      upgrades.push(String(headers.upgrade))
      connection.end(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${headers.upgrade}\r\nConnection: Upgrade\r\n\r\ntunnel`,
      )
    })
    backend.on('connection', (socket) => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    })
    await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve))
    port = await freePort()
    const upstream = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`
    const rules = [{ paths: ['/public/*'], access: 'public' }]
    gateway = await startGateway({
      policies: POLICIES,
      host: '127.0.0.1',
      settings: { proxies: ['127.0.0.1', '::1'] },
      people: [{ username: 'zoya', name: 'Zoya', groups: ['staff'] }],
      apps: [
        {
          id: 'wiki',
          name: 'wiki',
          policy: 'plain',
          audience: ['staff'],
          forward_auth: { hosts: [`localhost:${port}`], upstream, rules },
        },
      ] as never,
    })
    proxy = await startProxy(name, port, await printedSnippet(gateway, 'wiki', name))
  })
  afterAll(async () => {
    await proxy?.close()
    await gateway?.close()
    // those that were upgraded are no longer the server's own
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => (backend ? backend.close(resolve) : resolve(undefined)))
  })

  test.each([
    ['Upgrade: h2c', 'Connection: Upgrade, HTTP2-Settings', `HTTP2-Settings: ${H2C}`],
    ['Upgrade: h2c', 'Connection: Upgrade', `HTTP2-Settings: ${H2C}`],
    ['Upgrade: h2c', 'Connection: Upgrade'],
    ['Upgrade: h2c, websocket', 'Connection: Upgrade'],
    ['Upgrade: websocket', 'Upgrade: h2c', 'Connection: Upgrade'],
    ['Upgrade: TLS/1.0', 'Connection: Upgrade'],
  ])('what anybody may see opens no tunnel to the rest of the app: %s, %s', async (...lines) => {
    const before = upgrades.length
    // the second one, so that the proxy closes where there is no tunnel
    const last = ['GET /public/y HTTP/1.1', `Host: localhost:${port}`, 'Connection: close', '', '']
    const head = ['GET /public/x HTTP/1.1', `Host: localhost:${port}`, ...lines, '']
    const { body } = await exchange(port, Buffer.from([...head, ...last].join('\r\n')))
    const reached = upgrades.slice(before)
    // of two lines a proxy may believe the first, and the app with it
    expect(reached.filter((protocol) => protocol !== 'websocket')).toEqual([])
    if (reached.length === 0) expect(body).not.toContain('tunnel')
  })
})
