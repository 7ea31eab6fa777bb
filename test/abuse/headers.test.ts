/** Headers that say who we are and where somebody is: believed from our proxies only, and about nothing but addresses. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser } from '../../demo/browser.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { type RawAnswer, sendRaw } from '../support/raw.ts'
import { atCallback, CALLBACK, typePassword } from '../support/relying-party.ts'
import { anApp, appAddress } from './people.ts'

const STORE = '203.0.113.5'
const ELSEWHERE = '198.51.100.9'
const POLICY = {
  ...POLICIES,
  'networks.yaml': `networks:\n  here: { ranges: [127.0.0.0/8, "::1/128"] }\n  stores: { ranges: [203.0.113.0/24] }\n  elsewhere: { ranges: [198.51.100.0/24] }\n`,
  'store.yaml': `policy: store
rules:
  - { name: only in stores, when: { network: { outside: [stores] } }, deny: { say: Only in a store. } }
  - { name: in stores, allow: {} }
`,
  'guests.yaml': `policy: guests
rules:
  - { name: not from there, when: { network: [elsewhere] }, deny: {} }
  - { name: everybody else, allow: {} }
`,
  // somebody took the machine of the proxy for a place to be trusted
  'here.yaml': `policy: here
rules:
  - { name: on this machine, when: { network: [here] }, allow: {} }
`,
}
const people = [{ username: 'sam', name: 'Sam', groups: ['staff'] }]
const apps = [
  anApp('till', 'store'),
  anApp('console', 'here'),
  anApp('guests', 'guests'),
  anApp('web', 'plain', {
    oidc: {
      redirect_uris: [CALLBACK],
      post_logout_redirect_uris: [CALLBACK],
      scopes: ['openid'],
      pkce: 'optional',
      grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
    },
  }),
]

let bare: Gateway
let proxied: Gateway
let secure: Gateway
const ISSUER = 'https://id.kestrel.example'

beforeAll(async () => {
  const start = (settings: Record<string, unknown>) => startGateway({ policies: POLICY, people, apps, settings })
  bare = await start({})
  proxied = await start({ proxies: ['127.0.0.1'] })
  secure = await start({ issuer: ISSUER, proxies: ['127.0.0.1'] })
})
afterAll(async () => {
  for (const gateway of [bare, proxied, secure]) await gateway?.close()
})

/** What a browser behind these headers gets for the app that only opens in stores. */
async function opens(gateway: Gateway, headers: Record<string, string>, app = 'till'): Promise<boolean> {
  const browser = createBrowser({ stopAt: CALLBACK, headers })
  const page = await browser.open(appAddress(gateway, app))
  if (page.status === 403) return false
  return atCallback(await typePassword(browser, page, 'sam'))
}

describe('from anybody', () => {
  const LIES: readonly Record<string, string>[] = [
    { 'x-forwarded-for': STORE },
    { 'x-forwarded-for': `${STORE}, 127.0.0.1` },
    { forwarded: `for=${STORE}` },
    { forwarded: `for="${STORE}";proto=https;host=evil.example` },
    { 'x-real-ip': STORE },
    { 'x-client-ip': STORE },
    { 'true-client-ip': STORE },
    { 'cf-connecting-ip': STORE },
    { 'client-ip': STORE },
    { 'x-cluster-client-ip': STORE },
    { x_forwarded_for: STORE },
    { 'x-forwarded-for': '::ffff:203.0.113.5' },
    { via: '1.1 store', 'x-forwarded-for': STORE, 'x-forwarded-proto': 'https' },
  ]

  test.each(LIES)('%j opens no store', async (headers) => {
    expect(await opens(bare, headers)).toBe(false)
  })

  test('what the trail and the account page say is where the connection came from', async () => {
    const browser = createBrowser({
      stopAt: CALLBACK,
      headers: { 'x-forwarded-for': STORE, forwarded: `for=${STORE}` },
    })
    await typePassword(browser, await browser.open(appAddress(bare, 'web')), 'sam')
    const { text } = await browser.open(`${bare.issuer}/account`)
    expect(text).toContain('127.0.0.1')
    expect(text).not.toContain(STORE)
  })
})

