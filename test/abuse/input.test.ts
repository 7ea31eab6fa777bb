/** Bad input at every public address: always a clear refusal in the protocol's form, never a 5xx, a stack or a path. */
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { exchange, type RawAnswer, type RawRequest, sendRaw } from '../support/raw.ts'
import { CALLBACK } from '../support/relying-party.ts'

type Headers = Record<string, string>
interface Endpoint {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: string
  /** By whom: an app with its secret, somebody signed in, or nobody. */
  readonly as?: 'app' | 'person'
}

let gateway: Gateway
let credentials: Headers
let cookies: Headers
/** Conversations of the person's browser: at the user name, and at the password. */
let errands: { readonly name: string; readonly password: string }
let everything: Endpoint[]

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const BROWSER = `portico-browser=${'b'.repeat(43)}`
const REQUEST = new URLSearchParams({
  client_id: 'web',
  response_type: 'code',
  scope: 'openid',
  redirect_uri: CALLBACK,
  state: 'x',
  code_challenge: 'a'.repeat(43),
  code_challenge_method: 'S256',
}).toString()

beforeAll(async () => {
  gateway = await startGateway({
    policies: POLICIES,
    people: [{ username: 'sam', name: 'Sam', groups: ['staff'] }],
    apps: [
      {
        id: 'web',
        policy: 'plain',
        audience: ['staff'],
        oidc: {
          redirect_uris: [CALLBACK],
          post_logout_redirect_uris: [CALLBACK],
          scopes: ['openid', 'offline_access'],
          grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
        },
      },
    ],
  })
  credentials = { authorization: `Basic ${btoa(`web:${gateway.secrets.get('web')}`)}` }
  const begin = async () =>
    (await sendRaw(gateway.server.port, { path: '/signin', headers: { cookie: BROWSER } })).headers['location']!
  errands = { name: await begin(), password: await begin() }
  await sendRaw(gateway.server.port, {
    method: 'POST',
    path: errands.password,
    headers: { ...FORM, cookie: BROWSER },
    body: 'step=identifier&username=sam',
  })
  everything = endpoints()
})
afterAll(() => gateway.close())

// some attacks sign out, as they have to
beforeEach(async () => {
  const { sessions } = gateway.server.house
  const proof = { factor: 'password', at: Date.now(), amr: ['pwd'] } as const
  const { cookie } = await sessions.start({ personId: gateway.ids.get('sam')!, proofs: [proof], address: '127.0.0.1' })
  cookies = { cookie: `${sessions.cookieName}=${cookie}; ${BROWSER}` }
})

