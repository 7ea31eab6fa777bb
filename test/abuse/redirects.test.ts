/** Addresses to send a browser to: only those that were registered, to the letter (RFC 9700 §4.1.3). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser, formOf } from '../../demo/browser.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { sendRaw } from '../support/raw.ts'
import { relyingParty, signIn } from '../support/relying-party.ts'

const GOOD = 'https://app.example.com/callback'
const LOOPBACK = 'http://localhost:9/callback'
const NATIVE = 'com.example.app:/callback'
const ITS_PAGE = 'https://native.example/callback'
const CHALLENGE = { code_challenge: 'a'.repeat(43), code_challenge_method: 'S256' }

/** Each is `GOOD` with one thing different, or something else altogether. */
const CORPUS: readonly string[] = [
  // the authority
  'https://app.example.com@evil.example/callback',
  'https://app.example.com:443@evil.example/callback',
  'https://evil.example@app.example.com/callback',
  'https://a@b@app.example.com/callback',
  'https://app.example.com%40evil.example/callback',
  'https://evil.example#@app.example.com/callback',
  'https://evil.example?@app.example.com/callback',
  'https://evil.example\\@app.example.com/callback',
  'https://evil.example\\.app.example.com/callback',
  'https://evil.example/app.example.com/callback',
  'https://app.example.com.evil.example/callback',
  'https://evilapp.example.com/callback',
  'https://evil-app.example.com/callback',
  'https://xapp.example.com/callback',
  'https://example.com/callback',
  'https://sub.app.example.com/callback',
  'https://app.example.com./callback',
  'https://app.example.com:8443/callback',
  'https://app.example.com:443/callback',
  'https://app.example.com:0443/callback',
  'https://app.example.com:/callback',
  'https://app.example.com:80/callback',
  'https://app.example.com:99999/callback',
  'https://APP.example.com/callback',
  'https://app.example.com\u0000.evil.example/callback',
  'https://аpp.example.com/callback', // Cyrillic а
  'https://app。example.com/callback', // ideographic full stop
  'https://\uff41pp.example.com/callback', // full width
  'https://xn--pp-7cd.example.com/callback',
  'https://app.example.com\u200b/callback',
  'https://[::1]/callback',
  'https://2130706433/callback',
  // the path
  'https://app.example.com/callback/',
  'https://app.example.com/callback/../evil',
  'https://app.example.com/x/../callback',
  'https://app.example.com/./callback',
  'https://app.example.com//callback',
  'https://app.example.com/callback//evil.example',
  'https://app.example.com/callback%2f..%2fevil',
  'https://app.example.com/callback/%2e%2e/evil',
  'https://app.example.com/%63allback',
  'https://app.example.com/callback%00',
  'https://app.example.com/callback%0d%0aLocation:%20https://evil.example',
  'https://app.example.com/callback;jsessionid=1',
  'https://app.example.com/callback;/../evil',
  'https://app.example.com\\callback',
  'https://app.example.com/\\evil.example/callback',
  'https://app.example.com/Callback',
  'https://app.example.com/callbackx',
  'https://app.example.com/callbac',
  'https://app.example.com/',
  'https://app.example.com',
  'https://app.example.com/callback.evil.example',
  'https://app.example.com/*',
  '*',
  // query and fragment
  'https://app.example.com/callback?',
  'https://app.example.com/callback?x=y',
  'https://app.example.com/callback?next=https://evil.example',
  'https://app.example.com/callback#',
  'https://app.example.com/callback#https://evil.example',
  'https://app.example.com/callback&redirect_uri=https://evil.example',
  // the scheme
  'http://app.example.com/callback',
  'HTTPS://app.example.com/callback',
  'https:app.example.com/callback',
  'https:/app.example.com/callback',
  'https:///app.example.com/callback',
  '//app.example.com/callback',
  '//evil.example',
  '/callback',
  '/\\evil.example',
  'callback',
  'javascript:alert(1)//https://app.example.com/callback',
  'javascript://app.example.com/callback%0aalert(1)',
  'jAvAsCrIpT:alert(1)',
  '\u0001javascript:alert(1)',
  'java\tscript:alert(1)',
  'data:text/html,<script>alert(1)</script>',
  'vbscript:msgbox(1)',
  'file:///etc/passwd',
  'blob:https://app.example.com/callback',
  'about:blank',
  'ftp://app.example.com/callback',
  'ws://app.example.com/callback',
  'urn:ietf:wg:oauth:2.0:oob',
  'com.evil.app:/callback',
  'com.example.app://callback',
  // around it
  ' https://app.example.com/callback',
  'https://app.example.com/callback ',
  '\thttps://app.example.com/callback',
  'https://app.example.com/call\nback',
  'https://app.example.com/callback\r\nSet-Cookie: x=y',
  'https://app.example.com/callback,https://evil.example',
  `${GOOD} ${LOOPBACK}`,
  '__proto__',
  'undefined',
  'null',
  `https://app.example.com/callback${'a'.repeat(4000)}`,
  // loopback and the app's own scheme are compared as exactly
  'http://localhost:10/callback',
  'http://localhost/callback',
  'http://127.0.0.1:9/callback',
  'http://[::1]:9/callback',
  'http://localhost.evil.example:9/callback',
  'https://localhost:9/callback',
  'com.example.app:/callback/evil',
  'com.example.app.evil:/callback',
]

