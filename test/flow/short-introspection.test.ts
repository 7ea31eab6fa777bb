/**
 * The short way of introspection answers as the engine does. Every question is asked twice: as resource servers ask it, and with
 * `basic` in lower case, which means the same (RFC 9110 §11.1) and is left to the engine.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createBrowser } from '../../demo/browser.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { type RawAnswer, sendRaw } from '../support/raw.ts'
import { CALLBACK, relyingParty, signIn } from '../support/relying-party.ts'

const FORM = 'application/x-www-form-urlencoded'
const program = (id: string, more: object = {}, oidc: object = {}) => ({
  ...{ id, template: 'machine', policy: 'plain', ...more },
  oidc,
})
let gateway: Gateway
/** Access and refresh token of a person, and access tokens of a program: plain, and for an API. */
const tokens = new Map<string, string>()

beforeAll(async () => {
  gateway = await startGateway({
    policies: POLICIES,
    people: [
      { username: 'sam', name: 'Sam', groups: ['staff'] },
      { username: 'kim', name: 'Kim', groups: ['staff'] },
    ],
    apps: [
      {
        ...{ id: 'web', name: 'web', policy: 'plain', audience: ['staff'] },
        oidc: {
          redirect_uris: [CALLBACK],
          scopes: ['openid', 'profile', 'email'],
          grant_types: ['authorization_code', 'refresh_token'],
        },
      },
      program('machine'),
      program('reader', { tags: ['resource-server'] }),
      program('stranger'),
    ] as never,
  })
  const { apis, catalog } = gateway.server.house
  const api = {
    ...{ api: 'orders', name: 'orders', owner: 'it@kestrel.example', audience: 'urn:orders', policy: 'plain' },
    ...{ scopes: { 'orders:read': 'Read' }, token: { format: 'opaque' } },
  }
  const made = await apis.apply([{ file: 'apis/orders.yaml', text: JSON.stringify(api) }], { by: 'test' })
  const caller = {
    file: 'caller.yaml',
    text: JSON.stringify(program('caller', {}, { apis: { orders: ['orders:read'] } })),
  }
  const programs = await catalog.apps.apply([caller], { by: 'test' })
  expect([...made.problems, ...programs.problems]).toEqual([])
  for (const { id, clientSecret } of programs.changes) (gateway.secrets as Map<string, string>).set(id, clientSecret!)
  for (const id of ['machine', 'caller']) tokens.set(id, await tokenOf(id))
  for (const username of ['sam', 'kim']) {
    const browser = createBrowser({ stopAt: CALLBACK })
    const { tokens: given } = await signIn(browser, await relyingParty(gateway, 'web'), username)
    tokens.set(username, given.access_token)
    tokens.set(`${username}'s refresh token`, given.refresh_token!)
  }
})
afterAll(() => gateway.close())

const port = () => Number(new URL(gateway.issuer).port)
function ask(
  scheme: 'Basic' | 'basic',
  path: string,
  id: string,
  fields: Record<string, string> | string,
  headers: Record<string, string> = {},
  secret = gateway.secrets.get(id) ?? 'none',
): Promise<RawAnswer> {
  const authorization = `${scheme} ${Buffer.from(`${id}:${secret}`).toString('base64')}`
  const body = typeof fields === 'string' ? fields : new URLSearchParams(fields).toString()
  return sendRaw(port(), { method: 'POST', path, headers: { 'content-type': FORM, authorization, ...headers }, body })
}
const tokenOf = async (id: string): Promise<string> =>
  JSON.parse((await ask('Basic', '/oauth2/token', id, { grant_type: 'client_credentials' })).body).access_token

