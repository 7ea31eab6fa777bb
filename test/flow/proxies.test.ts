/** One story behind each proxy, with exactly the configuration that `apps snippet` prints. */
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser, formOf } from '../../demo/browser.ts'
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
import { typePassword } from '../support/relying-party.ts'

const PROXIES: readonly ProxyName[] = ['nginx', 'caddy', 'haproxy']
const NAME = 'Зоя de Vries'
let gateway: Gateway
let echo: EchoApp
const ports = new Map<ProxyName, number>()
const running: RunningProxy[] = []

beforeAll(async () => {
  echo = await startEchoApp()
  for (const name of PROXIES) ports.set(name, await freePort())
  const rules = [
    { paths: ['/public/*'], methods: ['GET'], access: 'public' as const },
    { paths: ['/admin/*'], access: 'deny' as const },
    { paths: ['/safe/*'], access: 'sign-in' as const, strength: 'two-factors' },
  ]
  gateway = await startGateway({
    policies: POLICIES,
    host: '127.0.0.1',
    settings: { proxies: ['127.0.0.1', '::1'] },
    people: [
      {
        username: 'zoya',
        name: NAME,
        mail: 'zoya@kestrel.example',
        mailVerified: true,
        groups: ['staff', 'night shift'],
      },
      { username: 'guest', name: 'Guest', groups: [] },
    ],
    apps: PROXIES.map((name) => ({
      id: `wiki-${name}`,
      name: 'Wiki',
      policy: 'plain',
      audience: ['staff'],
      forward_auth: {
        hosts: [`localhost:${ports.get(name)}`],
        headers: ['Auth-User'],
        upstream: `http://127.0.0.1:${echo.port}`,
        rules,
      },
    })),
  })
  for (const name of PROXIES)
    running.push(await startProxy(name, ports.get(name)!, await printedSnippet(gateway, `wiki-${name}`, name)))
})
afterAll(async () => {
  for (const proxy of running) await proxy.close()
  await gateway?.close()
  await echo?.close()
})

/** A header as the app got it: every value that any server could take for it. */
const values = ({ rawHeaders }: Seen, name: string): string[] =>
  rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]!.toLowerCase().replace(/[^a-z0-9]/g, '-') === name)
const utf8 = (latin1: string | undefined) => Buffer.from(latin1 ?? '', 'latin1').toString('utf8')

