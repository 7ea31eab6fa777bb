/**
 * Opening an app again, on the short way and by the engine. Every request is sent twice: as browsers send it, and accepting
 * anything, which gets the same page and is left to the engine.
 */
import { createHash, randomBytes } from 'node:crypto'
import { decodeJwt } from 'jose'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser, formOf } from '../../demo/browser.ts'
import { orderOf } from '../support/both-ways.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { type RawAnswer, sendRaw } from '../support/raw.ts'
import { type Browser, CALLBACK, typePassword } from '../support/relying-party.ts'

const WITH_QUERY = `${CALLBACK}?also=this`
const ODD = `${CALLBACK}/a'b`
const web = (id: string, oidc: object = {}, more: object = {}) => ({
  ...{ id, name: id, policy: 'plain', audience: ['staff'], ...more },
  oidc: { redirect_uris: [CALLBACK, WITH_QUERY, ODD], scopes: ['openid', 'profile', 'email', 'groups'], ...oidc },
})
const LIMITS = `policy: limits
rules:
  - { name: people, allow: { scopes: [orders:read], token: { max: 5m } } }
  - { name: never-reached, allow: { token: { max: 1m } } }
`
const verifier = randomBytes(32).toString('base64url')
const challenge = createHash('sha256').update(verifier).digest('base64url')

let gateway: Gateway
let browser: Browser
const port = () => Number(new URL(gateway.issuer).port)

beforeAll(async () => {
  gateway = await startGateway({
    policies: { ...POLICIES, 'limits.yaml': LIMITS },
    people: [
      { username: 'sam', name: 'Sam de Vries', mail: 'sam@kestrel.example', groups: ['staff'] },
      { username: 'kim', name: 'Kim', groups: ['staff'] },
    ],
    apps: [
      web('web'),
      web('other'),
      web('public', { token_endpoint_auth_method: 'none' }),
      web('limited', {}, { policy: 'limits' }),
      web('refreshing', {
        scopes: ['openid', 'profile', 'email', 'groups', 'offline_access'],
        grant_types: ['authorization_code', 'refresh_token'],
      }),
      web('no-pkce', { pkce: 'optional' }),
      web('in-id-token', { claims: { groups: 'all', in_id_token: true } }),
      web('pushing'),
      web('foreign', {}, { first_party: false }),
      web('never-opened'),
    ] as never,
  })
  browser = createBrowser({ stopAt: CALLBACK })
  await typePassword(browser, await browser.open(addressOf('web')), 'sam')
  for (const id of ['other', 'public', 'limited', 'refreshing', 'no-pkce', 'in-id-token', 'pushing'])
    await browser.open(addressOf(id))
  const asked = await browser.open(addressOf('foreign'))
  await browser.submit(formOf(asked, 'consent'), { answer: 'allow' })
  await apply(web('pushing', { require_pushed_authorization_requests: true }))
})
afterAll(() => gateway.close())

async function apply(manifest: { readonly id: string }) {
  const { apps } = gateway.server.house.catalog
  const { problems } = await apps.apply([{ file: `${manifest.id}.yaml`, text: JSON.stringify(manifest) }], {
    by: 'test',
  })
  expect(problems).toEqual([])
}

type Fields = Readonly<Record<string, string>>
const usual = (id: string): Fields => ({
  ...{ client_id: id, response_type: 'code', redirect_uri: CALLBACK, scope: 'openid profile email', state: 's&t=u' },
  ...{ nonce: 'n', code_challenge: challenge, code_challenge_method: 'S256' },
})
const pathOf = (fields: Fields | string) => `/oauth2/auth?${new URLSearchParams(fields as Record<string, string>)}`
const addressOf = (id: string) => `${gateway.issuer}${pathOf(usual(id))}`

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
const cookies = (from: Browser) => [...from.jar].map(([name, value]) => `${name}=${value}`).join('; ')
const send = (path: string, accept: string, headers: Fields = {}, method = 'GET') =>
  sendRaw(port(), { method, path, headers: { accept, cookie: cookies(browser), ...headers } })

