/** Apps that call an API for somebody: the person's token for it, under the policy of the API as well as the app's. */
import { createLocalJWKSet, jwtVerify } from 'jose'
import * as oidc from 'openid-client'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createBrowser, formOf } from '../../demo/browser.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { atCallback, type Browser, CALLBACK, relyingParty, signIn, typePassword } from '../support/relying-party.ts'

const ORDERS = 'https://api.kestrel.example/orders'
const VAULT = 'https://api.kestrel.example/vault'
const policy = (name: string, ...rules: string[]) =>
  `policy: ${name}\nrules:\n${rules.map((r) => `  - ${r}\n`).join('')}`
const grants = { grant_types: ['authorization_code', 'refresh_token'] }
const app = (id: string, apis: object, more: object = {}) => ({
  ...{ id, name: `App ${id}`, policy: 'open', audience: ['staff'] },
  oidc: { redirect_uris: [CALLBACK], scopes: ['openid', 'profile', 'offline_access'], apis, ...grants },
  ...more,
})
const BOTH = { orders: ['orders:read', 'orders:write'], vault: ['open'] }

let gateway: Gateway
let browser: Browser
let username: string
let id: string
let count = 0
beforeAll(async () => {
  gateway = await startGateway({
    policies: {
      ...POLICIES,
      'open.yaml': policy('open', '{ name: r, allow: {} }'),
      'orders.yaml': policy(
        'orders',
        '{ name: not them, when: { user.groups: [barred] }, deny: { say: No. } }',
        '{ name: trainees, when: { user.groups: [trainees] }, allow: { scopes: [orders:read], token: { max: 1m } } }',
        '{ name: r, allow: {} }',
      ),
      'vault.yaml': policy('vault', '{ name: twice, allow: { strength: two-factors } }'),
    },
    apps: [app('shop', BOTH), app('partner', BOTH, { first_party: false }), app('plain', {})] as never,
  })
  const api = (id: string, audience: string, scopes: object) =>
    ({ file: `${id}.yaml`, text: JSON.stringify({ api: id, name: id, audience, policy: id, scopes }) }) as const
  const { problems } = await gateway.server.house.apis.apply(
    [
      api('orders', ORDERS, {
        'orders:read': { en: 'Read your orders', nl: 'Uw bestellingen lezen' },
        'orders:write': 'Change your orders',
      }),
      api('vault', VAULT, { open: 'Open it' }),
    ],
    { by: 'test' },
  )
  expect(problems).toEqual([])
})
afterAll(() => gateway.close())
beforeEach(async () => {
  username = `person${++count}`
  await add('staff')
  browser = createBrowser({ stopAt: CALLBACK })
})
async function add(...groups: string[]) {
  const person = { username, name: username, groups, password: PASSWORD }
  id = (await gateway.server.house.people.add(person, 'test')).id
}
const join = (...groups: string[]) => {
  username = `person${++count}`
  return add('staff', ...groups)
}

const ASK = { resource: ORDERS, scope: 'openid orders:read orders:write' }

/** With what the app has, a token for the API. */
async function tokenFor(id: string, parameters: Record<string, string> = ASK) {
  const party = await relyingParty(gateway, id)
  const begun = await party.begin(parameters)
  let page = await browser.open(begun.url.href)
  if (!atCallback(page)) page = await typePassword(browser, page, username)
  if (!atCallback(page) && page.text.includes('name="answer"')) {
    page = await browser.submit(formOf(page, 'consent'), { answer: 'allow' })
  }
  const tokens = await oidc.authorizationCodeGrant(
    party.configuration,
    page.url,
    { pkceCodeVerifier: begun.verifier, expectedState: begun.state, expectedNonce: begun.nonce },
    { resource: parameters['resource']! },
  )
  return { tokens, party }
}

async function read(jwt: string, audience = ORDERS) {
  const jwks = await (await fetch(`${gateway.issuer}/oauth2/jwks`)).json()
  const options = { issuer: gateway.issuer, audience, typ: 'at+jwt' }
  return (await jwtVerify(jwt, createLocalJWKSet(jwks), options)).payload
}

