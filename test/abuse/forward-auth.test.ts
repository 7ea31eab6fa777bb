/** Requests that lie, about who sends them, to whom, for whom and for what: nobody is let in, and nobody sent anywhere else. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { minutes, seconds } from '#core/clock'
import { app, createVisitor, HTML, raw, startHouse, type Visitor, WIKI } from '../forward-auth/house.ts'
import type { Gateway } from '../support/gateway.ts'

let gateway: Gateway
let sam: Visitor
let time = Date.UTC(2026, 10, 30, 9)
const RULES = [
  { paths: ['/public/*', '/login'], access: 'public' as const },
  { paths: ['/hooks/*'], methods: ['POST'], access: 'public' as const },
  { paths: ['/admin/*'], access: 'deny' as const },
  { paths: ['/safe/*'], access: 'sign-in' as const, strength: 'two-factors' },
]

beforeAll(async () => {
  gateway = await startHouse({
    clock: { now: () => time },
    apps: [
      app('wiki', { hosts: ['wiki.example.com', 'docs.example.com'], headers: ['Auth-User'], rules: RULES }),
      app('pos'),
    ],
  })
  sam = createVisitor(gateway)
  await sam.open(`${WIKI}/`)
})
afterAll(() => gateway?.close())

const port = () => Number(new URL(gateway.issuer).port)
const told = (more: object = {}) => ({
  host: 'gateway',
  'X-Forwarded-Method': 'GET',
  'X-Forwarded-Proto': 'https',
  'X-Forwarded-Host': 'wiki.example.com',
  'X-Forwarded-Uri': '/',
  ...HTML,
  ...more,
})
const cookies = () => [...sam.jarOf('wiki.example.com')].map(([name, value]) => `${name}=${value}`).join('; ')
/** Nobody in, and no address but ours. */
function closed({ status, location, text }: Awaited<ReturnType<typeof raw>>): void {
  expect(status).toBeGreaterThanOrEqual(300)
  expect(text).not.toContain('remote-user')
  if (location) expect(location.startsWith(`${gateway.issuer}/`), location).toBe(true)
}

test('what the rest rests on: this browser is let in, and a stranger sees what is public', async () => {
  expect((await raw(port(), '/authz/forward', told({ cookie: cookies() }))).status).toBe(200)
  expect((await raw(port(), '/authz/forward', told({ 'X-Forwarded-Uri': '/public/x' }))).status).toBe(200)
})

test('no answer is kept by anybody between: the next one who asks at this address is somebody else', async () => {
  for (const more of [{ cookie: cookies() }, { 'X-Forwarded-Uri': '/public/x' }, { 'X-Forwarded-Uri': '/admin' }, {}]) {
    const { headers } = await raw(port(), '/authz/forward', told(more))
    expect(headers['cache-control']).toBe('no-store')
  }
})

describe('from somebody who is no proxy', () => {
  test.each(['/authz/forward', '/authz/nginx', '/authz/envoy/public/x'])('%s', async (path) => {
    const lies = told({
      cookie: cookies(),
      'X-Forwarded-Uri': '/public/x',
      'X-Original-URL': `${WIKI}/public/x`,
      'X-Original-Method': 'GET',
    })
    const answer = await raw(port(), path, lies, { from: '127.0.0.2' })
    expect([answer.status, answer.location]).toEqual([403, ''])
    expect(gateway.log()).toContain('"code":"proxy-unknown"')
  })
})