const orderOf = ({ headers }: RawAnswer) => Object.keys(headers).join()
/** Without the second in which it was signed. */
const signed = (jwt: string) => {
  const [header, claims] = jwt.split('.').map((part) => Buffer.from(part, 'base64url').toString())
  return [header, claims?.replace(/"iat":\d+,"iss":"[^"]+"}$/, '')]
}
const comparable = ({ status, headers, body }: RawAnswer) => {
  const { date: _, 'content-length': length, ...rest } = headers
  return {
    status,
    headers: Object.fromEntries(Object.entries(rest).sort()),
    lengthIsRight: Number(length) === Buffer.byteLength(body),
    // in the order of its members
    body: body.startsWith('ey') ? signed(body) : body.replace(/[0-9A-Z]{4}-[0-9A-Z]{4}/g, 'REFERENCE'),
  }
}

async function bothWays(...[id, fields, headers, secret]: [string, Record<string, string> | string, object?, string?]) {
  const send = (scheme: 'Basic' | 'basic') =>
    ask(scheme, '/oauth2/introspection', id, fields, headers as Record<string, string>, secret)
  const [short, long] = [await send('Basic'), await send('basic')]
  expect(comparable(short)).toEqual(comparable(long))
  return {
    status: short.status,
    body: short.body.startsWith('{') ? JSON.parse(short.body) : {},
    tookShort: orderOf(short) !== orderOf(long),
  }
}

test.each([
  ["an app's own token of a person", 'web', 'sam', {}],
  ["a person's token, by a resource server", 'reader', 'sam', {}],
  ["a program's own token", 'machine', 'machine', {}],
  ["a program's token, by a resource server", 'reader', 'machine', {}],
  ["a program's token for an API, by a resource server", 'reader', 'caller', {}],
  ['with the hint that it is an access token', 'reader', 'sam', { token_type_hint: 'access_token' }],
])('%s takes the short way, and the answer is the same', async (_, by, whose, more) => {
  const { status, body, tookShort } = await bothWays(by, { token: tokens.get(whose)!, ...more })
  expect([status, body.active, tookShort]).toEqual([200, true, true])
})

test.each([
  ['whoever wants JSON says so', { accept: 'application/json' }, true],
  ['or takes anything', { accept: '*/*' }, true],
  ['a signed answer is the engine’s', { accept: 'application/token-introspection+jwt' }, false],
  ['and one of several', { accept: 'application/json, application/token-introspection+jwt' }, false],
])('%s', async (_, headers, short) => {
  expect((await bothWays('reader', { token: tokens.get('machine')! }, headers)).tookShort).toBe(short)
})

test.each([
  ['a refresh token', 'web', () => ({ token: tokens.get("sam's refresh token")! }), true],
  [
    'with the hint that it is a refresh token',
    'web',
    () => ({ token: tokens.get('sam')!, token_type_hint: 'refresh_token' }),
    true,
  ],
  ['with a hint that nobody knows', 'web', () => ({ token: tokens.get('sam')!, token_type_hint: 'color' }), true],
  [
    "somebody else's token, without being a resource server",
    'stranger',
    () => ({ token: tokens.get('machine')! }),
    false,
  ],
  ['no token at all', 'reader', () => ({ token: '' }), undefined],
  ['a token that nobody gave', 'reader', () => ({ token: 'a'.repeat(43) }), false],
  ['one that reads itself', 'reader', () => ({ token: 'e30.e30.e30' }), undefined],
  ['one of 3,000 characters', 'reader', () => ({ token: 'a'.repeat(3000) }), false],
  ['a token with a blank behind it', 'reader', () => ({ token: `${tokens.get('machine')} ` }), false],
  ['with a parameter that nobody knows', 'reader', () => ({ token: tokens.get('machine')!, color: 'blue' }), true],
  ['a token twice', 'reader', () => `token=${tokens.get('machine')}&token=x`, undefined],
])('%s is answered by the engine alone', async (_, by, fields, active) => {
  const { body, tookShort } = await bothWays(by, fields())
  expect([body.active, tookShort]).toEqual([active, false])
})

test('a wrong secret is refused by the engine', async () => {
  const { status, tookShort } = await bothWays('reader', { token: tokens.get('machine')! }, {}, 'wrong')
  expect([status, tookShort]).toEqual([401, false])
})

test('what is over is not active from the next question on, and the engine says so', async () => {
  const { people, sessions, revocations } = gateway.server.house
  const active = async (whose: string) => {
    const { body, tookShort } = await bothWays('reader', { token: tokens.get(whose)! })
    expect(tookShort).toBe(body.active)
    return body.active as boolean
  }
  expect(await active('kim')).toBe(true)
  await people.disable(gateway.ids.get('kim')!, 'test')
  expect(await active('kim')).toBe(false)
  expect(await active('sam')).toBe(true)
  await sessions.endAll(gateway.ids.get('sam')!, 'test', 'test')
  expect(await active('sam')).toBe(false)
  expect(await active('caller')).toBe(true)
  await revocations.revoke({ kind: 'client', id: 'caller' }, 'test')
  expect(await active('caller')).toBe(false)
  await ask('Basic', '/oauth2/revocation', 'machine', { token: tokens.get('machine')! })
  expect(await active('machine')).toBe(false)
})
