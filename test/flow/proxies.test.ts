/** One story behind each proxy, in clear and over TLS, with exactly the configuration that `apps snippet` prints. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser, formOf } from '../../demo/browser.ts'
import { NAME, openProxied, PROXIES, type Proxied, type Scheme } from '../support/proxied.ts'
import type { Seen } from '../support/proxies.ts'
import { typePassword } from '../support/relying-party.ts'

const SCHEMES: readonly Scheme[] = ['http', 'https']
let house: Proxied

/** A header as the app got it: every value that any server could take for it. */
const values = ({ rawHeaders }: Seen, name: string): string[] =>
  rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]!.toLowerCase().replace(/[^a-z0-9]/g, '-') === name)
const utf8 = (latin1: string | undefined) => Buffer.from(latin1 ?? '', 'latin1').toString('utf8')

describe.each(SCHEMES)('over %s', (scheme) => {
  beforeAll(async () => {
    house = await openProxied(scheme)
  }, 120_000)
  afterAll(() => house?.close())

  describe.each(PROXIES)('%s', (proxy) => {
    const origin = () => house.origin(proxy)

    /** One request with exactly these headers. */
    function send(path: string, { method = 'GET', headers = {} as Record<string, string | string[]> } = {}) {
      return new Promise<{ status: number; headers: Record<string, string | string[] | undefined>; text: string }>(
        (resolve, reject) => {
          const sent = house.request(
            proxy,
            {
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
      const browser = createBrowser({ fetch: house.fetch })
      const page = await typePassword(browser, await browser.open(origin() + path), username)
      return { browser, page }
    }
    const cookieOf = (browser: ReturnType<typeof createBrowser>) =>
      [...browser.jarOf(new URL(origin()).hostname)].map(([name, value]) => `${name}=${value}`).join('; ')

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

    test(`its cookies are for this very host${scheme === 'https' ? ', over TLS only' : ''}`, async () => {
      const lines: string[] = []
      const browser = createBrowser({
        async fetch(url, init) {
          const answer = await house.fetch(url, init)
          for (const line of answer.headers.getSetCookie()) lines.push(`${url.hostname} ${line}`)
          return answer
        },
      })
      await typePassword(browser, await browser.open(origin()), 'zoya')
      const { hostname } = new URL(origin())
      for (const [host, name] of [
        [hostname, 'portico-app-'],
        [hostname, 'portico-open-'],
        [new URL(house.issuer).hostname, 'portico-session='],
      ] as const) {
        const found = lines.filter((line) => line.startsWith(`${host} `) && line.includes(name))
        expect(found.length, name).toBeGreaterThan(0)
        for (const line of found) {
          expect(line).toMatch(/; Path=\/;.*HttpOnly; SameSite=Lax/)
          expect(line).not.toMatch(/domain=/i)
          expect([line.includes(' __Host-'), line.endsWith('; Secure')]).toEqual(
            scheme === 'https' ? [true, true] : [false, false],
          )
        }
      }
      // without the prefix, as a sibling host or a network in between could set it, it opens nothing
      const bare = cookieOf(browser).replaceAll('__Host-', '')
      if (scheme === 'https') expect((await send('/', { headers: { cookie: bare } })).status).toBe(401)
      expect((await send('/', { headers: { cookie: cookieOf(browser) } })).status).toBe(200)
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
        'X-Forwarded-Proto': scheme === 'https' ? 'http' : 'https',
      }
      const before = house.echo.seen.length
      const answer = await send('/secret', { headers: { accept: 'text/html', ...spoof } })
      expect(answer.status).toBe(302)
      expect(String(answer.headers['location'])).toMatch(new RegExp(`^${house.issuer}/authz/start\\?o=`))
      expect(house.echo.seen.length).toBe(before)
    })

    test('a script gets 401 with a challenge, and a WebSocket is judged like everything else', async () => {
      const answer = await send('/api', { headers: { accept: 'application/json' } })
      expect([answer.status, answer.headers['location']]).toEqual([401, undefined])
      expect(answer.headers['www-authenticate']).toContain('Bearer realm=')
      const { browser } = await signedIn()
      const socket = (cookie: string) =>
        new Promise<string>((resolve, reject) => {
          let text = ''
          const opened = house.connect(proxy, () =>
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
      for (const path of [
        '/public/../admin/x',
        '/public/..%2fadmin/x',
        '/public/%2e%2e/admin/x',
        '/public/..;/admin/x',
      ])
        expect([400, 401, 403], path).toContain((await send(path, { headers: { cookie } })).status)
      const stronger = await send('/safe/x', { headers: { cookie, accept: 'application/json' } })
      expect(stronger.status).toBe(401)
      expect(stronger.headers['www-authenticate']).toContain(
        'error="insufficient_user_authentication", acr_values="two-factors"',
      )
    })

    test('whom the policy refuses sees it on our page, and the app hears nothing', async () => {
      const before = house.echo.seen.length
      const { page } = await signedIn('/', 'guest')
      expect([page.url.origin, page.status]).toEqual([house.issuer, 403])
      expect(house.echo.seen.length).toBe(before)
    })

    test('signing out at our side closes the app with the next request', async () => {
      const { browser } = await signedIn()
      const asked = await browser.open(`${origin()}/.portico/sign-out`)
      expect(asked.url.href).toBe(`${house.issuer}/signout`)
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
})
