/**
 * Step-up at an API (RFC 9470), the whole way round: the API refuses, the app reads what is missing out of the challenge and asks
 * for it, the person proves it, and the call passes.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as oidc from 'openid-client'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createBrowser, formOf } from '../../demo/browser.ts'
import { giveTotp, movableClock } from '../abuse/people.ts'
import { applyApis, call } from '../api-access/house.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { atCallback, type Browser, CALLBACK, relyingParty, typePassword } from '../support/relying-party.ts'
import { totpCode } from '../support/totp.ts'

const HOST = 'api.kestrel.example'
const ORDERS = 'https://api.kestrel.example/orders'
const VAULT = 'https://api.kestrel.example/vault'
const clock = movableClock()
const orders = (format: 'jwt' | 'opaque') => ({
  ...{ api: 'orders', name: 'Orders', audience: ORDERS, policy: 'plain', token: { format, lifetime: '1h' } },
  scopes: { 'orders:read': 'Read', 'orders:pay': 'Pay' },
  gateway: {
    hosts: [HOST],
    rules: [
      { methods: ['GET'], paths: ['/orders/*'], scopes: ['orders:read'] },
      {
        methods: ['POST'],
        paths: ['/orders/pay/*'],
        scopes: ['orders:pay'],
        acr: ['two-factors', 'hardware'],
        max_age: '5m',
      },
      { methods: ['PUT'], paths: ['/orders/*'], scopes: ['orders:pay'], max_age: '5m' },
    ],
  },
})
const vault = {
  ...{ api: 'vault', name: 'Vault', audience: VAULT, policy: 'vault', token: { format: 'opaque', lifetime: '1h' } },
  scopes: { open: 'Open' },
  gateway: { hosts: ['vault.kestrel.example'], rules: [{ paths: ['/*'], scopes: ['open'] }] },
}

let gateway: Gateway
/** The API behind its proxy, which asks the gateway about each call. */
let api: Server
let address: string
let browser: Browser
let username: string
let secret: string
let people = 0

beforeAll(async () => {
  gateway = await startGateway({
    clock,
    policies: {
      ...POLICIES,
      'vault.yaml': 'policy: vault\nrules:\n  - { name: fresh, allow: { strength: any, within: 10m } }\n',
    },
    settings: { proxies: ['127.0.0.1'] },
    apps: [
      {
        ...{ id: 'shop', name: 'Shop', policy: 'plain', audience: ['staff'] },
        oidc: {
          ...{ redirect_uris: [CALLBACK], scopes: ['openid', 'offline_access'] },
          grant_types: ['authorization_code', 'refresh_token'],
          apis: { orders: ['orders:read', 'orders:pay'], vault: ['open'] },
        },
      },
      {
        id: 'machine',
        template: 'machine',
        policy: 'plain',
        oidc: { apis: { orders: ['orders:read', 'orders:pay'] } },
      },
    ] as never,
  })
  await applyApis(gateway, orders('jwt'), vault)
  api = createServer(async (request, response) => {
    const token = request.headers.authorization?.replace(/^Bearer /, '')
    const host = request.url!.startsWith('/vault') ? 'vault.kestrel.example' : HOST
    const said = await call(gateway, request.url!, token, { method: request.method!, host })
    const challenge = said.challenge === '' ? {} : { 'www-authenticate': said.challenge }
    response.writeHead(said.status, { 'content-type': 'application/json', ...challenge }).end('{}')
  })
  await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve))
  address = `http://127.0.0.1:${(api.address() as AddressInfo).port}`
})
afterAll(async () => {
  api?.close()
  await gateway?.close()
})
beforeEach(async () => {
  clock.at = Math.max(clock.at, Date.now())
  username = `person${++people}`
  const person = { username, name: username, groups: ['staff'], password: PASSWORD }
  const { id } = await gateway.server.house.people.add(person, 'test')
  secret = await giveTotp(gateway, id, clock.now())
  clock.at += 30_000
  browser = createBrowser({ stopAt: CALLBACK })
})

/** With whatever the person is asked for on the way. */
async function tokenFor(parameters: Record<string, string>, resource = ORDERS) {
  const party = await relyingParty(gateway, 'shop')
  const begun = await party.begin({ resource, ...parameters })
  let page = await browser.open(begun.url.href)
  const asked: string[] = []
  for (let i = 0; i < 4 && !atCallback(page); i++) {
    if (page.text.includes('value="identifier"')) {
      asked.push('password')
      page = await typePassword(browser, page, username)
    } else if (page.text.includes('name="password"')) {
      asked.push('password')
      page = await browser.submit(formOf(page, 'password'), { password: PASSWORD })
    } else {
      asked.push('totp')
      page = await browser.submit(formOf(page, 'totp'), { code: totpCode(secret, clock.now()) })
      clock.at += 30_000
    }
  }
  const checks = { pkceCodeVerifier: begun.verifier, expectedState: begun.state, expectedNonce: begun.nonce }
  const tokens = await oidc.authorizationCodeGrant(party.configuration, page.url, checks, { resource })
  return { token: tokens.access_token, tokens, asked, party }
}

type Challenges = { cause: { scheme: string; parameters: Record<string, string> }[] }

/** Answers the status, or what is missing as openid-client reads it. */
async function use(token: string, method: string, path: string) {
  const { configuration } = await relyingParty(gateway, 'shop')
  try {
    return (await oidc.fetchProtectedResource(configuration, token, new URL(path, address), method)).status
  } catch (error) {
    const [challenge] = (error as Challenges).cause
    return { scheme: challenge!.scheme, ...challenge!.parameters } as Record<string, string>
  }
}
const SCOPE = { scope: 'openid orders:read orders:pay' }