let gateway: Gateway
/** Of a browser that is signed in, so that nothing but the address stands in the way of a code. */
let cookie: string
let idToken: string

beforeAll(async () => {
  gateway = await startGateway({
    policies: POLICIES,
    people: [{ username: 'sam', name: 'Sam', groups: ['staff'] }],
    apps: [
      {
        id: 'web',
        policy: 'plain',
        audience: ['staff'],
        oidc: { redirect_uris: [GOOD, LOOPBACK], post_logout_redirect_uris: [GOOD, LOOPBACK], scopes: ['openid'] },
      },
      {
        id: 'native',
        policy: 'plain',
        audience: ['staff'],
        oidc: { redirect_uris: [NATIVE, ITS_PAGE], scopes: ['openid'], token_endpoint_auth_method: 'none' },
      },
    ],
  })
  const browser = createBrowser({ stopAt: LOOPBACK })
  const { tokens } = await signIn(browser, await relyingParty(gateway, 'web'), 'sam', {
    redirect_uri: LOOPBACK,
    scope: 'openid',
  })
  idToken = tokens.id_token!
  cookie = `portico-session=${browser.jar.get('portico-session')}`
})
afterAll(() => gateway.close())

const get = (path: string, parameters: Record<string, string>) =>
  sendRaw(gateway.server.port, {
    path: `${path}?${new URLSearchParams(parameters)}`,
    headers: { cookie, accept: 'text/html' },
  })
const request = (client: string, redirectUri: string) =>
  new URLSearchParams({
    client_id: client,
    response_type: 'code',
    scope: 'openid',
    state: 'x',
    redirect_uri: redirectUri,
    ...CHALLENGE,
  })
const authorize = (client: string, redirectUri: string) =>
  get('/oauth2/auth', Object.fromEntries(request(client, redirectUri)))

/** Nothing in the answer lets a browser go anywhere but to us. */
function staysHere({ status, headers, body }: Awaited<ReturnType<typeof get>>, asked: string): void {
  expect(status).toBeGreaterThanOrEqual(400)
  expect(status).toBeLessThan(500)
  expect(headers['location']).toBeUndefined()
  expect(headers['refresh']).toBeUndefined()
  expect(headers['set-cookie'] ?? '').not.toContain('x=y')
  expect(headers['content-security-policy']).toMatch(/form-action 'self'(;|$)/)
  const links = [...body.matchAll(/(?:href|action|src|content)="([^"]*)"/g)].map(([, link = '']) => link)
  for (const link of links) expect(link === asked || link.includes('evil'), link).toBe(false)
}

describe('redirect_uri', () => {
  test('the registered ones get a code, so the test can fail', async () => {
    for (const uri of [GOOD, LOOPBACK]) {
      const { status, headers } = await authorize('web', uri)
      expect(status).toBe(303)
      expect(headers['location']!.startsWith(`${uri}?code=`)).toBe(true)
    }
    // any program can take an app's own scheme, so the person is asked each time (RFC 8252 §8.6)
    const browser = createBrowser({ stopAt: NATIVE })
    browser.jar.set('portico-session', cookie.slice('portico-session='.length))
    const asked = await browser.open(`${gateway.issuer}/oauth2/auth?${request('native', NATIVE)}`)
    const page = await browser.submit(formOf(asked, 'consent'), { answer: 'allow' })
    expect(page.url.href.startsWith(`${NATIVE}?code=`)).toBe(true)
  })

  test('an app that has a scheme of its own is not asked about at its web address', async () => {
    const { status, headers } = await authorize('native', ITS_PAGE)
    expect(status).toBe(303)
    expect(headers['location']!.startsWith(`${ITS_PAGE}?code=`)).toBe(true)
  })

  test.each(CORPUS)('%j is refused on our own page', async (uri) => {
    staysHere(await authorize('web', uri), uri)
    staysHere(await authorize('native', uri), uri)
  })

  test('the address of another app is refused', async () => {
    staysHere(await authorize('native', GOOD), GOOD)
    staysHere(await authorize('web', NATIVE), NATIVE)
  })

  test('none at all, or two, are refused', async () => {
    const query = `client_id=web&response_type=code&scope=openid&code_challenge=${'a'.repeat(43)}&code_challenge_method=S256`
    const both = `redirect_uri=${encodeURIComponent(GOOD)}&redirect_uri=${encodeURIComponent('https://evil.example')}`
    for (const path of [`/oauth2/auth?${query}`, `/oauth2/auth?${query}&${both}`])
      staysHere(await sendRaw(gateway.server.port, { path, headers: { cookie, accept: 'text/html' } }), '')
  })

  test('an unknown app, or one without sign-in, is refused', async () => {
    for (const client of ['nobody', '__proto__', 'web ', 'WEB', 'web\u0000', ''])
      staysHere(await authorize(client, GOOD), '')
  })

  test('an error never goes to an address that was not registered', async () => {
    for (const more of [{ response_type: 'token' }, { scope: '' }, { prompt: 'none login' }, { response_mode: 'x' }]) {
      const parameters = { client_id: 'web', response_type: 'code', scope: 'openid', ...CHALLENGE, ...more }
      staysHere(await get('/oauth2/auth', { ...parameters, redirect_uri: 'https://evil.example/' }), '')
    }
  })

  test('the response modes do not widen it', async () => {
    for (const response_mode of ['query', 'fragment', 'form_post', 'web_message', 'jwt']) {
      const answer = await get('/oauth2/auth', {
        client_id: 'web',
        response_type: 'code',
        scope: 'openid',
        response_mode,
        redirect_uri: 'https://evil.example/',
        ...CHALLENGE,
      })
      expect(answer.headers['location']).toBeUndefined()
      expect(answer.body).not.toContain('evil.example')
    }
  })

  test('pushed requests are held to the same (RFC 9126 §2.3)', async () => {
    const push = (uri: string) =>
      sendRaw(gateway.server.port, {
        method: 'POST',
        path: '/oauth2/request',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          authorization: `Basic ${btoa(`web:${gateway.secrets.get('web')}`)}`,
        },
        body: request('web', uri).toString(),
      })
    expect((await push(GOOD)).status).toBe(201)
    for (const uri of CORPUS) {
      const { status, body } = await push(uri)
      expect(status, uri).toBe(400)
      expect(JSON.parse(body).error, uri).toMatch(/^invalid_/)
    }
  })
})