describe("a person's token for an API", () => {
  test('names the person, the app, and how strongly and when they signed in', async () => {
    const { tokens } = await tokenFor('shop')
    const claims = await read(tokens.access_token)
    expect(claims).toMatchObject({ sub: id, client_id: 'shop', scope: 'orders:read orders:write', acr: 'any' })
    expect(claims['auth_time']).toEqual(expect.any(Number))
    expect(tokens.expires_in).toBe(300)
  })

  test('is narrower and shorter where a rule of the API says so', async () => {
    await join('trainees')
    const { tokens, party } = await tokenFor('shop')
    expect([tokens.scope, tokens.expires_in]).toEqual(['orders:read', 60])
    const again = await oidc.refreshTokenGrant(party.configuration, tokens.refresh_token!, { resource: ORDERS })
    expect([again.scope, again.expires_in]).toEqual(['orders:read', 60])
    expect(await read(again.access_token)).toMatchObject({ scope: 'orders:read' })
  })

  test('is not given to whom the policy of the API refuses: the app hears it with the reference', async () => {
    await join('barred')
    const party = await relyingParty(gateway, 'shop')
    const begun = await party.begin(ASK)
    let page = await browser.open(begun.url.href)
    page = await typePassword(browser, page, username)
    expect(atCallback(page)).toBe(true)
    expect(page.url.searchParams.get('error')).toBe('access_denied')
    const [reference] = /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(page.url.searchParams.get('error_description')!)!
    expect(await gateway.server.house.receipts.find(reference)).toMatchObject({ policy: 'orders', rule: 'not them' })
    // the app itself is open to them
    expect(await signIn(browser, party, username, { scope: 'openid' })).toMatchObject({ tokens: {} })
  })

  test('ends with the refresh where they are refused later', async () => {
    const { tokens, party } = await tokenFor('shop')
    await gateway.server.house.people.addToGroup(id, 'barred', 'test')
    const refresh = oidc.refreshTokenGrant(party.configuration, tokens.refresh_token!, { resource: ORDERS })
    await expect(refresh).rejects.toMatchObject({ error: 'invalid_grant' })
  })

  test('waits for what the policy of the API wants: a second factor is asked for on the way', async () => {
    const party = await relyingParty(gateway, 'shop')
    const begun = await party.begin({ resource: VAULT, scope: 'openid open' })
    let page = await browser.open(begun.url.href)
    page = await typePassword(browser, page, username)
    // nobody gets further with a password: there is a page that says what is missing
    expect(atCallback(page)).toBe(false)
    expect(page.url.pathname).toMatch(/^\/signin\//)
    const another = createBrowser({ stopAt: CALLBACK })
    expect(await signIn(another, party, username, { scope: 'openid' })).toMatchObject({ tokens: {} })
  })

  test('of an app that is not ours is asked for in the words of the API, once', async () => {
    const party = await relyingParty(gateway, 'partner')
    const begun = await party.begin(ASK)
    const first = await typePassword(browser, await browser.open(begun.url.href), username)
    expect(first.text).toContain('orders: Read your orders')
    expect(first.text).toContain('orders: Change your orders')
    const dutch = await browser.open(`${first.url.href}${first.url.search ? '&' : '?'}lang=nl`)
    expect(dutch.text).toContain('orders: Uw bestellingen lezen')
    const page = await browser.submit(formOf(dutch, 'consent'), { answer: 'allow' })
    expect(atCallback(page)).toBe(true)
    const { tokens } = await tokenFor('partner')
    expect(await read(tokens.access_token)).toMatchObject({ scope: 'orders:read orders:write' })
    const account = await browser.open(`${gateway.issuer}/account`)
    expect(account.text).toContain('orders: Uw bestellingen lezen')
  })

  test.each([
    ['an app without APIs', 'plain', ASK],
    ['an API that nobody has registered', 'shop', { ...ASK, resource: 'https://api.kestrel.example/none' }],
  ])('is refused at once for %s', async (_, id, parameters) => {
    const party = await relyingParty(gateway, id)
    const { url } = await party.begin(parameters)
    const page = await browser.open(url.href)
    expect(page.url.searchParams.get('error')).toBe('invalid_target')
  })

  test('is not had by asking for another API when the code is redeemed', async () => {
    const party = await relyingParty(gateway, 'shop')
    const begun = await party.begin(ASK)
    const page = await typePassword(browser, await browser.open(begun.url.href), username)
    const redeem = oidc.authorizationCodeGrant(
      party.configuration,
      page.url,
      { pkceCodeVerifier: begun.verifier, expectedState: begun.state, expectedNonce: begun.nonce },
      { resource: VAULT },
    )
    await expect(redeem).rejects.toMatchObject({ error: 'invalid_target' })
  })

  test('is of no use at userinfo, and the one for userinfo names no API', async () => {
    const { tokens } = await tokenFor('shop')
    const answer = await fetch(`${gateway.issuer}/oauth2/userinfo`, {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    })
    expect(answer.status).toBe(401)
  })
})