describe.each(['jwt', 'opaque'] as const)('an API with %s tokens whose file wants more for some calls', (format) => {
  test('refuses with what is missing; with that the person is asked, and the new token passes', async () => {
    await applyApis(gateway, orders(format))
    const first = await tokenFor(SCOPE)
    expect(await use(first.token, 'GET', '/orders/1')).toBe(200)
    const missing = (await use(first.token, 'POST', '/orders/pay/1')) as Record<string, string>
    expect(missing).toMatchObject({
      ...{ scheme: 'bearer', error: 'insufficient_user_authentication' },
      ...{ acr_values: 'two-factors hardware', max_age: '300' },
    })
    const { acr_values, max_age } = missing
    const second = await tokenFor({ ...SCOPE, acr_values: acr_values!, max_age: max_age! })
    expect(second.asked).toEqual(['totp'])
    expect(await use(second.token, 'POST', '/orders/pay/1')).toBe(200)
    // what was given before is worth what it was
    expect(await use(first.token, 'POST', '/orders/pay/1')).toMatchObject({ acr_values: 'two-factors hardware' })
  })

  test('refuses what has become too old, and a refresh makes it no younger', async () => {
    await applyApis(gateway, orders(format))
    const { token, tokens, party } = await tokenFor(SCOPE)
    expect(await use(token, 'PUT', '/orders/1')).toBe(200)
    clock.at += 301_000
    const missing = (await use(token, 'PUT', '/orders/1')) as Record<string, string>
    expect([missing['error'], missing['acr_values'], missing['max_age']]).toEqual([
      ...['insufficient_user_authentication', undefined, '300'],
    ])
    const refreshed = await oidc.refreshTokenGrant(party.configuration, tokens.refresh_token!, { resource: ORDERS })
    expect(await use(refreshed.access_token, 'PUT', '/orders/1')).toMatchObject({ max_age: '300' })
    const again = await tokenFor({ ...SCOPE, max_age: missing['max_age']! })
    expect(again.asked).toHaveLength(1)
    expect(await use(again.token, 'PUT', '/orders/1')).toBe(200)
    clock.at = Date.now()
  })

  test('lets no program in where somebody has to have signed in', async () => {
    const answer = await fetch(`${gateway.issuer}/oauth2/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`machine:${gateway.secrets.get('machine')}`)}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: ORDERS }),
    })
    const { access_token: token } = (await answer.json()) as { access_token: string }
    expect(await use(token, 'GET', '/orders/1')).toBe(200)
    expect(await use(token, 'PUT', '/orders/1')).toMatchObject({ error: 'insufficient_user_authentication' })
  })
})

test('a policy that wants it fresh says how fresh, and is content with what the challenge leads to', async () => {
  const first = await tokenFor({ scope: 'openid open' }, VAULT)
  expect(await use(first.token, 'GET', '/vault')).toBe(200)
  clock.at += 601_000
  const missing = (await use(first.token, 'GET', '/vault')) as Record<string, string>
  expect(missing).toMatchObject({ error: 'insufficient_user_authentication', acr_values: 'any', max_age: '600' })
  const again = await tokenFor({ scope: 'openid open', max_age: missing['max_age']! }, VAULT)
  expect(again.asked).toHaveLength(1)
  expect(await use(again.token, 'GET', '/vault')).toBe(200)
  clock.at = Date.now()
})

describe('a file', () => {
  const withRule = (rule: object, gatewayMore: object = {}) => ({
    ...orders('jwt'),
    gateway: { hosts: [HOST], rules: [{ paths: ['/*'], scopes: ['orders:read'], ...rule }], ...gatewayMore },
  })
  test.each([
    [
      'a strength that does not exist',
      withRule({ acr: ['two-factor'] }),
      'strength-unknown',
      'did you mean `two-factors`?',
      '"two-factor"',
    ],
    [
      'a network that does not exist',
      withRule({}, { networks: ['her'] }),
      'network-unknown',
      'did you mean `here`?',
      '"her"',
    ],
    ['no time', withRule({ max_age: 'soon' }), undefined, 'duration', '"soon"'],
    [
      'a sign-in for everybody',
      withRule({ scopes: undefined, access: 'public', max_age: '5m' }),
      undefined,
      'without `access`',
      '"rules"',
    ],
  ])('with %s is refused, with its place', async (_, file, code, said, where) => {
    const text = JSON.stringify(file, null, 1)
    const { problems, changes } = await gateway.server.house.apis.apply([{ file: 'orders.yaml', text }], { by: 'test' })
    expect(changes.filter(({ action }) => action !== 'unchanged')).toEqual([])
    expect(problems).toHaveLength(1)
    expect(problems[0]!.message).toContain(said)
    if (code !== undefined) expect(problems[0]!.code).toBe(code)
    const line = text.split('\n').findIndex((one) => one.includes(where)) + 1
    expect([line, line + 1]).toContain(problems[0]!.line)
  })

  test('with a network of countries is refused: a gateway compares addresses', async () => {
    const { readApis } = await import('../../src/apis/reading.ts')
    const zones = new Map([['home', { countries: new Set(['NL']) }]])
    const text = JSON.stringify(withRule({}, { networks: ['home'] }))
    const inForce = { names: ['plain'], strengths: ['any'], zones }
    expect((await readApis([{ file: 'a.yaml', text }], inForce)).problems).toMatchObject([{ code: 'network-unusable' }])
  })
})