describe('post_logout_redirect_uri', () => {
  const end = (uri: string, more: Record<string, string>) =>
    get('/oauth2/session/end', { post_logout_redirect_uri: uri, ...more })

  test('the registered ones are taken, so the test can fail', async () => {
    const { status, headers } = await end(GOOD, { client_id: 'web' })
    expect(status).toBe(200)
    expect(headers['content-security-policy']).toContain("form-action 'self' https://app.example.com")
  })

  test.each(CORPUS)('%j is refused', async (uri) => {
    staysHere(await end(uri, { client_id: 'web' }), uri)
    staysHere(await end(uri, { id_token_hint: idToken }), uri)
  })

  test('without an app nobody is sent anywhere', async () => {
    const { status, headers, body } = await end(GOOD, {})
    expect(status).toBe(200)
    expect(headers['content-security-policy']).toMatch(/form-action 'self'(;|$)/)
    expect(body).not.toContain('app.example.com')
  })

  test('signing out asks first, whoever sent the browser', async () => {
    const { body } = await end(GOOD, { client_id: 'web' })
    expect(body).toContain('name="logout"')
    const { status } = await sendRaw(gateway.server.port, { path: '/account', headers: { cookie } })
    expect(status).toBe(200)
  })
})

describe('return addresses of our own pages', () => {
  const ELSEWHERE = [
    ...CORPUS,
    '///evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    '/%0a/evil.example/..//evil.example',
    '/%5cevil.example',
    '/.//evil.example',
    '/..//evil.example',
    '/x/..//evil.example',
    '/@evil.example',
    '\\/evil.example',
    '\\\\evil.example',
    'https:evil.example',
    'http:/evil.example',
    '/\u2028/evil.example',
    '/﹒evil.example',
  ]

  test.each(ELSEWHERE)('/signin?return=%j leads nowhere else', async (to) => {
    // signed in already: the conversation ends at once and goes back to where it came from
    const hops: string[] = []
    let at = `${gateway.issuer}/signin?return=${encodeURIComponent(to.toWellFormed())}`
    const jar = new Map([['portico-session', cookie.slice('portico-session='.length)]])
    for (let i = 0; i < 3; i++) {
      const response = await fetch(at, {
        redirect: 'manual',
        headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      })
      for (const line of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
        jar.set(name, value)
      }
      const location = response.headers.get('location')
      if (location === null) break
      hops.push(location)
      at = new URL(location, at).href
      expect(new URL(at).origin, hops.join(' -> ')).toBe(gateway.issuer)
    }
    expect(hops.length).toBeGreaterThan(0)
  })

  test('a path of ours is gone to, so the test can fail', async () => {
    const begun = await sendRaw(gateway.server.port, { path: '/signin?return=/account', headers: { cookie } })
    const { headers } = await sendRaw(gateway.server.port, { path: begun.headers['location']!, headers: { cookie } })
    expect(headers['location']).toBe('/account')
  })

  test('the address of a conversation that is over leads to the registered page of its app, or to ours', async () => {
    for (const app of ['web', 'nobody', 'https://evil.example', '//evil.example', '__proto__']) {
      const { status, headers, body } = await sendRaw(gateway.server.port, {
        path: `/signin/aaaaaaaaaaaaaaaaaaaaaa?app=${encodeURIComponent(app)}`,
      })
      expect(status).toBe(400)
      expect(headers['location']).toBeUndefined()
      expect(body).not.toContain('evil.example')
    }
  })
})