describe.each(PROXIES)('%s', (proxy) => {
  const origin = () => `http://localhost:${ports.get(proxy)}`

  /** One request with exactly these headers. */
  function send(path: string, { method = 'GET', headers = {} as Record<string, string | string[]> } = {}) {
    return new Promise<{ status: number; headers: Record<string, string | string[] | undefined>; text: string }>(
      (resolve, reject) => {
        const sent = httpRequest(
          {
            host: '127.0.0.1',
            port: ports.get(proxy)!,
            path,
            method,
            agent: false,
            headers: { host: new URL(origin()).host, ...headers },
          },
          (answer) => {
            let text = ''
            answer.setEncoding('utf8')
            answer.on('data', (part) => (text += part))
            answer.on('end', () => resolve({ status: answer.statusCode!, headers: answer.headers, text }))
          },
        )
        sent.on('error', reject)
        sent.end()
      },
    )
  }

  async function signedIn(path = '/', username = 'zoya') {
    const browser = createBrowser({ fetch: fetchPage })
    const page = await typePassword(browser, await browser.open(origin() + path), username)
    return { browser, page }
  }
  const cookieOf = (browser: ReturnType<typeof createBrowser>) =>
    [...browser.jarOf('localhost')].map(([name, value]) => `${name}=${value}`).join('; ')

  test('a person signs in, comes back to the very address, and the app knows who it is', async () => {
    const { page } = await signedIn('/pages/1?q=a%20b&x=%C3%A9')
    expect([page.status, page.url.href]).toEqual([200, `${origin()}/pages/1?q=a%20b&x=%C3%A9`])
    const seen: Seen = JSON.parse(page.text)
    expect(seen.url).toBe('/pages/1?q=a%20b&x=%C3%A9')
    expect(values(seen, 'remote-user')).toEqual(['zoya'])
    expect(values(seen, 'auth-user')).toEqual(['zoya'])
    expect(values(seen, 'remote-groups')).toEqual(['night shift,staff'])
    expect(values(seen, 'remote-email')).toEqual(['zoya@kestrel.example'])
    expect(values(seen, 'remote-name').map(utf8)).toEqual([NAME])
    expect(values(seen, 'x-portico-jwt')[0]).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/)
    expect(values(seen, 'host')).toEqual([new URL(origin()).host])
  })

  test('the second visit is silent, and a POST keeps its body', async () => {
    const { browser } = await signedIn()
    expect((await browser.open(`${origin()}/again`)).status).toBe(200)
    const posted = await browser.submit(
      { action: new URL(`${origin()}/form`), fields: new URLSearchParams() },
      { a: 'b' },
    )
    const seen: Seen = JSON.parse(posted.text)
    expect([seen.method, seen.url, values(seen, 'content-length')]).toEqual(['POST', '/form', ['3']])
  })

  test('what a client says about itself never reaches the app', async () => {
    const { browser } = await signedIn()
    const lies = { 'Remote-User': 'admin', 'Remote-Groups': 'admins', 'Auth-User': 'admin', 'X-Portico-Jwt': 'a.b.c' }
    const signed = await send('/', { headers: { cookie: cookieOf(browser), ...lies } })
    const seen: Seen = JSON.parse(signed.text)
    expect([values(seen, 'remote-user'), values(seen, 'auth-user')]).toEqual([['zoya'], ['zoya']])
    expect(values(seen, 'x-portico-jwt')).not.toContain('a.b.c')
    const open: Seen = JSON.parse((await send('/public/x', { headers: lies })).text)
    for (const name of ['remote-user', 'remote-groups', 'auth-user', 'x-portico-jwt'])
      expect(values(open, name).join(''), name).toBe('')
    // in another spelling it is gone, or the request is refused
    const twins = await send('/', { headers: { cookie: cookieOf(browser), Remote_User: 'admin' } })
    if (twins.status === 200) expect(values(JSON.parse(twins.text), 'remote-user')).toEqual(['zoya'])
    else expect(twins.status).toBe(proxy === 'nginx' ? 403 : 400)
  })

  test('a spoofed host, address or path of the question changes nothing', async () => {
    const spoof = {
      'X-Forwarded-Host': 'other.example.com',
      'X-Forwarded-Uri': '/public/x',
      'X-Forwarded-Method': 'GET',
      'X-Original-URL': `${origin()}/public/x`,
      'X-Original-Method': 'GET',
      'X-Forwarded-Proto': 'https',
    }
    const before = echo.seen.length
    const answer = await send('/secret', { headers: { accept: 'text/html', ...spoof } })
    expect(answer.status).toBe(302)
    expect(String(answer.headers['location'])).toMatch(new RegExp(`^${gateway.issuer}/authz/start\\?o=`))
    expect(echo.seen.length).toBe(before)
  })

  test('a script gets 401 with a challenge, and a WebSocket is judged like everything else', async () => {
    const answer = await send('/api', { headers: { accept: 'application/json' } })
    expect([answer.status, answer.headers['location']]).toEqual([401, undefined])
    expect(answer.headers['www-authenticate']).toContain('Bearer realm=')
    const { browser } = await signedIn()
    const socket = (cookie: string) =>
      new Promise<string>((resolve, reject) => {
        let text = ''
        const opened = connect(ports.get(proxy)!, '127.0.0.1', () =>
          opened.write(
            `GET /socket HTTP/1.1\r\nHost: ${new URL(origin()).host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${cookie}\r\n`,
          ),
        )
        opened.on('data', (part) => {
          text += part
          if (/^HTTP\/1.1 [45]|user=/.test(text)) opened.destroy()
        })
        opened.on('close', () => resolve(text))
        opened.on('error', reject)
      })
    expect(await socket('')).toMatch(/^HTTP\/1\.1 401/)
    const opened = await socket(`Cookie: ${cookieOf(browser)}\r\n`)
    expect(opened).toMatch(/^HTTP\/1\.1 101/)
    expect(opened).toContain('user=zoya')
  })

  test('rules of the app hold: public without a question, closed for everybody, stronger for some', async () => {
    expect((await send('/public/x')).status).toBe(200)
    expect((await send('/public/x', { method: 'DELETE' })).status).toBe(401)
    const { browser } = await signedIn()
    const cookie = cookieOf(browser)
    expect((await send('/admin/x', { headers: { cookie } })).status).toBe(403)
    for (const path of ['/public/../admin/x', '/public/..%2fadmin/x', '/public/%2e%2e/admin/x', '/public/..;/admin/x'])
      expect([400, 401, 403], path).toContain((await send(path, { headers: { cookie } })).status)
    const stronger = await send('/safe/x', { headers: { cookie, accept: 'application/json' } })
    expect(stronger.status).toBe(401)
    expect(stronger.headers['www-authenticate']).toContain(
      'error="insufficient_user_authentication", acr_values="two-factors"',
    )
  })

  test('whom the policy refuses sees it on our page, and the app hears nothing', async () => {
    const before = echo.seen.length
    const { page } = await signedIn('/', 'guest')
    expect([page.url.origin, page.status]).toEqual([gateway.issuer, 403])
    expect(echo.seen.length).toBe(before)
  })

  test('signing out at our side closes the app with the next request', async () => {
    const { browser } = await signedIn()
    const asked = await browser.open(`${origin()}/.portico/sign-out`)
    expect(asked.url.href).toBe(`${gateway.issuer}/signout`)
    const cookie = cookieOf(browser)
    await browser.submit(formOf(asked, 'sign-out'), { answer: 'allow' })
    expect((await send('/', { headers: { cookie } })).status).toBe(401)
    expect((await browser.open(`${origin()}/`)).text).toContain('name="username"')
  })

  test('a code that was used, or comes from another browser, opens nothing', async () => {
    const { browser } = await signedIn()
    const start = await send('/', { headers: { accept: 'text/html' } })
    const stopping = String(start.headers['location'])
    // the signed-in browser goes on with what another one began
    const page = await browser.open(stopping)
    expect([page.status, page.url.pathname]).toEqual([400, '/.portico/callback'])
    expect((await send(`/.portico/callback${page.url.search}`)).status).toBe(400)
    expect((await send('/.portico/callback?code=x')).status).toBe(400)
  })
})