describe('from a proxy of ours', () => {
  test.each([
    ['where it says the browser is', { 'x-forwarded-for': STORE }, true],
    ['elsewhere', { 'x-forwarded-for': ELSEWHERE }, false],
    ['elsewhere, with a lie in front', { 'x-forwarded-for': `${STORE}, ${ELSEWHERE}` }, false],
    ['many lies in front', { 'x-forwarded-for': `${`${STORE}, `.repeat(50)}${ELSEWHERE}` }, false],
    ['the standard header', { forwarded: `for=${STORE};proto=https` }, true],
    ['the standard header with a lie in front', { forwarded: `for=${STORE}, for=${ELSEWHERE}` }, false],
    [
      'the standard header from the client, the usual one from the proxy',
      { forwarded: `for=${STORE}`, 'x-forwarded-for': ELSEWHERE },
      false,
    ],
    [
      'the usual header from the client, the standard one from the proxy',
      { forwarded: `for=${ELSEWHERE}`, 'x-forwarded-for': STORE },
      false,
    ],
    ['another spelling of the number', { 'x-forwarded-for': '0313.0.0161.5' }, false],
    ['no address', { 'x-forwarded-for': 'store' }, false],
    ['nothing', { 'x-forwarded-for': '' }, false],
    ['a hidden one', { forwarded: 'for=_hidden' }, false],
    ['an unknown one', { forwarded: 'for=unknown' }, false],
    ['a name', { 'x-forwarded-for': `${STORE}.evil.example` }, false],
    ['an address with words behind it', { 'x-forwarded-for': `${STORE} or 1=1` }, false],
  ] as const)('%s', async (_what, headers, opened) => {
    expect(await opens(proxied, headers)).toBe(opened)
  })
})