const CODE = /(?<=[?&#](?:amp;)?code=|name="code" value=")[\w-]{43}/g
const codeOf = ({ headers }: RawAnswer) => (headers['location'] ?? '').match(CODE)?.[0]
/** But for what is new each time. */
const told = ({ status, headers, body }: RawAnswer) => {
  const { date: _, ...rest } = headers
  const plain = (text: string) =>
    text
      .replace(CODE, 'CODE')
      .replace(/[0-9A-Z]{4}-[0-9A-Z]{4}(?:-[0-9A-Z]{4})?|(?<=reference )[\w-]+/g, 'REFERENCE')
      .replace(/(?<=nonce-|nonce=")[\w+/=-]+/g, 'NONCE')
      .replace(/(?<=\/signin\/|interaction=|resume=|\/auth\/)[\w-]{20,64}/g, 'ERRAND')
      .replace(/(?<=expires=)[^;]+/g, 'TIME')
  const lines = Object.entries(rest).map(([name, value]) => [name, plain(value)] as const)
  return { status, headers: Object.fromEntries(lines.sort()), body: plain(body) }
}

async function exchanged(id: string, code: string, redirectUri = CALLBACK): Promise<Fields> {
  const secret = gateway.secrets.get(id)
  const answer = await fetch(`${gateway.issuer}/oauth2/token`, {
    method: 'POST',
    headers: secret ? { authorization: `Basic ${btoa(`${id}:${secret}`)}` } : {},
    body: new URLSearchParams({
      ...{ grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier },
      ...(secret ? {} : { client_id: id }),
    }),
  })
  return (await answer.json()) as Fields
}

/** What the app gets for the code: the claims, but for what is new each time. */
async function redeemed(id: string, code: string, redirectUri = CALLBACK) {
  const answer = await exchanged(id, code, redirectUri)
  const { access_token: access, id_token: idToken, refresh_token: refresh, expires_in: life, ...rest } = answer
  const { iat, exp, ...claims } = decodeJwt(idToken!)
  const userinfo = await fetch(`${gateway.issuer}/oauth2/userinfo`, { headers: { authorization: `Bearer ${access}` } })
  const told = { refreshes: refresh !== undefined, life, idLife: exp! - iat!, claims, userinfo: await userinfo.json() }
  return { ...rest, ...told }
}

async function bothWays(path: string, headers: Fields = {}, method?: string) {
  const short = await send(path, BROWSER, headers, method)
  const long = await send(path, '*/*', headers, method)
  return { short, long }
}

describe('on the short way', () => {
  test.each([
    ['an app', 'web', {}],
    ['an app without a secret', 'public', {}],
    ['an app whose rule has a word on tokens', 'limited', {}],
    ['an app that may refresh', 'refreshing', {}],
    ['with one scope', 'web', { scope: 'openid' }],
    ['with scopes in another order', 'web', { scope: 'email openid' }],
    ['with a scope twice', 'web', { scope: 'openid email openid' }],
    ['without a state', 'web', { state: undefined }],
    ['without a nonce', 'web', { nonce: undefined }],
    ['silently', 'web', { prompt: 'none' }],
    ['by the response mode that is usual anyway', 'web', { response_mode: 'query' }],
    ['at a redirect URI with a query', 'web', { redirect_uri: WITH_QUERY }],
    ['with a state of markup', 'web', { state: `"><script>'&amp;%2f\\` }],
    ['with a state of many languages', 'web', { state: 'Grüße, Привет 🙂' }],
  ] as [string, string, Record<string, string | undefined>][])(
    '%s: the same answer, and the same tokens',
    async (_, id, more) => {
      const wanted = Object.entries({ ...usual(id), ...more }).filter(([, value]) => value !== undefined)
      const { short, long } = await bothWays(pathOf(Object.fromEntries(wanted) as Fields))
      expect(short.status, short.body).toBe(303)
      expect(told(short)).toEqual(told(long))
      // the two answers really come from two places: only their headers' order tells
      expect(orderOf(short)).not.toBe(orderOf(long))
      const [one, two] = [codeOf(short)!, codeOf(long)!]
      expect(one).not.toBe(two)
      expect(await redeemed(id, one, more['redirect_uri'])).toEqual(await redeemed(id, two, more['redirect_uri']))
    },
  )

  test('for the first time in a session: the same answer, the same tokens, and the session knows the app', async () => {
    const opened = async (accept: string) => {
      browser = createBrowser({ stopAt: CALLBACK })
      await typePassword(browser, await browser.open(addressOf('web')), 'sam')
      const first = await send(pathOf(usual('never-opened')), accept)
      const { sessions } = gateway.server.house
      const session = (await sessions.find(browser.jar.get('portico-session')))!
      const sid = session.apps.find(({ app }) => app === 'never-opened')?.sid
      const { claims, ...tokens } = await redeemed('never-opened', codeOf(first)!)
      expect(claims).toMatchObject({ sid })
      expect(sid).toMatch(/^[\w-]{43}$/)
      const again = await redeemed('never-opened', codeOf(await send(pathOf(usual('never-opened')), accept))!)
      expect(again.claims).toMatchObject({ sid })
      return { first, order: orderOf(first), same: { ...tokens, claims: { ...claims, sid: 'x', auth_time: 0 } } }
    }
    const before = browser
    const [short, long] = [await opened(BROWSER), await opened('*/*')]
    browser = before
    expect(told(short.first)).toEqual(told(long.first))
    expect(short.order).not.toBe(long.order)
    expect(short.same).toEqual(long.same)
  })

  test('each opening has its receipt, and a code is good for one exchange', async () => {
    const count = async () => {
      const { records } = gateway.server.house.storage
      const { rows } = await sql<{ n: number | string }>`select count(*) as n from receipts`.execute(records)
      return Number(rows[0]!.n)
    }
    const before = await count()
    const { short } = await bothWays(pathOf(usual('web')))
    expect(await count()).toBe(before + 2)
    const code = codeOf(short)!
    await redeemed('web', code)
    await expect(redeemed('web', code)).rejects.toThrow()
  })
})

const without = (...names: string[]): Fields =>
  Object.fromEntries(Object.entries(usual('web')).filter(([name]) => !names.includes(name)))
const withMore = (more: Fields) => ({ ...usual('web'), ...more })

describe('the engine answers alone', () => {
  test.each([
    ['for an app that nobody knows', usual('nobody')],
    ['for an app with a very long name', usual('x'.repeat(300))],
    ['for an app that is not ours', usual('foreign')],
    ['for an app that has its requests pushed', usual('pushing')],
    ['for an app with its claims in the ID token', usual('in-id-token')],
    ['without PKCE', without('code_challenge', 'code_challenge_method')],
    ['without PKCE, where it may be', { ...without('code_challenge', 'code_challenge_method'), client_id: 'no-pkce' }],
    ['without the method of PKCE', without('code_challenge_method')],
    ['without the challenge of PKCE', without('code_challenge')],
    ['with PKCE by plain', withMore({ code_challenge_method: 'plain' })],
    ['with a challenge that is too short', withMore({ code_challenge: 'x' })],
    ['with a challenge of other letters', withMore({ code_challenge: `${'x'.repeat(42)}~` })],
    ['without a redirect URI', without('redirect_uri')],
    ['at a redirect URI that is not registered', withMore({ redirect_uri: `${CALLBACK}/` })],
    ['at a redirect URI of somebody else', withMore({ redirect_uri: 'https://evil.example/callback' })],
    ['at a redirect URI in capitals', withMore({ redirect_uri: CALLBACK.toUpperCase() })],
    ['at a redirect URI with an odd sign', withMore({ redirect_uri: ODD })],
    ['without a response type', without('response_type')],
    ['with another response type', withMore({ response_type: 'code id_token' })],
    ['with an unknown response mode', withMore({ response_mode: 'smoke' })],
    ['with the answer in the fragment', withMore({ response_mode: 'fragment' })],
    ['with the answer in a form', withMore({ response_mode: 'form_post' })],
    ['without scopes', without('scope')],
    ['without the scope openid', withMore({ scope: 'email' })],
    ['with offline_access', { ...usual('refreshing'), scope: 'openid offline_access' }],
    ['with a scope that is not registered', withMore({ scope: 'openid orders:read' })],
    ['with a scope that was not asked for before', { ...usual('public'), scope: 'openid groups' }],
    ['with two blanks among the scopes', withMore({ scope: 'openid  email' })],
    ['with the person asked again', withMore({ prompt: 'login' })],
    ['with the person asked to agree', withMore({ prompt: 'consent' })],
    ['with an unknown prompt', withMore({ prompt: 'dance' })],
    ['with a greatest age', withMore({ max_age: '3600' })],
    ['with a greatest age of nothing', withMore({ max_age: '0' })],
    ['with a strength', withMore({ acr_values: 'any' })],
    ['with a strength that nobody here reaches', withMore({ acr_values: 'moon', prompt: 'none' })],
    ['with single claims', withMore({ claims: '{"id_token":{"email":null}}' })],
    ['with claims that cannot be read', withMore({ claims: '{' })],
    ['with the hint of a name', withMore({ login_hint: 'kim' })],
    ['with the hint of a token', withMore({ id_token_hint: 'x.y.z' })],
    ['for an API', withMore({ resource: 'urn:orders' })],
    ['with authorization details', withMore({ authorization_details: '[{"type":"payment"}]' })],
    ['with a signed request', withMore({ request: 'x.y.z' })],
    ['with a pushed request', withMore({ request_uri: 'urn:ietf:params:oauth:request_uri:x' })],
    ['with a key that the code is bound to', withMore({ dpop_jkt: challenge })],
    ['with a parameter that nobody knows', withMore({ color: 'blue' })],
    ['with an empty state', withMore({ state: '' })],
    ['with an empty nonce', withMore({ nonce: '' })],
    ['with a state of 3,000 characters', withMore({ state: 'x'.repeat(3000) })],
  ] as [string, Fields][])('%s', async (_, fields) => {
    const { short, long } = await bothWays(pathOf(fields))
    expect(told(short)).toEqual(told(long))
    expect(orderOf(short)).toBe(orderOf(long))
  })

  test.each([
    ['a parameter twice', `${pathOf(usual('web'))}&state=again`],
    ['the app twice', `${pathOf(usual('web'))}&client_id=other`],
    ['a percent sign gone wrong', `${pathOf(usual('web'))}%`],
    ['bytes that are no UTF-8', `${pathOf(without('state'))}&state=%ff`],
    ['a name without a value', `${pathOf(usual('web'))}&x`],
    ['no query at all', '/oauth2/auth'],
  ])('with %s', async (_, path) => {
    const { short, long } = await bothWays(path)
    expect(told(short)).toEqual(told(long))
    expect(orderOf(short)).toBe(orderOf(long))
  })

  test('asked for the headers only', async () => {
    const { short, long } = await bothWays(pathOf(usual('web')), {}, 'HEAD')
    expect(told(short)).toEqual(told(long))
  })

  test('to nobody, and to somebody whose session is over', async () => {
    for (const cookie of ['', `portico-session=${'x'.repeat(43)}`]) {
      const { short, long } = await bothWays(pathOf(usual('web')), { cookie })
      expect(short.status).toBe(303)
      expect(codeOf(short)).toBeUndefined()
      expect(told(short)).toEqual(told(long))
    }
  })
})

describe('what changes in between counts at once', () => {
  const opens = async () => codeOf(await send(pathOf(usual('other')), BROWSER))

  test('the app is for others now, or has other redirect URIs or scopes; the person is switched off', async () => {
    expect(await opens()).toBeDefined()
    const changes: [object, object][] = [
      [{}, { audience: ['nobody'] }],
      [{}, { policy: 'closed' }],
      [{ redirect_uris: [WITH_QUERY] }, {}],
      [{ scopes: ['openid', 'profile'] }, {}],
      [{ require_pushed_authorization_requests: true }, {}],
    ]
    for (const [oidc, more] of changes) {
      await apply(web('other', oidc, more))
      expect(await opens(), JSON.stringify([oidc, more])).toBeUndefined()
      await apply(web('other'))
      expect(await opens()).toBeDefined()
    }
    const { people } = gateway.server.house
    await people.disable(gateway.ids.get('sam')!, 'test')
    expect(await opens()).toBeUndefined()
  })

  test('the session ends: neither the code nor the token live on', async () => {
    browser = createBrowser({ stopAt: CALLBACK })
    await typePassword(browser, await browser.open(addressOf('web')), 'kim')
    const [redeemedBefore, left] = [await codeHere(), await codeHere()]
    const { access_token: token } = await exchanged('web', redeemedBefore)
    const { sessions } = gateway.server.house
    const session = (await sessions.find(browser.jar.get('portico-session')))!
    await sessions.end(session.id, 'ended-by-administrator', 'test')
    expect(await exchanged('web', left)).toMatchObject({ error: 'invalid_grant' })
    const userinfo = await fetch(`${gateway.issuer}/oauth2/userinfo`, { headers: { authorization: `Bearer ${token}` } })
    expect(userinfo.status).toBe(401)
    expect(codeOf(await send(pathOf(usual('web')), BROWSER))).toBeUndefined()
  })
  const codeHere = async () => codeOf(await send(pathOf(usual('web')), BROWSER))!
})
