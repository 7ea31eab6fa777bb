/** From a browser that nobody knows to an app that knows who is there, without a real proxy. */
import { createLocalJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Gateway } from '../support/gateway.ts'
import { app, claimsOf, createVisitor, HTML, startHouse, WIKI } from './house.ts'

let gateway: Gateway
beforeAll(async () => {
  gateway = await startHouse({
    apps: [
      app('wiki'),
      app('pos', { headers: ['Auth-User', 'X-Groups=groups'] }),
      app('vault', {}, { policy: 'closed' }),
    ],
  })
})
afterAll(() => gateway?.close())

test('a browser signs in once and comes back to the very address; the app is told who it is', async () => {
  const sam = createVisitor(gateway)
  const address = `${WIKI}/pages/1?q=a%20b&x=1`
  const first = await sam.visit(address)
  expect([first.status, first.location.startsWith(`${gateway.issuer}/authz/start?`)]).toEqual([302, true])
  const back = await sam.through(first)
  expect(back.href).toMatch(/^https:\/\/wiki\.example\.com\/\.portico\/callback\?code=[\w-]{43}$/)
  const called = await sam.visit(back.href)
  expect([called.status, called.location]).toEqual([302, address])
  const seen = await sam.visit(address)
  expect(seen.status).toBe(200)
  expect(seen.headers).toMatchObject({
    'remote-user': 'sam',
    'remote-groups': 'staff,tills',
    'remote-email': 'sam@kestrel.example',
    'remote-name': 'Sam de Vries',
  })
  const jwks = createLocalJWKSet(gateway.server.house.keys.signing.publicJwks())
  const { payload, protectedHeader } = await jwtVerify(String(seen.headers['x-portico-jwt']), jwks, {
    issuer: gateway.issuer,
    audience: WIKI,
    typ: 'portico-forward-auth+jwt',
  })
  expect(protectedHeader.kid).toBe(gateway.server.house.keys.signing.signers()[0]!.kid)
  expect(payload).toMatchObject({ sub: gateway.ids.get('sam'), acr: 'any', amr: ['pwd'], groups: ['staff', 'tills'] })
  expect(payload.exp! - payload.iat!).toBe(60)
})

test('the second app opens without a question, with the headers that it reads', async () => {
  const sam = createVisitor(gateway)
  await sam.open(`${WIKI}/`)
  const first = await sam.visit('https://pos.example.com/till')
  const back = await sam.through(first, 'nobody is asked')
  await sam.visit(back.href)
  const seen = await sam.visit('https://pos.example.com/till')
  expect(seen.headers).toMatchObject({ 'auth-user': 'sam', 'x-groups': 'staff,tills', 'remote-user': 'sam' })
  expect(claimsOf(String(seen.headers['x-portico-jwt'])).aud).toBe('https://pos.example.com')
})

test('cookies are of that host alone, for https, and no script reads them', async () => {
  const sam = createVisitor(gateway)
  const first = await sam.visit(`${WIKI}/`)
  const called = await sam.visit((await sam.through(first)).href)
  for (const line of [...(first.headers['set-cookie'] as string[]), ...(called.headers['set-cookie'] as string[])])
    expect(line).toMatch(
      /^__Host-portico-(?:app|open)-[\w-]{8}=[\w-]*; Path=\/(?:; Max-Age=\d+)?; HttpOnly; SameSite=Lax; Secure$/,
    )
  expect([...sam.jarOf('wiki.example.com').keys()]).toHaveLength(1)
})

test('whom the policy refuses is shown why on our page, and gets no code', async () => {
  const guest = createVisitor(gateway)
  const first = await guest.visit(`${WIKI}/`)
  const at = await guest.through(first, 'guest')
  expect([at.origin, at.pathname.split('/')[1]]).toEqual([gateway.issuer, 'signin'])
})

test.each([
  ['a script', { accept: 'application/json' }],
  ['a script of a page', { ...HTML, 'sec-fetch-mode': 'cors' }],
  ['an old script', { accept: 'text/html', 'x-requested-with': 'XMLHttpRequest' }],
  ['a WebSocket', { accept: 'text/html', 'sec-websocket-key': 'x' }],
])('%s is told with 401 that it has to sign in, and is sent nowhere', async (_, headers) => {
  const answer = await createVisitor(gateway).visit(`${WIKI}/api`, { headers })
  expect([answer.status, answer.location, answer.headers['www-authenticate']]).toEqual([
    401,
    '',
    'Bearer realm="wiki.example.com"',
  ])
  expect(JSON.parse(answer.text)).toMatchObject({ code: 'session-required', sign_in: `${WIKI}/` })
})