describe('what we call ourselves', () => {
  const NAMES: readonly Record<string, string>[] = [
    { host: 'evil.example' },
    { host: 'evil.example:443' },
    { host: 'localhost@evil.example' },
    { host: '' },
    { host: 'evil.example, localhost' },
    { 'x-forwarded-host': 'evil.example' },
    { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.example', 'x-forwarded-port': '443' },
    { 'x-forwarded-proto': 'javascript' },
    { 'x-forwarded-ssl': 'on', 'x-url-scheme': 'https', 'front-end-https': 'on' },
    { forwarded: 'host=evil.example;proto=https' },
    { 'x-forwarded-server': 'evil.example', 'x-host': 'evil.example', 'x-original-host': 'evil.example' },
    { 'x-forwarded-prefix': '/evil.example', 'x-script-name': '/evil.example' },
    { 'x-original-url': '/evil.example', 'x-rewrite-url': '/evil.example' },
    { 'x-http-method-override': 'DELETE', 'x-method-override': 'DELETE' },
  ]
  const ask = (gateway: Gateway) => {
    const port = gateway.server.port
    const credentials = { authorization: `Basic ${btoa(`web:${gateway.secrets.get('web')}`)}` }
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    const authorize = appAddress(gateway, 'web')
    const path = authorize.slice(authorize.indexOf('/oauth2'))
    return [
      (headers: object) => sendRaw(port, { path: '/.well-known/openid-configuration', headers: { ...headers } }),
      (headers: object) => sendRaw(port, { path: '/.well-known/oauth-authorization-server', headers: { ...headers } }),
      (headers: object) => sendRaw(port, { path, headers: { ...headers } }),
      (headers: object) => sendRaw(port, { path: '/oauth2/auth?client_id=nobody', headers: { ...headers } }),
      (headers: object) =>
        sendRaw(port, { path: '/oauth2/userinfo', headers: { authorization: 'Bearer x', ...headers } }),
      (headers: object) => sendRaw(port, { path: '/oauth2/session/end', headers: { ...headers } }),
      (headers: object) => sendRaw(port, { path: '/oauth2/device?user_code=BCDF-GHJK', headers: { ...headers } }),
      (headers: object) =>
        sendRaw(port, {
          method: 'POST',
          path: '/oauth2/device/auth',
          headers: { ...form, ...credentials, ...headers },
          body: 'scope=openid',
        }),
      (headers: object) =>
        sendRaw(port, {
          method: 'POST',
          path: '/oauth2/token',
          headers: { ...form, ...credentials, ...headers },
          body: 'grant_type=x',
        }),
      (headers: object) => sendRaw(port, { path: '/', headers: { ...headers } }),
      (headers: object) => sendRaw(port, { path: '/signin?return=/account', headers: { ...headers } }),
      (headers: object) => sendRaw(port, { path: '/signout', headers: { ...headers } }),
      (headers: object) => sendRaw(port, { path: '/nothing', headers: { ...headers } }),
    ]
  }
  const everyAddress = ({ headers, body }: RawAnswer): string[] => [
    ...(headers['location'] ? [headers['location']] : []),
    ...[...body.matchAll(/https?:\/\/[^\s"'<>&\\]+/g)].map(([address]) => address),
  ]

  test.each(NAMES)('%j changes no address in any answer', async (headers) => {
    for (const gateway of [bare, proxied, secure]) {
      const issuer = gateway === secure ? ISSUER : gateway.issuer
      for (const send of ask(gateway)) {
        const answer = await send(headers)
        // a request without a host is no request (RFC 9112 §3.2)
        if (headers['host'] === '' && answer.status === 400) continue
        expect(answer.status).toBeLessThan(500)
        expect(answer.body + JSON.stringify(answer.headers)).not.toContain('evil.example')
        for (const address of everyAddress(answer)) {
          if (/^https?:\/\/www\.w3\.org\//.test(address)) continue
          expect(address.startsWith('/') || address.startsWith(issuer), address).toBe(true)
        }
      }
    }
  })

  test('the discovery document names the issuer and nothing else', async () => {
    for (const [gateway, issuer] of [
      [bare, bare.issuer],
      [secure, ISSUER],
    ] as const) {
      const { body } = await sendRaw(gateway.server.port, {
        path: '/.well-known/openid-configuration',
        headers: { host: 'evil.example', 'x-forwarded-proto': 'http' },
      })
      const document = JSON.parse(body) as Record<string, unknown>
      expect(document['issuer']).toBe(issuer)
      const endpoints = Object.entries(document).filter(([name]) => /_endpoint$|_uri$/.test(name))
      expect(endpoints.length).toBeGreaterThan(7)
      for (const [, address] of endpoints) expect(String(address).startsWith(`${issuer}/`)).toBe(true)
    }
  })
})

describe('cookies', () => {
  /** Signs in over plain HTTP on the loopback address, as a proxy that ends TLS does it; answers all Set-Cookie lines. */
  async function allCookies(gateway: Gateway, headers: Record<string, string>) {
    const jar = new Map<string, string>()
    const lines: string[] = []
    const send = async (path: string, form?: Record<string, string>) => {
      const answer = await sendRaw(gateway.server.port, {
        method: form ? 'POST' : 'GET',
        path,
        headers: {
          ...headers,
          cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; '),
          ...(form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
        },
        ...(form ? { body: new URLSearchParams(form).toString() } : {}),
      })
      for (const line of answer.headers['set-cookie']?.split('\n') ?? []) {
        lines.push(line)
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
        jar.set(name, value)
      }
      return answer
    }
    const authorize = appAddress(gateway, 'web')
    const begun = await send(authorize.slice(authorize.indexOf('/oauth2')))
    const errand = begun.headers['location']!
    await send(errand)
    await send(errand, { step: 'identifier', username: 'sam' })
    const resume = await send(errand, { step: 'password', password: PASSWORD })
    const done = await send(resume.headers['location']!)
    expect(done.headers['location']).toMatch(/^http:\/\/localhost:9\/callback\?code=/)
    await send('/oauth2/device')
    await send('/?lang=nl')
    return { lines, jar, send }
  }

  test('over https all are Secure and HttpOnly, and ours have the __Host- prefix, whatever a proxy says', async () => {
    for (const headers of [
      {},
      { 'x-forwarded-proto': 'http' },
      { 'x-forwarded-proto': 'https' },
      { host: 'evil.example' },
    ]) {
      const { lines, jar } = await allCookies(secure, headers)
      expect([...jar.keys()]).toEqual(expect.arrayContaining(['__Host-portico-session', '__Host-portico-device']))
      for (const line of lines) {
        expect(line).toMatch(/; secure/i)
        expect(line).toMatch(/; httponly/i)
        expect(line).toMatch(/; samesite=lax/i)
        expect(line).not.toMatch(/; domain=/i)
        expect(line).toMatch(/^__(Host|Secure)-/)
        if (line.startsWith('__Host-')) expect(line).toMatch(/; path=\/;/i)
      }
    }
  })

  test('over https a cookie without the prefix, which a sibling host could set, is not believed', async () => {
    const { jar, send } = await allCookies(secure, {})
    expect((await send('/account')).status).toBe(200)
    const value = jar.get('__Host-portico-session')!
    jar.delete('__Host-portico-session')
    for (const name of [
      'portico-session',
      '__Secure-portico-session',
      '__host-portico-session',
      '__Host-portico-session\u00a0',
      '\u00a0__Host-portico-session',
    ]) {
      jar.set(name, value)
      expect((await send('/account')).status, name).toBe(303)
      jar.delete(name)
    }
    // two of one name: one of them is not from us
    const twice = await sendRaw(secure.server.port, {
      path: '/account',
      headers: { cookie: `__Host-portico-session=${value}; __Host-portico-session=x` },
    })
    expect(twice.status).toBe(303)
  })

  test('over https every answer says so (RFC 6797)', async () => {
    for (const path of [
      '/',
      '/nothing',
      '/oauth2/jwks',
      '/oauth2/auth',
      '/.well-known/openid-configuration',
      '/signin',
    ]) {
      const { headers } = await sendRaw(secure.server.port, { path })
      expect(headers['strict-transport-security'], path).toMatch(/max-age=\d{7,}/)
    }
  })

  test('over http on the loopback address none is Secure, whatever anybody says', async () => {
    for (const gateway of [bare, proxied]) {
      const { lines } = await allCookies(gateway, { 'x-forwarded-proto': 'https' })
      expect(lines.length).toBeGreaterThan(3)
      for (const line of lines) {
        expect(line).not.toMatch(/; secure/i)
        expect(line).toMatch(/; httponly/i)
        expect(line).toMatch(/; samesite=lax/i)
        expect(line).not.toMatch(/; domain=/i)
      }
    }
  })
})

test('a client whose headers disagree, or cannot be read, is nowhere: not where the proxy stands', async () => {
  expect(await opens(proxied, {}, 'console')).toBe(true)
  for (const headers of [
    { 'x-forwarded-for': ELSEWHERE },
    { 'x-forwarded-for': ELSEWHERE, forwarded: 'for=192.0.2.99' },
    { 'x-forwarded-for': ELSEWHERE, forwarded: 'for=127.0.0.1' },
    { 'x-forwarded-for': ELSEWHERE, forwarded: '' },
    { 'x-forwarded-for': 'unknown' },
  ])
    for (const app of ['console', 'guests'])
      expect(await opens(proxied, headers as Record<string, string>, app), JSON.stringify([headers, app])).toBe(false)
  expect(await opens(proxied, { 'x-forwarded-for': STORE }, 'guests')).toBe(true)
})
