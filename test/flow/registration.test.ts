/** Clients that register themselves (RFC 7591), and look after what is registered (RFC 7592). */
import * as oidc from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser, formOf } from '../../demo/browser.ts'
import { runCommand } from '../../src/cli/run.ts'
import { appsVerbs } from '../../src/cli/verbs/apps.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { CALLBACK, CLIENT, invite, register, send, startRegistering } from '../support/registering.ts'
import { typePassword } from '../support/relying-party.ts'

let gateway: Gateway
let now = Date.now()
beforeAll(async () => {
  gateway = await startRegistering({}, { clock: { now: () => now } })
  await gateway.server.house.people.add({ username: 'sam', name: 'Sam', groups: ['staff'], password: PASSWORD }, 'test')
})
afterAll(() => gateway?.close())
const apps = () => gateway.server.house.catalog.apps
const registered = async (body: object = CLIENT) => {
  const { status, body: told } = await register(gateway, await invite(gateway), body)
  expect([status, told]).toEqual([201, expect.anything()])
  return told as Record<string, string>
}

describe('a client with an invitation', () => {
  test('registers, is an app like every other under the rules of the settings, and signs people in who agree', async () => {
    const before = {
      client_name: 'Planner',
      redirect_uris: [CALLBACK],
      grant_types: ['authorization_code', 'refresh_token'],
    }
    const told = await registered({ ...before, scope: 'openid profile email', logo_uri: 'http://169.254.169.254/logo' })
    expect(told).toMatchObject({
      ...before,
      client_id: expect.stringMatching(/^client-[0-9a-f]{24}$/),
      client_secret: expect.any(String),
      client_secret_expires_at: 0,
      token_endpoint_auth_method: 'client_secret_basic',
      scope: 'openid profile',
      registration_access_token: expect.any(String),
      registration_client_uri: `${gateway.issuer}/oauth2/register/${told['client_id']}`,
    })
    expect(told).not.toHaveProperty('logo_uri')
    const id = told['client_id']!
    expect((await apps().list()).find((app) => app.id === id)).toMatchObject({
      ...{ name: 'Planner', policy: 'strangers', audience: ['staff'], firstParty: false, tags: ['self-registered'] },
      oidc: { apis: { orders: ['orders:read'] }, pkce: 'required' },
    })
    const configuration = await oidc.discovery(new URL(gateway.issuer), id, told['client_secret'], undefined, {
      execute: [oidc.allowInsecureRequests],
    })
    const verifier = oidc.randomPKCECodeVerifier()
    const url = oidc.buildAuthorizationUrl(configuration, {
      ...{ redirect_uri: CALLBACK, scope: 'openid profile', code_challenge_method: 'S256' },
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    })
    const browser = createBrowser({ stopAt: CALLBACK })
    const asked = await typePassword(browser, await browser.open(url.href), 'sam')
    const back = await browser.submit(formOf(asked, 'consent'), { answer: 'allow' })
    const tokens = await oidc.authorizationCodeGrant(configuration, back.url, { pkceCodeVerifier: verifier })
    expect(tokens.claims()).toMatchObject({ aud: id })
  })

  test('is registered by openid-client as well', async () => {
    const token = await invite(gateway)
    const configuration = await oidc.dynamicClientRegistration(
      new URL(gateway.issuer),
      { client_name: 'Planner', redirect_uris: [CALLBACK] },
      undefined,
      { initialAccessToken: token, execute: [oidc.allowInsecureRequests] },
    )
    expect(configuration.clientMetadata().client_id).toMatch(/^client-/)
  })

  test('registers as often as it says, until it is over, and only one of many at once', async () => {
    const twice = await invite(gateway, 2)
    const answers = await Promise.all(Array.from({ length: 10 }, () => register(gateway, twice, CLIENT)))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(2)
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(8)
    const late = await invite(gateway, 1, 60_000)
    now += 60_000
    expect(await register(gateway, late, CLIENT)).toMatchObject({ status: 401, body: { error: 'invalid_token' } })
  })

  test('does not use it up by what is refused', async () => {
    const token = await invite(gateway)
    expect(await register(gateway, token, { ...CLIENT, redirect_uris: [] })).toMatchObject({ status: 400 })
    expect(await register(gateway, token, CLIENT)).toMatchObject({ status: 201 })
  })
})

