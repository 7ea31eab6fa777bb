/** We authenticate to a provider with our own key (`private_key_jwt`, RFC 7523 §2.2): nobody keeps a secret. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { headingOf } from '../../demo/browser.ts'
import { movableClock } from '../abuse/people.ts'
import { anApp, browserOf, goThere, PARTNER, signInThere } from '../support/federation.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { freePort } from '../support/ports.ts'
import { atCallback, relyingParty } from '../support/relying-party.ts'

const clock = movableClock()
let provider: Gateway
let gateway: Gateway
const everybody = 'policy: partner\nrules:\n  - { name: everybody, allow: {} }\n'
const about = { name: 'The gateway next door', policy: 'partner', audience: ['*'] }
const atTheProvider = (id: string, keys: object) => ({
  ...about,
  id,
  oidc: {
    redirect_uris: [`${gateway.issuer}/signin/back/${PARTNER}`],
    scopes: ['openid', 'profile'],
    token_endpoint_auth_method: 'private_key_jwt',
    ...keys,
  },
})

/** A gateway that knows the provider under this client id. */
async function ours(client: string, port: number): Promise<Gateway> {
  const directory = {
    id: PARTNER,
    kind: 'oidc',
    issuer: provider.issuer,
    client_id: client,
    client_authentication: 'private_key_jwt',
    scopes: ['openid', 'profile'],
    newcomers: 'create',
    groups: { everybody: ['staff'] },
  }
  return startGateway({
    clock,
    port,
    policies: POLICIES,
    apps: [anApp('web')] as never,
    settings: { directories: [{ id: 'local', kind: 'local' }, directory] },
  })
}
const register = (app: object) => provider.server.house.catalog.apps.register(app as never, 'test')
const published = async ({ issuer }: Gateway) =>
  (await (await fetch(`${issuer}/oauth2/jwks`)).json()) as { keys: { kid: string; alg: string }[] }

beforeAll(async () => {
  provider = await startGateway({
    clock,
    host: '127.0.0.1',
    people: [{ username: 'ann', name: 'Ann' }],
    policies: { ...POLICIES, 'partner.yaml': everybody },
  })
  gateway = await ours('portico', await freePort())
})
afterAll(async () => {
  await gateway?.close()
  await provider?.close()
})

const open = async (at: Gateway) => {
  const party = await relyingParty(at, 'web')
  const begun = await party.begin()
  const browser = browserOf()
  const page = await goThere(browser, await browser.open(begun.url.href))
  return { browser, page, finish: (url: URL) => party.finish(begun, url) }
}

test('a provider that reads our published keys lets us sign people in', async () => {
  await register(atTheProvider('portico', { jwks_uri: `${gateway.issuer}/oauth2/jwks` }))
  const { browser, page, finish } = await open(gateway)
  expect(page.url.origin).toBe(provider.issuer)
  const claims = (await finish((await signInThere(browser, page, 'ann')).url)).claims()!
  expect(await gateway.server.house.people.byId(claims.sub)).toMatchObject({ directory: PARTNER, name: 'Ann' })
})

test('so does one that was given our keys, and one that was given other keys lets nobody go on', async () => {
  const [first, second] = await Promise.all([freePort(), freePort()])
  const right = await ours('with-keys', first)
  const wrong = await ours('with-other-keys', second)
  try {
    const redirect = (at: Gateway) => [`${at.issuer}/signin/back/${PARTNER}`]
    await register(atTheProvider('with-keys', { redirect_uris: redirect(right), jwks: await published(right) }))
    // of somebody else, under the name of ours
    const [own, others] = [await published(wrong), await published(right)]
    const keys = others.keys.map((key) => ({ ...key, kid: own.keys.find(({ alg }) => alg === key.alg)!.kid }))
    await register(atTheProvider('with-other-keys', { redirect_uris: redirect(wrong), jwks: { keys } }))

    const there = await open(right)
    expect(atCallback(await signInThere(there.browser, there.page, 'ann'))).toBe(true)

    const { page } = await open(wrong)
    expect(page.url.origin).toBe(wrong.issuer)
    expect(page.status).toBe(502)
    expect(headingOf(page)).toBe('Sign in')
    const [reference] = /E-[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(page.text)!
    const line = wrong
      .log()
      .split('\n')
      .find((one) => one.includes('"upstream-refused"') && one.includes(reference))
    expect(line).toContain('it said `invalid_client`')
  } finally {
    await right.close()
    await wrong.close()
  }
})