describe('a question that says two things, or nothing', () => {
  test.each<[string, object]>([
    ['two hosts', { 'X-Forwarded-Host': ['wiki.example.com', 'pos.example.com'] }],
    ['two hosts in one', { 'X-Forwarded-Host': 'wiki.example.com, pos.example.com' }],
    ['two paths', { 'X-Forwarded-Uri': ['/', '/public/x'] }],
    ['two methods', { 'X-Forwarded-Method': ['GET', 'POST'] }],
    ['two schemes', { 'X-Forwarded-Proto': 'https, http' }],
    ['no scheme that we know', { 'X-Forwarded-Proto': 'ftp' }],
    ['a scheme that every object has', { 'X-Forwarded-Proto': '__proto__' }],
    ['another one', { 'X-Forwarded-Proto': 'constructor' }],
    ['plain http', { 'X-Forwarded-Proto': 'http' }],
    ['a twin of a header of the question', { X_Forwarded_Host: 'pos.example.com' }],
    ['a twin with a dot', { 'X-Forwarded.Uri': '/public/x' }],
    ['a twin of a header for the app', { Remote_User: 'admin' }],
    ["a twin of the app's own header", { Auth_User: 'admin' }],
    ['a twin of the token', { X_Portico_Jwt: 'a.b.c' }],
    ['a twin of what names another method', { X_HTTP_Method_Override: 'DELETE' }],
    ['a twin of what names another path', { X_Rewrite_URL: '/public/x' }],
    ['two types of content', { 'Content-Type': ['application/json', 'application/x-www-form-urlencoded'] }],
    ['another path for the app', { 'X-Rewrite-URL': '/admin/x' }],
    ['another path for the app, as IIS has it', { 'X-Original-URL': '/admin/x' }],
    ['another path that ends like this one', { 'X-Original-URL': '/admin/' }],
    ['a twin of the cookie', { 'Coo-kie': 'a=b', Coo_kie: 'a=b', cookie_: 'a' }],
    ['no path', { 'X-Forwarded-Uri': '' }],
    ['a path that is a host', { 'X-Forwarded-Uri': 'https://evil.example/' }],
    ['a path without a slash', { 'X-Forwarded-Uri': '@evil.example/' }],
    ['a method in small letters', { 'X-Forwarded-Method': 'get' }],
    ['TRACE', { 'X-Forwarded-Method': 'TRACE' }],
    ['CONNECT', { 'X-Forwarded-Method': 'CONNECT' }],
  ])('%s', async (name, lie) => {
    const answer = await raw(port(), '/authz/forward', told({ cookie: cookies(), ...lie }))
    if (name === 'a twin of the cookie') return expect(answer.status).toBe(200)
    closed(answer)
    expect(answer.location).toBe('')
  })
})

describe('a host that nobody registered', () => {
  test.each([
    'evil.example',
    'wiki.example.com.evil.example',
    'wiki.example.com@evil.example',
    'evil.example#wiki.example.com',
    'wiki.example.com:8443',
    'wiki.example.com.',
    '.wiki.example.com',
    'wiki.example.com/x',
    'wiki.example.com\\x',
    'wıki.example.com',
    'xn--wki-rpa.example.com',
    '127.0.0.1',
    'localhost',
    '[::1]',
    'wiki.example.com:443:80',
    'wiki.example.com:0443',
    '*.example.com',
    'wiki example.com',
  ])('%s', async (host) => {
    const answer = await raw(
      port(),
      '/authz/forward',
      told({ cookie: cookies(), 'X-Forwarded-Host': Buffer.from(host).toString('latin1') }),
    )
    closed(answer)
    expect(answer.location).toBe('')
  })
})

describe('a proxy that stands before one app', () => {
  const ask = (query: string, more: object = {}) =>
    raw(port(), `/authz/forward${query}`, told({ 'X-Forwarded-Uri': '/public/x', ...more }))
  test('opens that app', async () => expect((await ask('?app=wiki')).status).toBe(200))
  test.each(['?app=pos', '?app=', '?app=WIKI', '?app=wiki&app=pos', '?app=w%69ki'])('%s opens none', async (query) => {
    const answer = await ask(query, { cookie: cookies() })
    expect([answer.status, answer.location]).toEqual([403, ''])
  })
  test('in the dialect of nginx as well', async () => {
    const lines = { host: 'gateway', 'X-Original-URL': `${WIKI}/public/x`, 'X-Original-Method': 'GET' }
    expect((await raw(port(), '/authz/nginx?app=wiki', lines)).status).toBe(200)
    expect((await raw(port(), '/authz/nginx?app=pos', lines)).status).toBe(403)
  })
})