const endpoints = (): Endpoint[] => [
  { method: 'GET', path: `/oauth2/auth?${REQUEST}` },
  { method: 'GET', path: `/oauth2/auth?${REQUEST}`, as: 'person' },
  { method: 'POST', path: '/oauth2/auth', body: REQUEST },
  { method: 'GET', path: '/oauth2/auth/aaaaaaaaaaaaaaaaaaaaaa', as: 'person' },
  {
    method: 'POST',
    path: '/oauth2/token',
    body: `grant_type=authorization_code&code=x&redirect_uri=${CALLBACK}`,
    as: 'app',
  },
  { method: 'POST', path: '/oauth2/token', body: 'grant_type=refresh_token&refresh_token=x', as: 'app' },
  { method: 'GET', path: '/oauth2/userinfo' },
  { method: 'POST', path: '/oauth2/userinfo', body: 'access_token=x' },
  { method: 'POST', path: '/oauth2/introspection', body: 'token=x', as: 'app' },
  { method: 'POST', path: '/oauth2/revocation', body: 'token=x', as: 'app' },
  { method: 'POST', path: '/oauth2/request', body: REQUEST, as: 'app' },
  { method: 'POST', path: '/oauth2/device/auth', body: 'scope=openid', as: 'app' },
  { method: 'GET', path: '/oauth2/device' },
  { method: 'POST', path: '/oauth2/device', body: 'step=device-code&user_code=BCDF-GHJK' },
  { method: 'POST', path: '/oauth2/device', body: 'step=device-code&user_code=BCDF-GHJK&xsrf=x', as: 'person' },
  { method: 'GET', path: '/oauth2/device/aaaaaaaaaaaaaaaaaaaaaa' },
  { method: 'GET', path: '/oauth2/jwks' },
  { method: 'GET', path: '/.well-known/openid-configuration' },
  { method: 'GET', path: '/oauth2/session/end' },
  { method: 'GET', path: `/oauth2/session/end?client_id=web&post_logout_redirect_uri=${CALLBACK}`, as: 'person' },
  { method: 'POST', path: '/oauth2/session/end', body: 'client_id=web' },
  { method: 'POST', path: '/oauth2/session/end/confirm', body: 'xsrf=x&logout=yes', as: 'person' },
  { method: 'GET', path: '/oauth2/session/end/success' },
  { method: 'GET', path: '/signin' },
  { method: 'GET', path: '/signin/aaaaaaaaaaaaaaaaaaaaaa' },
  { method: 'GET', path: errands.name },
  { method: 'POST', path: errands.name, body: 'step=identifier&username=' },
  { method: 'POST', path: errands.name, body: 'step=identifier&credential=%7B%7D' },
  { method: 'POST', path: errands.password, body: 'step=choice&way=totp' },
  { method: 'GET', path: '/', as: 'person' },
  { method: 'GET', path: '/account', as: 'person' },
  { method: 'GET', path: '/account/passkeys/new', as: 'person' },
  { method: 'POST', path: '/account/passkeys/new', body: 'step=enrol-passkey&credential=%7B%7D', as: 'person' },
  { method: 'POST', path: '/account/totp/new', body: 'step=enrol-totp&code=123456', as: 'person' },
  { method: 'POST', path: '/account/factors/x/remove', body: '', as: 'person' },
  { method: 'POST', path: '/account/sessions/x/end', body: '', as: 'person' },
  { method: 'POST', path: '/account/devices/x/forget', body: '', as: 'person' },
  { method: 'POST', path: '/account/consents/web/withdraw', body: '', as: 'person' },
  { method: 'GET', path: '/why/AAAA-AAAA', as: 'person' },
  { method: 'GET', path: '/signout' },
  { method: 'POST', path: '/signout', body: 'answer=deny', as: 'person' },
  { method: 'GET', path: '/device' },
  { method: 'GET', path: '/device/7K4Q-92MD-X3F8' },
  { method: 'POST', path: '/device', body: 'code=7K4Q-92MD-X3F8' },
  { method: 'GET', path: '/claim/aaaa' },
  { method: 'POST', path: '/claim/aaaa', body: 'username=root' },
  { method: 'GET', path: '/nothing' },
]

const senderOf = ({ as }: Endpoint): Headers =>
  as === 'app' ? credentials : as === 'person' ? cookies : { cookie: BROWSER }
const plain = (endpoint: Endpoint): RawRequest => ({
  method: endpoint.method,
  path: endpoint.path,
  headers: { ...senderOf(endpoint), ...(endpoint.body === undefined ? {} : FORM) },
  ...(endpoint.body === undefined ? {} : { body: endpoint.body }),
})
const asking =
  (more: string) =>
  (endpoint: Endpoint): RawRequest => ({
    ...plain(endpoint),
    path: `${endpoint.path}${endpoint.path.includes('?') ? '&' : '?'}${more}`,
  })
const saying =
  (change: (body: string) => string | Buffer, headers: Headers = {}) =>
  (endpoint: Endpoint): RawRequest => ({
    method: endpoint.method,
    path: endpoint.path,
    headers: { ...senderOf(endpoint), ...FORM, ...headers },
    body: change(endpoint.body ?? 'a=b'),
  })
const with_ = (headers: Headers) => (endpoint: Endpoint) => {
  const request = plain(endpoint)
  return { ...request, headers: { ...request.headers, ...headers } }
}

const DEEP = `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`
const PROTOTYPE = '__proto__=1&constructor=1&prototype=1&toString=1&hasOwnProperty=1&__proto__%5Bx%5D=1'
const bytes = (...list: number[]) => Buffer.from(list)