describe('a registered client', () => {
  test('reads, changes and removes what is registered, with its own token', async () => {
    const told = await registered({ ...CLIENT, token_endpoint_auth_method: 'client_secret_basic' })
    const [address, token] = [told['registration_client_uri']!, told['registration_access_token']!]
    const read = await send(address, token)
    expect(read).toMatchObject({ status: 200, body: { client_id: told['client_id'], client_name: 'Planner' } })
    // the secret is shown once
    expect(read.body).not.toHaveProperty('client_secret')
    const change = { client_id: told['client_id'], client_secret: told['client_secret'], client_name: 'Planner 2' }
    const uris = { redirect_uris: [CALLBACK, 'https://apps.example/cb'] }
    expect(await send(address, token, { ...change, ...uris }, { method: 'PUT' })).toMatchObject({
      status: 200,
      body: { client_name: 'Planner 2', ...uris },
    })
    expect(await apps().find(told['client_id']!)).toMatchObject({
      name: 'Planner 2',
      oidc: { redirectUris: uris.redirect_uris },
    })
    expect(await send(address, token, undefined, { method: 'DELETE' })).toMatchObject({ status: 204 })
    expect(await apps().find(told['client_id']!)).toBeUndefined()
    expect(await send(address, token)).toMatchObject({ status: 401 })
  })

  test('keeps what an administrator has decided since', async () => {
    const told = await registered({ ...CLIENT, scope: 'openid' })
    const id = told['client_id']!
    const text = JSON.stringify({
      ...{ id, name: 'Planner', policy: 'strangers', audience: ['few'], tags: ['watched'] },
      oidc: { ...{ redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none', scopes: ['openid'] } },
    })
    const { problems } = await apps().apply([{ file: 'a.yaml', text }], { by: 'test' })
    expect(problems).toEqual([])
    const change = { ...CLIENT, client_id: id, scope: 'openid profile', client_name: 'Other' }
    const answer = await send(told['registration_client_uri']!, told['registration_access_token'], change, {
      method: 'PUT',
    })
    expect(answer).toMatchObject({ status: 200, body: { scope: 'openid' } })
    expect(await apps().find(id)).toMatchObject({
      ...{ name: 'Other', audience: ['few'], tags: ['watched'], firstParty: true },
      oidc: { scopes: ['openid'], apis: {} },
    })
  })

  test('is ended like others: nothing is left of it, nor of its token', async () => {
    const told = await registered()
    await apps().remove(told['client_id']!, 'test')
    const [address, token] = [told['registration_client_uri']!, told['registration_access_token']]
    for (const method of ['GET', 'DELETE'])
      expect(await send(address, token, undefined, { method })).toMatchObject({ status: 401 })
    expect(await send(address, token, { ...CLIENT, client_id: told['client_id'] }, { method: 'PUT' })).toMatchObject({
      status: 401,
    })
  })
})

test('no more clients are taken than the settings say, and a place that becomes free is one', async () => {
  const few = await startRegistering({ most: 2 })
  const token = await invite(few, 20)
  const answers = await Promise.all(Array.from({ length: 6 }, () => register(few, token, CLIENT)))
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(2)
  expect(answers.find(({ status }) => status !== 201)).toMatchObject({ status: 403, body: { error: 'access_denied' } })
  const one = answers.find(({ status }) => status === 201)!
  await few.server.house.catalog.apps.remove(String(one.body['client_id']), 'test')
  expect(await register(few, token, CLIENT)).toMatchObject({ status: 201 })
  await few.close()
})

test('without the setting nobody registers, and nothing says so', async () => {
  const without = await startGateway()
  const metadata = async (of: Gateway) => (await fetch(`${of.issuer}/.well-known/openid-configuration`)).json()
  expect(await metadata(gateway)).toMatchObject({ registration_endpoint: `${gateway.issuer}/oauth2/register` })
  expect(await metadata(without)).not.toHaveProperty('registration_endpoint')
  expect((await fetch(`${without.issuer}/oauth2/register`, { method: 'POST' })).status).toBe(404)
  await without.close()
})

test('a command makes the invitation, and shows it once', async () => {
  const command = async (...words: string[]) => {
    const lines: string[] = []
    const out = (line: string) => void lines.push(line)
    const openHouse = async () => ({ ...gateway.server.house, close: async () => {} }) as never
    const code = await runCommand({ words: ['apps', 'invite', ...words], verbs: appsVerbs, openHouse, out, err: out })
    return { code, text: lines.join('\n') }
  }
  const { code, text } = await command('planners', '--uses', '2', '--life', '1h', '--json')
  expect(code).toBe(0)
  const { initial_access_token: token } = JSON.parse(text)
  expect(await register(gateway, token, CLIENT)).toMatchObject({ status: 201 })
  for (const wrong of [[], ['a', 'b'], ['a', '--uses', '0'], ['a', '--uses', '9999'], ['a', '--life', '1000d']])
    expect((await command(...wrong)).code, wrong.join(' ')).toBe(2)
})