describe('a path that the app could read as another', () => {
  test.each([
    '/public/../admin/x',
    '/public/..',
    '/public/.',
    '/public/..;/admin/x',
    '/public/..;x=1/admin/x',
    '/public;/x',
    '/public/x;/../../admin',
    '/public/%2e%2e/admin/x',
    '/public/%2E./admin/x',
    '/public/..%2fadmin/x',
    '/public%2fx',
    '/public/..%5cadmin',
    '/public/..\\admin',
    '/public\\..\\admin',
    '/public/%252e%252e/admin',
    '/public/%252fadmin',
    '/public/%25252e',
    '//public/x',
    '/public//x',
    '/public/x//',
    '/public/x%00.png',
    '/public/%0d%0aSet-Cookie:a=b',
    '/public/%7f',
    '/public/%c0%ae%c0%ae/admin',
    '/public/%c0%af',
    '/public/%ff',
    '/public/%u002e',
    '/public/%2',
    '/public/%',
    '/public/x%3fy',
    '/public/x%23y',
    '/public/x%3by',
    '/public/%ef%bc%8fadmin',
    '/public/%ef%bc%8e%ef%bc%8e/admin',
    '/public/e%cc%81',
    '/public/x.',
    '/public/x%20',
    '/public/%e2%80%8bx',
    '/public/%c2%85',
  ])('%s, for somebody who is signed in, and for a stranger', async (uri) => {
    for (const cookie of [cookies(), undefined]) {
      const answer = await raw(
        port(),
        '/authz/forward',
        told({ 'X-Forwarded-Uri': uri, ...(cookie ? { cookie } : {}) }),
      )
      closed(answer)
      expect([answer.status, answer.location]).toEqual([400, ''])
    }
  })

  test.each([
    ['/PUBLIC/x', 'a case that the app may tell apart'],
    ['/publicx', 'a longer name'],
    ['/Login', 'another case'],
    ['/login/', 'a slash more'],
    ['/login/x', 'something below'],
  ])('%s is not what is public: %s', async (uri) => {
    closed(await raw(port(), '/authz/forward', told({ 'X-Forwarded-Uri': uri })))
  })

  test.each(['/ADMIN/x', '/admin', '/Admin/', '/%61dmin/x', '/adm%69n'])('%s is what is closed', async (uri) => {
    expect((await raw(port(), '/authz/forward', told({ cookie: cookies(), 'X-Forwarded-Uri': uri }))).status).toBe(403)
  })
})