const ATTACKS: Readonly<Record<string, (endpoint: Endpoint) => RawRequest>> = {
  'as it is': plain,
  'percent signs without digits': asking('a=%zz%&%=%'),
  'a query that is not UTF-8': asking('a=%ff%fe&client_id=%c3&redirect_uri=%ff&return=%ff&lang=%ff'),
  'NUL and control characters in the query': asking('x=%00&login_hint=%0d%0aSet-Cookie:x=y&lang=%00&app=%00'),
  'parameters twice': asking(
    'client_id=web&client_id=web&scope=a&scope=b&lang=en&lang=nl&app=web&app=x&return=a&return=b',
  ),
  'arrays in the query': asking('client_id[]=web&scope[a]=x&return[]=/&app[]=web&redirect_uri[]=x'),
  'names of prototypes in the query': asking(PROTOTYPE),
  '3,000 parameters in the query': asking(Array.from({ length: 3000 }, (_, i) => `p${i}`).join('&')),
  'an address of 20 KB': asking(`x=${'y'.repeat(20_000)}`),
  'a body that is not UTF-8': saying((body) =>
    Buffer.concat([Buffer.from(`${body}&a=`), bytes(0xff, 0xfe, 0xc3, 0x28)]),
  ),
  'NUL and control characters in the body': saying((body) => `${body}&x=\0&y=%00%01%0d%0a&username=%00&code=%00`),
  'every field twice': saying((body) => `${body}&${body}`),
  'arrays in the body': saying((body) => `${body.replaceAll('=', '%5B%5D=')}&client_id[]=web`),
  'names of prototypes in the body': saying((body) => `${body}&${PROTOTYPE}`),
  'only names of prototypes': saying(() => PROTOTYPE),
  'no body': saying(() => ''),
  'a body of 1 MB': saying((body) => `${body}&x=${'y'.repeat(1 << 20)}`),
  '10,000 fields': saying((body) => `${body}&${Array.from({ length: 10_000 }, (_, i) => `p${i}=1`).join('&')}`),
  'JSON, nested 20,000 times': saying(() => DEEP, { 'content-type': 'application/json' }),
  'JSON with a prototype': saying(() => '{"__proto__":{"admin":true}}', { 'content-type': 'application/json' }),
  'plain text': saying((body) => body, { 'content-type': 'text/plain' }),
  'several parts': saying(() => '--x\r\n\r\n--x--', { 'content-type': 'multipart/form-data; boundary=x' }),
  'a content type that is none': saying((body) => body, { 'content-type': '\xff;;=' }),
  'another character set': saying((body) => body, { 'content-type': `${FORM['content-type']}; charset=utf-16` }),
  'a body said to be compressed': saying((body) => body, { 'content-encoding': 'gzip' }),
  'a negative length': saying((body) => body, { 'content-length': '-1' }),
  'two lengths': saying((body) => body, { 'content-length': '3\r\ncontent-length: 4' }),
  'length and chunks': saying((body) => body, { 'transfer-encoding': 'chunked' }),
  'headers of 40 KB': with_({ 'x-long': 'y'.repeat(40_000) }),
  '2,500 headers': with_(Object.fromEntries(Array.from({ length: 2500 }, (_, i) => [`x-${i}`, '']))),
  'cookies that are nonsense': with_({
    cookie:
      'portico-session=%00; portico-engine=__proto__; portico-interaction=../..; portico-resume=constructor; portico-browser=; lang=__proto__; portico-device=.;;=;=x',
  }),
  'every cookie twice': with_({
    cookie: 'portico-session=a; portico-session=b; portico-engine=a; portico-engine=b; lang=en; lang=nl',
  }),
  'a Basic header that is not base64': with_({ authorization: 'Basic %%%' }),
  'a Basic header with broken percent signs': with_({ authorization: `Basic ${btoa('%zz:%ff')}` }),
  'a Basic header with NUL': with_({ authorization: `Basic ${btoa('\0:\0')}` }),
  'a bearer token of 8 KB': with_({ authorization: `Bearer ${'x'.repeat(8192)}` }),
  'a scheme nobody knows': with_({ authorization: 'Negotiate __proto__' }),
  'a language that is none': with_({ 'accept-language': '__proto__,*;q=x,'.repeat(300) }),
  'what it wants said with nonsense': with_({ accept: ';;;=,*/,\xff' }),
  'a user agent of nonsense': with_({ 'user-agent': '<script>\xff\xfe(((((((((' }),
  'a slash at the end': (endpoint) => ({ ...plain(endpoint), path: endpoint.path.replace(/(\?|$)/, '/$1') }),
  'upper case': (endpoint) => ({
    ...plain(endpoint),
    path: endpoint.path.replace(/^[^?]*/, (path) => path.toUpperCase()),
  }),
  'a dot segment': (endpoint) => ({ ...plain(endpoint), path: `/x/..${endpoint.path}` }),
  'slashes and dots encoded': (endpoint) => ({
    ...plain(endpoint),
    path: endpoint.path.replace(/^\/[^/?]*/, '$&%2f..%2f%5c%00'),
  }),
  'a backslash before it': (endpoint) => ({ ...plain(endpoint), path: `/\\evil.example${endpoint.path}` }),
  ...Object.fromEntries(
    ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'get'].map((method) => [
      `method ${method}`,
      (endpoint: Endpoint): RawRequest => ({ ...plain(endpoint), method }),
    ]),
  ),
}

