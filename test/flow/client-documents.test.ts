/** Clients that nobody registers: their id is the address of a document, and they get what the settings say. */
import * as oidc from 'openid-client'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { minutes } from '#core/clock'
import { createBrowser, formOf } from '../../demo/browser.ts'
import { applyApis } from '../api-access/house.ts'
import { type DocumentHost, startDocumentHost } from '../support/client-documents.ts'
import { type Gateway, PASSWORD, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { atCallback, type Browser, CALLBACK, relyingParty, typePassword } from '../support/relying-party.ts'

const ORDERS = 'https://api.kestrel.example/orders'
const PUBLIC = { redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none' }
let gateway: Gateway
let documents: DocumentHost
let browser: Browser
let username: string
let count = 0
let now = Date.now()

beforeAll(async () => {
  documents = await startDocumentHost()
  gateway = await startGateway({
    clock: { now: () => now },
    policies: {
      ...POLICIES,
      'strangers.yaml':
        'policy: strangers\nrules:\n  - { name: not them, when: { user.groups: [barred] }, deny: { say: No. } }\n  - { name: r, allow: {} }\n',
    },
    settings: {
      outbound: { allow: ['127.0.0.0/8'] },
      client_documents: {
        hosts: [documents.host],
        policy: 'strangers',
        audience: ['staff'],
        scopes: ['openid', 'profile', 'offline_access'],
        apis: { orders: ['orders:read'] },
        cache: '10m',
      },
    },
  })
  await applyApis(gateway, {
    ...{ api: 'orders', name: 'Orders', audience: ORDERS, policy: 'strangers' },
    scopes: { 'orders:read': 'Read orders', 'orders:write': 'Change orders' },
  })
})
afterAll(async () => {
  await gateway?.close()
  await documents?.close()
})
beforeEach(async () => {
  browser = createBrowser({ stopAt: CALLBACK })
  await add('staff')
})
async function add(...groups: string[]) {
  username = `person${++count}`
  await gateway.server.house.people.add({ username, name: username, groups, password: PASSWORD }, 'test')
}

async function open(id: string, parameters: Record<string, string> = {}) {
  const party = await relyingParty(gateway, id, oidc.None())
  const begun = await party.begin({ scope: 'openid profile', ...parameters })
  let page = await browser.open(begun.url.href)
  if (!atCallback(page) && page.text.includes('name="username"')) page = await typePassword(browser, page, username)
  return { party, begun, page }
}
const agree = (page: Awaited<ReturnType<Browser['open']>>) =>
  browser.submit(formOf(page, 'consent'), { answer: 'allow' })

describe('a client that says at its address what it is', () => {
  test('lets people in who agree, under its name and its host, and gets no more than the settings say', async () => {
    const id = documents.put('/app', {
      ...PUBLIC,
      ...{ client_name: 'Nice app', scope: 'openid profile email groups', first_party: true, audience: ['*'] },
      ...{ policy: 'open', apis: { orders: ['orders:write'] }, tags: ['resource-server'] },
    })
    const { party, begun, page } = await open(id)
    expect(page.text).toContain(`Nice app (${documents.host})`)
    const back = await agree(page)
    const tokens = await party.finish(begun, back.url)
    expect(tokens.claims()).toMatchObject({ aud: id })
    const app = await gateway.server.house.catalog.apps.find(id)
    expect(app).toMatchObject({
      ...{ id, firstParty: false, policy: 'strangers', audience: ['staff'], tags: ['client-document'] },
      oidc: { scopes: ['openid', 'profile'], apis: { orders: ['orders:read'] }, grantTypes: ['authorization_code'] },
    })
    // nobody has registered it
    expect((await gateway.server.house.catalog.apps.list()).map((one) => one.id)).not.toContain(id)
  })

  test('asks each time, also whoever has agreed before', async () => {
    const id = documents.put('/again', PUBLIC)
    await agree((await open(id)).page)
    const { page } = await open(id)
    expect(page.text).toContain('name="answer"')
    const { page: silent } = await open(id, { prompt: 'none' })
    expect(silent.url.searchParams.get('error')).toBe('consent_required')
  })

  test('is closed for whom its policy refuses, and for whom it is not meant', async () => {
    const id = documents.put('/closed', PUBLIC)
    await add('staff', 'barred')
    expect((await open(id)).page.text).not.toContain('name="answer"')
    browser = createBrowser({ stopAt: CALLBACK })
    await add('visitors')
    expect((await open(id)).page.text).not.toContain('name="answer"')
  })

  test('proves who it is by its own keys, gets tokens for an API, and refreshes them', async () => {
    const { publicKey, privateKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
      'sign',
      'verify',
    ])
    const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey)
    const id = documents.put('/keyed', {
      redirect_uris: [CALLBACK],
      token_endpoint_auth_method: 'private_key_jwt',
      grant_types: ['authorization_code', 'refresh_token'],
      jwks: { keys: [{ kty, crv, x, y, kid: 'k' }] },
    })
    const party = await relyingParty(gateway, id, oidc.PrivateKeyJwt({ key: privateKey, kid: 'k' }))
    const begun = await party.begin({ scope: 'openid offline_access orders:read orders:write', resource: ORDERS })
    const page = await agree(await typePassword(browser, await browser.open(begun.url.href), username))
    const checks = { pkceCodeVerifier: begun.verifier, expectedState: begun.state, expectedNonce: begun.nonce }
    const tokens = await oidc.authorizationCodeGrant(party.configuration, page.url, checks, { resource: ORDERS })
    expect(tokens.scope).toBe('orders:read')
    const again = await oidc.refreshTokenGrant(party.configuration, tokens.refresh_token!, { resource: ORDERS })
    expect(again.scope).toBe('orders:read')
    // without the key nobody is that client
    const other = await relyingParty(gateway, id, oidc.None())
    await expect(oidc.refreshTokenGrant(other.configuration, again.refresh_token!)).rejects.toMatchObject({
      error: 'invalid_client',
    })
  })

  test('is read again when its time is over, or earlier where it says so; one that is gone lets nobody in', async () => {
    const times = (path: string) => documents.asked.filter((asked) => asked === path).length
    const long = documents.put('/long', PUBLIC, { 'cache-control': 'max-age=999999' })
    const short = documents.put('/short', PUBLIC, { 'cache-control': 'public, max-age=120' })
    for (const id of [long, short, long, short]) await open(id)
    expect([times('/long'), times('/short')]).toEqual([1, 1])
    now += minutes(3)
    for (const id of [long, short]) await open(id)
    expect([times('/long'), times('/short')]).toEqual([1, 2])
    documents.put('/long', (response) => void response.writeHead(410).end())
    now += minutes(8)
    const { page } = await open(long)
    expect([page.status, times('/long')]).toEqual([400, 2])
  })
})

test('metadata says that such clients are taken, and only where they are', async () => {
  const read = async (from: Gateway) =>
    (await (await fetch(`${from.issuer}/.well-known/oauth-authorization-server`)).json()) as Record<string, unknown>
  expect(await read(gateway)).toMatchObject({ client_id_metadata_document_supported: true })
  const without = await startGateway()
  expect(await read(without)).not.toHaveProperty('client_id_metadata_document_supported')
  const id = documents.put('/off', PUBLIC)
  const url = `${without.issuer}/oauth2/auth?client_id=${encodeURIComponent(id)}&response_type=code`
  expect((await fetch(url, { redirect: 'manual' })).status).toBe(400)
  expect(documents.asked).not.toContain('/off')
  await without.close()
})