describe('one method that is taken for another', () => {
  const post = (more: object) =>
    raw(
      port(),
      '/authz/forward',
      told({
        'X-Forwarded-Method': 'POST',
        'X-Forwarded-Uri': '/hooks/x',
        accept: '*/*',
        'content-type': 'application/json',
        ...more,
      }),
    )
  test('a POST of JSON is open there', async () => expect((await post({})).status).toBe(200))
  test.each<[string, object]>([
    ['X-HTTP-Method-Override', { 'X-HTTP-Method-Override': 'DELETE' }],
    ['X-HTTP-Method', { 'X-HTTP-Method': 'PUT' }],
    ['X-Method-Override, in small letters', { 'X-Method-Override': 'delete' }],
    ['something that is no method', { 'X-HTTP-Method-Override': 'DELETE, POST' }],
    ['_method in the query', { 'X-Forwarded-Uri': '/hooks/x?_method=DELETE' }],
    ['_method in the query, encoded', { 'X-Forwarded-Uri': '/hooks/x?%5fmethod=PUT' }],
    ['what PHP makes _method of', { 'X-Forwarded-Uri': '/hooks/x?.method=PUT' }],
    ['what PHP makes _method of, with a bracket', { 'X-Forwarded-Uri': '/hooks/x?a=b&[method=PUT' }],
    ['what PHP makes _method of, with a blank', { 'X-Forwarded-Uri': '/hooks/x?+_method=PUT' }],
    ['what PHP makes _method of, cut off', { 'X-Forwarded-Uri': '/hooks/x?_method%00x=PUT' }],
    ['_method behind a semicolon', { 'X-Forwarded-Uri': '/hooks/x?a=b;_method=PUT' }],
    ['a form, whose fields we do not see', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['a form with files', { 'content-type': 'multipart/form-data; boundary=x' }],
  ])('%s', async (_, lie) => closed(await post(lie)))
})

describe('cookies', () => {
  const value = () => [...sam.jarOf('wiki.example.com').values()][0]!
  const name = () => [...sam.jarOf('wiki.example.com').keys()][0]!
  const ask = (cookie: string, more: object = {}) => raw(port(), '/authz/forward', told({ cookie, ...more }))
  test('of another host', async () => {
    const pos = createVisitor(gateway)
    await pos.open('https://pos.example.com/')
    const [other] = pos.jarOf('pos.example.com').values()
    closed(await ask(`${name()}=${other}`))
  })
  test('twice, so that nobody knows which is meant', async () => closed(await ask(`${name()}=${value()}; ${name()}=x`)))
  test('without the prefix, which a sibling host can set', async () =>
    closed(await ask(`${name().replace('__Host-', '')}=${value()}`)))
  test('in another spelling of the same bytes', async () => {
    const last = value().at(-1)!
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const other = alphabet[alphabet.indexOf(last) ^ 1]!
    closed(await ask(`${name()}=${value().slice(0, -1)}${other}`))
  })
  test('made up', async () => closed(await ask(`${name()}=${'A'.repeat(43)}`)))
  test('our own, from the host of the gateway', async () => {
    const own = [...sam.browser.jar].map(([key, one]) => `${key}=${one}; __Host-${key}=${one}`).join('; ')
    closed(await ask(own))
  })
})

describe('the way back', () => {
  let thief: Visitor
  beforeEach(() => {
    thief = createVisitor(gateway)
  })
  const begun = async (visitor: Visitor, url = `${WIKI}/secret`) => visitor.visit(url)

  test('a code from a log, in another browser, is worth nothing, and is used up', async () => {
    const victim = createVisitor(gateway)
    const back = await victim.through(await begun(victim))
    closed(await thief.visit(back.href))
    await begun(thief)
    closed(await thief.visit(back.href))
    closed(await victim.visit(back.href))
    const refused = await gateway.server.house.audit.search({ event: 'opening-refused' })
    expect(refused.length).toBeGreaterThan(0)
  })
  test("a thief's own code in the victim's browser does not make the victim somebody else", async () => {
    const own = await thief.through(await begun(thief), 'guest')
    const mine = createVisitor(gateway)
    const back = await mine.through(await begun(mine))
    expect(own.href.startsWith(gateway.issuer)).toBe(true)
    const victim = createVisitor(gateway)
    await begun(victim)
    closed(await victim.visit(back.href))
    expect([...victim.jarOf('wiki.example.com').keys()].some((key) => key.includes('portico-app'))).toBe(false)
  })
  test('50 copies at once: one gets in', async () => {
    const victim = createVisitor(gateway)
    const back = await victim.through(await begun(victim))
    const cookie = [...victim.jarOf('wiki.example.com')].map(([key, one]) => `${key}=${one}`).join('; ')
    const call = () => raw(port(), '/authz/forward', told({ cookie, 'X-Forwarded-Uri': back.pathname + back.search }))
    const answers = await Promise.all(Array.from({ length: 50 }, call))
    expect(answers.filter(({ status }) => status === 302)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(49)
  })
  test('too late', async () => {
    const victim = createVisitor(gateway)
    const back = await victim.through(await begun(victim))
    time += seconds(61)
    closed(await victim.visit(back.href))
  })
  test('after the session has ended', async () => {
    const victim = createVisitor(gateway)
    const back = await victim.through(await begun(victim))
    await gateway.server.house.sessions.endAll(gateway.ids.get('sam')!, 'signed-out', 'cli')
    closed(await victim.visit(back.href))
    await sam.open(`${WIKI}/`)
  })
  test.each(['https://docs.example.com', 'https://wiki.example.com:8443'])(
    'on another host of the app, %s',
    async (origin) => {
      const victim = createVisitor(gateway)
      const back = await victim.through(await begun(victim))
      for (const [key, one] of victim.jarOf('wiki.example.com')) victim.jarOf(new URL(origin).host).set(key, one)
      closed(await victim.visit(`${origin}${back.pathname}${back.search}`))
    },
  )
  test('with a nonce that somebody made up, under the right name', async () => {
    const victim = createVisitor(gateway)
    const back = await victim.through(await begun(victim))
    for (const key of victim.jarOf('wiki.example.com').keys()) thief.jarOf('wiki.example.com').set(key, 'A'.repeat(43))
    closed(await thief.visit(back.href))
  })
  test("on another app's host", async () => {
    const victim = createVisitor(gateway)
    const back = await victim.through(await begun(victim))
    for (const [key, one] of victim.jarOf('wiki.example.com')) victim.jarOf('pos.example.com').set(key, one)
    closed(await victim.visit(`https://pos.example.com${back.pathname}${back.search}`))
  })
  test.each(['POST', 'HEAD', 'OPTIONS'])('a code by %s', async (method) => {
    const victim = createVisitor(gateway)
    const back = await victim.through(await begun(victim))
    expect((await victim.visit(back.href, { method })).status).toBe(404)
  })
  test.each([
    '/.portico/',
    '/.portico/x',
    '/.portico/callback',
    '/.portico/callback?code=',
    `/.portico/callback?code=${'A'.repeat(43)}`,
    '/.portico/callback/x?code=x',
    '/.portic%6f/x',
    '/.PORTICO/x',
  ])('%s is ours, and nothing', async (uri) =>
    closed(await raw(port(), '/authz/forward', told({ cookie: cookies(), 'X-Forwarded-Uri': uri }))),
  )
})

describe('where a browser is sent', () => {
  const start = (query: string) => raw(port(), `/authz/start${query}`, { host: new URL(gateway.issuer).host, ...HTML })
  const evil = Buffer.from(
    JSON.stringify({ host: 'wiki.example.com', origin: 'https://evil.example', uri: '/', nonce: 'x', at: time }),
  ).toString('base64url')
  test.each([
    '',
    '?o=',
    '?o=x',
    '?o=x.y',
    `?o=${evil}`,
    `?o=${evil}.`,
    `?o=${evil}.${'A'.repeat(43)}`,
    '?to=https://evil.example/',
    '?rd=//evil.example',
    '?o=https://evil.example/',
    '?o=javascript:alert(1)',
    '?return=https://wiki.example.com@evil.example/',
    '?errand=x',
  ])('%s leads nowhere', async (query) => {
    const answer = await start(query)
    expect([answer.status, answer.location]).toEqual([400, ''])
  })
  test('an opening of ours with another address in it, or from hours ago', async () => {
    const { location } = await createVisitor(gateway).visit(`${WIKI}/x`)
    const [text = '', tag = ''] = new URL(location).searchParams.get('o')!.split('.')
    const changed = JSON.parse(Buffer.from(text, 'base64url').toString())
    const other = Buffer.from(JSON.stringify({ ...changed, origin: 'https://evil.example' })).toString('base64url')
    expect((await start(`?o=${other}.${tag}`)).status).toBe(400)
    expect((await start(`?o=${text}.${tag}`)).status).toBe(303)
    time += minutes(61)
    expect((await start(`?o=${text}.${tag}`)).status).toBe(400)
    await sam.open(`${WIKI}/`)
  })
  test.each([
    '/?next=https://evil.example',
    '/x?@evil.example',
    '/@evil.example/x',
    '/https:/evil.example',
    '/x?y=//evil.example/..',
  ])('the way back of %s ends at this very address of the app', async (uri) => {
    const visitor = createVisitor(gateway)
    const back = await visitor.through(await visitor.visit(WIKI + uri))
    expect(back.origin).toBe(WIKI)
    expect((await visitor.visit(back.href)).location).toBe(WIKI + uri)
  })
})