/** What no stranger may read: stacks, files, drivers, classes of errors. */
const INSIDES =
  /\n\s+at \S|\bnode:|node_modules|\.ts\b|\/tmp\/|\/work\/|sqlite|kysely|SQLITE|(?:Type|Range|Reference|Syntax|Assertion)Error|Internal Server Error|\[object /

function judge(answer: RawAnswer, method: string): string | undefined {
  const { status, headers, body } = answer
  // a server that cannot make out a request at all may hang up
  if (status === 0) return 'no answer'
  if (status >= 500) return `status ${status}`
  if (INSIDES.test(body.replace(/<style[\s\S]*?<\/style>/, ''))) return `tells insides: ${body.slice(0, 300)}`
  if (INSIDES.test(JSON.stringify(headers))) return `tells insides: ${JSON.stringify(headers)}`
  // what the parser refuses gets a bare status line
  if (status === 431 || (status === 400 && headers['connection'] === 'close' && body === '')) return undefined
  if (headers['x-content-type-options'] !== 'nosniff') return 'no nosniff'
  const page = /^text\/html/.test(headers['content-type'] ?? '')
  if (page && !/default-src 'none'.*frame-ancestors 'none'/.test(headers['content-security-policy'] ?? ''))
    return 'no CSP'
  if ((page || headers['set-cookie'] || status === 303) && headers['cache-control'] !== 'no-store')
    return 'may be stored'
  if (status >= 400 && method !== 'HEAD' && body === '' && status !== 414 && status !== 400) return 'says nothing'
  return undefined
}

describe('every address', () => {
  test.each(Object.entries(ATTACKS))('%s', async (_name, attack) => {
    const problems: string[] = []
    for (const endpoint of everything) {
      const request = attack(endpoint)
      const answer = await sendRaw(gateway.server.port, request)
      const problem = judge(answer, request.method ?? 'GET')
      if (problem) problems.push(`${endpoint.method} ${endpoint.path.slice(0, 60)} (${answer.status}): ${problem}`)
    }
    expect(problems).toEqual([])
  })

  test('nothing of it was our own mistake', () => {
    const failures = gateway
      .log()
      .split('\n')
      .filter((line) => line.includes('"level":"error"'))
    expect(failures).toEqual([])
  })
})

describe('what a wrong request is told', () => {
  const send = (request: RawRequest) => sendRaw(gateway.server.port, request)
  const token = (body: string | Buffer, headers: Headers = {}) =>
    send({ method: 'POST', path: '/oauth2/token', headers: { ...FORM, ...credentials, ...headers }, body })

  test.each([
    ['no grant type', 'code=x'],
    ['an unknown grant type', 'grant_type=password&username=sam&password=x'],
    ['a parameter twice', 'grant_type=refresh_token&refresh_token=x&refresh_token=y'],
    ['a code of 100 KB', `grant_type=authorization_code&code=${'x'.repeat(100_000)}`],
    ['a code with NUL', 'grant_type=authorization_code&code=%00&redirect_uri=x'],
    ['a code that is a name of a prototype', 'grant_type=authorization_code&code=__proto__&redirect_uri=x'],
  ])('the token endpoint answers %s with an error of RFC 6749 §5.2', async (_what, body) => {
    const { status, headers, body: said } = await token(body)
    expect(status).toBe(400)
    expect(headers['content-type']).toMatch(/^application\/json/)
    expect(headers['cache-control']).toBe('no-store')
    expect(JSON.parse(said)).toMatchObject({ error: expect.stringMatching(/^(invalid_|unsupported_|unauthorized_)/) })
  })

  test('a wrong client gets 401 and a challenge', async () => {
    const { status, headers } = await token('grant_type=authorization_code&code=x', {
      authorization: `Basic ${btoa('web:no')}`,
    })
    expect(status).toBe(401)
    expect(headers['www-authenticate']).toMatch(/^Basic /)
  })

  test('a wrong access token gets 401 and a challenge (RFC 6750 §3)', async () => {
    const { status, headers } = await send({ path: '/oauth2/userinfo', headers: { authorization: 'Bearer nonsense' } })
    expect(status).toBe(401)
    expect(headers['www-authenticate']).toMatch(/^Bearer .*error="invalid_token"/)
  })

  test.each([
    [413, { body: `a=${'y'.repeat(1 << 20)}` }],
    [415, { headers: { 'content-type': 'text/plain' }, body: 'a=b' }],
    [400, { body: 'a=1&a=2' }],
    [400, { body: Array.from({ length: 200 }, (_, i) => `p${i}=1`).join('&') }],
    [400, { body: bytes(0x61, 0x3d, 0xff) }],
  ])('a form is refused with %d and a page that says so', async (status, request: Partial<RawRequest>) => {
    const answer = await send({
      method: 'POST',
      path: '/signout',
      ...request,
      headers: { ...FORM, ...cookies, ...request.headers },
    })
    expect(answer.status).toBe(status)
    expect(answer.body).toContain('<h1')
    // nobody was signed out by it
    expect((await send({ path: '/account', headers: cookies })).status).toBe(200)
  })

  test('programs get problem documents (RFC 9457) from pages too', async () => {
    const { status, headers, body } = await send({ path: '/nothing', headers: { accept: 'application/json' } })
    expect(status).toBe(404)
    expect(headers['content-type']).toBe('application/problem+json')
    expect(JSON.parse(body)).toMatchObject({ code: 'not-found', status: 404, ref: expect.any(String) })
  })

  test('a method that does not fit gets 405 and those that do (RFC 9110 §15.5.6)', async () => {
    for (const [path, allowed] of [
      ['/signout', /GET.*POST/],
      ['/oauth2/token', /POST/],
      ['/oauth2/jwks', /GET/],
      ['/oauth2/device/auth', /POST/],
    ] as const) {
      const { status, headers } = await send({ method: 'DELETE', path })
      expect(status).toBe(405)
      expect(headers['allow']).toMatch(allowed)
    }
  })

  test('an authorization request sent as a form is answered like one in the address (OIDC Core §3.1.2.1)', async () => {
    const { status, headers } = await send({ method: 'POST', path: '/oauth2/auth', headers: FORM, body: REQUEST })
    expect(status).toBe(303)
    const location = new URL(headers['location']!, gateway.issuer)
    expect(location.pathname).toBe('/oauth2/auth')
    expect(Object.fromEntries(location.searchParams)).toEqual(Object.fromEntries(new URLSearchParams(REQUEST)))
  })

  test('the device page survives a form without its cookie, and gives a new one that works', async () => {
    const begun = await send({
      method: 'POST',
      path: '/oauth2/device/auth',
      headers: { ...FORM, ...credentials },
      body: 'scope=openid',
    })
    const { user_code } = JSON.parse(begun.body) as { user_code: string }
    const lost = await send({ method: 'POST', path: '/oauth2/device', headers: FORM, body: `user_code=${user_code}` })
    expect(lost.status).toBe(400)
    const cookie = /portico-engine=[^;]+/.exec(lost.headers['set-cookie'] ?? '')![0]
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(lost.body)![1]
    const again = await send({
      method: 'POST',
      path: '/oauth2/device',
      headers: { ...FORM, cookie },
      body: `xsrf=${xsrf}&user_code=${user_code}`,
    })
    expect(again.status).toBe(200)
    expect(again.body).toContain('name="confirm"')
  })

  test('a name is not asked for for ever: the password page stands where it stood after all of this', async () => {
    const page = await send({ path: errands.password, headers: { cookie: BROWSER } })
    expect(page.body).toContain('name="password"')
    const signedIn = await send({
      method: 'POST',
      path: errands.password,
      headers: { ...FORM, cookie: BROWSER },
      body: new URLSearchParams({ step: 'password', password: PASSWORD }).toString(),
    })
    expect(signedIn.status).toBe(303)
    expect(signedIn.headers['set-cookie']).toMatch(/portico-session=/)
  })
})

describe('at random', () => {
  const noLine = (text: string) => text.replace(/[\r\n\0 ]/g, '_')
  const value = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom(
      '__proto__',
      'web',
      'openid',
      CALLBACK,
      'none',
      'S256',
      'sam',
      'password',
      // no `[object Object]`: a page may echo what was typed, and the judge could not tell
      '%00',
      '{"a":',
    ),
    fc.json({ maxDepth: 2 }),
  )
  const name = fc.oneof(
    fc.constantFrom(
      ...[
        'client_id',
        'redirect_uri',
        'scope',
        'response_type',
        'response_mode',
        'prompt',
        'max_age',
        'claims',
        'acr_values',
      ],
      ...[
        'request',
        'request_uri',
        'id_token_hint',
        'login_hint',
        'ui_locales',
        'nonce',
        'state',
        'grant_type',
        'code',
        'token',
      ],
      ...[
        'client_assertion',
        'client_assertion_type',
        'step',
        'username',
        'password',
        'credential',
        'way',
        'answer',
        'remember',
      ],
      ...[
        'return',
        'app',
        'errand',
        'done',
        'lang',
        'xsrf',
        'user_code',
        'confirm',
        'abort',
        'post_logout_redirect_uri',
        'logout',
      ],
    ),
    fc.string({ maxLength: 10 }),
  )
  const parameters = fc.array(fc.tuple(name, value), { maxLength: 8 })
  const encoded = (list: readonly (readonly [string, string])[]) =>
    list
      .map(([key, text]) => `${encodeURIComponent(key.toWellFormed())}=${encodeURIComponent(text.toWellFormed())}`)
      .join('&')

  test('parameters with known names and any values', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), parameters, parameters, async (n, query, body) => {
        const endpoint = everything[n % everything.length]!
        const request = asking(encoded(query))(endpoint)
        const all = endpoint.method === 'POST' ? { ...request, body: `${endpoint.body}&${encoded(body)}` } : request
        const problem = judge(await sendRaw(gateway.server.port, all), endpoint.method)
        if (problem) throw new Error(`${endpoint.method} ${endpoint.path.slice(0, 60)}: ${problem}`)
      }),
      { numRuns: 600 },
    )
  }, 60_000)

  test('any bytes as a body', async () => {
    const posts = everything.filter(({ method }) => method === 'POST')
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.uint8Array({ maxLength: 300 }), async (n, body) => {
        const endpoint = posts[n % posts.length]!
        const problem = judge(await sendRaw(gateway.server.port, saying(() => Buffer.from(body))(endpoint)), 'POST')
        if (problem) throw new Error(`${endpoint.path.slice(0, 60)}: ${problem}`)
      }),
      { numRuns: 200 },
    )
  }, 60_000)

  test('any headers', async () => {
    const names = fc.constantFrom(
      'cookie',
      'authorization',
      'accept',
      'accept-language',
      'origin',
      'sec-fetch-site',
      'user-agent',
      'forwarded',
      'x-forwarded-for',
      'x-forwarded-proto',
      'dpop',
      'host',
      'referer',
      'content-type',
    )
    const headers = fc.dictionary(names, fc.string({ unit: 'binary-ascii', maxLength: 60 }).map(noLine), { maxKeys: 4 })
    await fc.assert(
      fc.asyncProperty(fc.nat(), headers, async (n, more) => {
        const endpoint = everything[n % everything.length]!
        const problem = judge(await sendRaw(gateway.server.port, with_(more)(endpoint)), endpoint.method)
        if (problem) throw new Error(`${endpoint.method} ${endpoint.path.slice(0, 60)}: ${problem}`)
      }),
      { numRuns: 300 },
    )
  }, 60_000)

  test('any bytes at all on the connection', async () => {
    // empty lines before a request are passed over (RFC 9112 §2.2): with nothing else the server waits for one
    const bytes = fc
      .uint8Array({ minLength: 1, maxLength: 200 })
      .filter((all) => !all.every((b) => b === 10 || b === 13))
    await fc.assert(
      fc.asyncProperty(bytes, async (noise) => {
        const { status } = await exchange(
          gateway.server.port,
          Buffer.concat([Buffer.from(noise), Buffer.from('\r\n\r\n')]),
        )
        if (status >= 500) throw new Error(String(status))
      }),
      { numRuns: 100 },
    )
  }, 60_000)

  test('and it still serves', async () => {
    expect((await sendRaw(gateway.server.port, { path: '/account', headers: cookies })).status).toBe(200)
  })
})
