/** Registered apps: when they are valid, who wins, what is kept secret. */
import { afterEach, describe, expect, test } from 'vitest'
import type { Manifest } from '#catalog'
import { folder, openHouse, type TestHouse } from './house.ts'

const open: TestHouse[] = []
const house = async (options: Parameters<typeof openHouse>[0] = {}) => {
  const opened = await openHouse(options)
  open.push(opened)
  return opened
}
afterEach(async () => {
  for (const opened of open.splice(0)) await opened.close()
})

const GRAFANA: Manifest = {
  id: 'grafana',
  template: 'grafana',
  inputs: { base_url: 'https://grafana.example.com' },
  audience: ['staff'],
}
const BARE: Manifest = {
  id: 'bare',
  policy: 'default',
  audience: ['staff'],
  oidc: { redirect_uris: ['https://bare.example.com/cb'] },
}
const bare = (oidc: Manifest['oidc'], more: Partial<Manifest> = {}): Manifest => ({
  ...BARE,
  ...more,
  oidc: { ...BARE.oidc, ...oidc },
})
const PUBLIC_KEY = { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', kid: '1' }

test('one address and an audience register an app from its template', async () => {
  const { catalog, audit } = await house()
  const { app, clientSecret } = await catalog.apps.register(GRAFANA, 'cli')
  expect(app).toMatchObject({
    id: 'grafana',
    name: 'Grafana',
    template: 'grafana',
    policy: 'default',
    audience: ['staff'],
    tags: ['monitoring', 'it'],
    tier: 'standard',
    firstParty: true,
    oidc: {
      clientId: 'grafana',
      redirectUris: ['https://grafana.example.com/login/generic_oauth'],
      pkce: 'required',
      responseTypes: ['code'],
      grantTypes: ['authorization_code'],
    },
  })
  expect(clientSecret).toMatch(/^[A-Za-z0-9_-]{43}$/)
  expect(await audit.search({ app: 'grafana' })).toMatchObject([{ event: 'app-registered', actor: 'cli' }])
})

test('the address may end in a slash, which no redirect URI inherits', async () => {
  const { catalog } = await house()
  const { app } = await catalog.apps.register(
    { ...GRAFANA, inputs: { base_url: 'https://grafana.example.com/' } },
    'cli',
  )
  expect(app.oidc?.redirectUris).toEqual(['https://grafana.example.com/login/generic_oauth'])
})

describe('an app does not validate', () => {
  test.each<[string, Manifest, string]>([
    ['without a policy', { ...BARE, policy: undefined } as never, 'policy-missing'],
    ['without an audience', { ...BARE, audience: [] }, 'audience-missing'],
    ['with everybody next to a group', { ...BARE, audience: ['*', 'staff'] }, 'audience-ambiguous'],
    ['with an id that is none', { ...BARE, id: '../bare' }, 'invalid'],
    ['with a key that nobody knows', { ...BARE, firstParty: true } as never, 'invalid'],
    ['without a redirect URI', bare({ redirect_uris: [] }), 'redirect-mismatch'],
    ['with a redirect URI that scripts', bare({ redirect_uris: ['javascript:alert(1)'] }), 'address-unsafe'],
    [
      'with a post-logout address in plain http',
      bare({ post_logout_redirect_uris: ['http://bare.example.com/'] }),
      'address-unsafe',
    ],
    [
      'with a logout endpoint in a private-use scheme',
      bare({ backchannel_logout_uri: 'com.example:/x' }),
      'address-unsafe',
    ],
    [
      'with a front-channel logout address of somebody else',
      bare({ frontchannel_logout_uri: 'https://bare.example.com:8443/out' }),
      'front-channel-elsewhere',
    ],
    [
      'with a front-channel logout address in a private-use scheme',
      bare({ frontchannel_logout_uri: 'com.example:/x' }),
      'address-unsafe',
    ],
    [
      'as a public client without PKCE',
      bare({ token_endpoint_auth_method: 'none', pkce: 'optional' }),
      'pkce-required',
    ],
    ['with private_key_jwt and no keys', bare({ token_endpoint_auth_method: 'private_key_jwt' }), 'keys-missing'],
    [
      'with two sources of keys',
      bare({
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [PUBLIC_KEY] } as never,
        jwks_uri: 'https://bare.example.com/jwks',
      }),
      'keys-missing',
    ],
    [
      'with a private key',
      bare({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [{ ...PUBLIC_KEY, d: 'AA' }] } as never }),
      'keys-private',
    ],
    ['with keys and a secret', bare({ jwks_uri: 'https://bare.example.com/jwks' }), 'keys-unused'],
    [
      'with a refresh token for nobody',
      bare({ redirect_uris: [], scopes: [], grant_types: ['client_credentials', 'refresh_token'] }, { audience: [] }),
      'refresh-alone',
    ],
    [
      'as a public machine',
      bare(
        { redirect_uris: [], scopes: [], grant_types: ['client_credentials'], token_endpoint_auth_method: 'none' },
        { audience: [] },
      ),
      'machine-public',
    ],
    [
      'as a machine with an audience',
      bare({ redirect_uris: [], scopes: [], grant_types: ['client_credentials'] }),
      'audience-unused',
    ],
    ['with sign-in but without openid', bare({ scopes: ['profile'] }), 'scope-openid'],
    ['with an input that its template does not have', { ...GRAFANA, inputs: { base_uri: 'x' } }, 'input-unknown'],
    ['without an input that its template needs', { ...GRAFANA, inputs: {} }, 'input-missing'],
    [
      'with an input in plain http',
      { ...GRAFANA, inputs: { base_url: 'http://grafana.example.com' } },
      'input-invalid',
    ],
  ])('%s', async (_, manifest, code) => {
    const { catalog } = await house()
    expect((await catalog.apps.check(manifest)).map((issue) => issue.code)).toContain(code)
    await expect(catalog.apps.register(manifest, 'cli')).rejects.toMatchObject({ code: 'app-invalid' })
    expect(await catalog.apps.list()).toEqual([])
  })

  test('with a policy that does not exist, where the policies are known', async () => {
    const { catalog } = await house({ policyNames: () => ['default', 'store-apps'] })
    const issues = await catalog.apps.check({ ...BARE, policy: 'store-app' })
    expect(issues).toMatchObject([
      { code: 'policy-unknown', message: expect.stringContaining('did you mean `store-apps`?') },
    ])
  })
})

test('a machine has neither people nor redirect URIs', async () => {
  const { catalog } = await house()
  const { app, clientSecret } = await catalog.apps.register(
    { id: 'stock-sync', template: 'machine', oidc: { scopes: ['orders:read'] } },
    'cli',
  )
  expect(app).toMatchObject({
    audience: [],
    oidc: { redirectUris: [], responseTypes: [], grantTypes: ['client_credentials'], scopes: ['orders:read'] },
  })
  expect(clientSecret).toBeDefined()
})

test('of two registrations of one id at the same time exactly one wins, and its secret is the one that counts', async () => {
  const { catalog } = await house()
  const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => catalog.apps.register(GRAFANA, 'cli')))
  const won = outcomes.filter((outcome) => outcome.status === 'fulfilled')
  expect(won).toHaveLength(1)
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'app-exists' })
  }
  expect((await catalog.apps.find('grafana'))?.oidc?.clientSecret).toBe(won[0]!.value.clientSecret)
})

test('a secret is on the app that was looked up, and in nothing that is written out', async () => {
  const { catalog, storage } = await house()
  const { app, clientSecret } = await catalog.apps.register(GRAFANA, 'cli')
  const found = await catalog.apps.find('grafana')
  expect(found?.oidc?.clientSecret).toBe(clientSecret)
  const rows = await storage.records
    .withTables<{ apps: Record<string, unknown> }>()
    .selectFrom('apps')
    .selectAll()
    .execute()
  const everything = [
    JSON.stringify([app, found, await catalog.apps.list(), { ...found }, { ...found?.oidc }]),
    await catalog.apps.export('grafana'),
    JSON.stringify(rows),
  ]
  for (const text of everything) expect(text).not.toContain(clientSecret!)
  expect((await catalog.apps.list())[0]?.oidc?.clientSecret).toBeUndefined()
})

test('a sealed secret does not open in another app', async () => {
  const { catalog, storage } = await house()
  await catalog.apps.register(GRAFANA, 'cli')
  await catalog.apps.register(BARE, 'cli')
  const apps = storage.records.withTables<{ apps: { id: string; secret: string | null } }>()
  const row = await apps.selectFrom('apps').select('secret').where('id', '=', 'bare').executeTakeFirstOrThrow()
  await apps.updateTable('apps').set({ secret: row.secret }).where('id', '=', 'grafana').execute()
  await catalog.apps.remove('bare', 'cli')
  await expect(catalog.apps.find('grafana')).rejects.toMatchObject({ code: 'sealed-record-invalid' })
})

test('rotation replaces the secret at once; an app without one cannot rotate', async () => {
  const { catalog, audit } = await house()
  const { clientSecret: first } = await catalog.apps.register(GRAFANA, 'cli')
  await catalog.apps.find('grafana')
  const { clientSecret: second } = await catalog.apps.rotateSecret('grafana', 'cli')
  expect(second).not.toBe(first)
  expect((await catalog.apps.find('grafana'))?.oidc?.clientSecret).toBe(second)
  expect(await audit.search({ event: 'app-secret-rotated' })).toHaveLength(1)
  await catalog.apps.register({ ...BARE, oidc: { ...BARE.oidc, token_endpoint_auth_method: 'none' } }, 'cli')
  await expect(catalog.apps.rotateSecret('bare', 'cli')).rejects.toMatchObject({ code: 'app-without-secret' })
  await expect(catalog.apps.rotateSecret('none', 'cli')).rejects.toMatchObject({ code: 'app-unknown' })
})

test('with an overlap both secrets are kept, the older one sealed and until its end; a third one drops the first', async () => {
  const { catalog, clock, storage } = await house()
  const { clientSecret: first } = await catalog.apps.register(GRAFANA, 'cli')
  const until = clock.now() + 7 * 86_400_000
  const rotated = await catalog.apps.rotateSecret('grafana', 'cli', 7 * 86_400_000)
  expect(rotated.previousUntil).toBe(until)
  const oidc = async () => (await catalog.apps.find('grafana'))!.oidc!
  expect((await oidc()).previousSecret).toEqual({ secret: first, until })
  expect(Object.keys(await oidc())).not.toContain('previousSecret')
  expect((await catalog.apps.list())[0]).toMatchObject({ id: 'grafana', previousSecretUntil: until })
  const apps = storage.records.withTables<{ apps: { previous_secret: string } }>()
  const row = await apps.selectFrom('apps').select('previous_secret').executeTakeFirstOrThrow()
  expect(row.previous_secret).not.toContain(first)
  // a change of the app keeps both
  await catalog.apps.apply([{ file: 'a.yaml', text: `${await catalog.apps.export('grafana')}name: Dashboards\n` }], {
    by: 'cli',
  })
  expect((await oidc()).previousSecret?.secret).toBe(first)
  await catalog.apps.rotateSecret('grafana', 'cli', 60_000)
  expect((await oidc()).previousSecret?.secret).toBe(rotated.clientSecret)
  await catalog.apps.endPreviousSecret('grafana', 'cli')
  expect((await oidc()).previousSecret).toBeUndefined()
  await expect(catalog.apps.endPreviousSecret('none', 'cli')).rejects.toMatchObject({ code: 'app-unknown' })
})

test('an app that needs no secret any more keeps neither of two', async () => {
  const { catalog, storage } = await house()
  await catalog.apps.register(BARE, 'cli')
  await catalog.apps.rotateSecret('bare', 'cli', 60_000)
  const text = `${await catalog.apps.export('bare')}  token_endpoint_auth_method: none\n  pkce: required\n`
  expect(await catalog.apps.apply([{ file: 'a.yaml', text }], { by: 'cli' })).toMatchObject({ written: true })
  const apps = storage.records.withTables<{ apps: { secret: unknown; previous_secret: unknown } }>()
  expect(await apps.selectFrom('apps').select(['secret', 'previous_secret']).executeTakeFirst()).toEqual({
    secret: null,
    previous_secret: null,
  })
})

test('a public client gets no secret, and one with keys neither', async () => {
  const { catalog } = await house()
  for (const oidc of [
    { token_endpoint_auth_method: 'none' as const },
    { token_endpoint_auth_method: 'private_key_jwt' as const, jwks: { keys: [PUBLIC_KEY] } as never },
  ]) {
    const { clientSecret } = await catalog.apps.register(bare(oidc), 'cli')
    expect(clientSecret).toBeUndefined()
    expect((await catalog.apps.find('bare'))?.oidc?.clientSecret).toBeUndefined()
    await catalog.apps.remove('bare', 'cli')
  }
})

test('a removed app is gone at once, and cannot be removed twice', async () => {
  const { catalog } = await house()
  await catalog.apps.register(GRAFANA, 'cli')
  expect(await catalog.apps.find('grafana')).toBeDefined()
  await catalog.apps.remove('grafana', 'cli')
  expect(await catalog.apps.find('grafana')).toBeUndefined()
  await expect(catalog.apps.remove('grafana', 'cli')).rejects.toMatchObject({ code: 'app-unknown' })
})

test('what is found is frozen all the way down and the same object until something changes', async () => {
  const { catalog, clock } = await house()
  await catalog.apps.register(GRAFANA, 'cli')
  const first = await catalog.apps.find('grafana')
  expect(Object.isFrozen(first!.oidc!.redirectUris)).toBe(true)
  expect(Object.isFrozen(first!.inputs)).toBe(true)
  clock.advance(10_000)
  expect(await catalog.apps.find('grafana')).toBe(first)
  await catalog.apps.register(BARE, 'cli')
  expect(await catalog.apps.find('grafana')).not.toBe(first)
})

test("another process's change is seen at once", async () => {
  const url = `sqlite:${folder()}/portico.db`
  const [one, other] = [await house({ url }), await house({ url })]
  await one.catalog.apps.register(GRAFANA, 'cli')
  expect(await other.catalog.apps.find('grafana')).toBeDefined()
  const { clientSecret } = await one.catalog.apps.rotateSecret('grafana', 'cli')
  expect((await other.catalog.apps.find('grafana'))?.oidc?.clientSecret).toBe(clientSecret)
  await one.catalog.apps.remove('grafana', 'cli')
  expect(await other.catalog.apps.find('grafana')).toBeUndefined()
})

test('of two processes that open an app for the first time, the earlier time stands, and a new app of the id begins anew', async () => {
  const url = `sqlite:${folder()}/portico.db`
  const [one, other] = [await house({ url }), await house({ url })]
  await one.catalog.apps.register(GRAFANA, 'cli')
  const [here, there] = [await one.catalog.apps.find('grafana'), await other.catalog.apps.find('grafana')]
  const first = one.clock.now()
  await one.catalog.apps.opened(here!)
  other.clock.advance(60_000)
  await other.catalog.apps.opened(there!)
  expect((await one.catalog.apps.list())[0]).toMatchObject({ firstOpenedAt: first })
  await one.catalog.apps.remove('grafana', 'cli')
  await one.catalog.apps.register(GRAFANA, 'cli')
  expect((await one.catalog.apps.list())[0]).not.toHaveProperty('firstOpenedAt')
})

test('what others write about anything else leaves the apps in memory', async () => {
  const url = `sqlite:${folder()}/portico.db`
  const [one, other] = [await house({ url }), await house({ url })]
  await one.catalog.apps.register(GRAFANA, 'cli')
  const first = await one.catalog.apps.find('grafana')
  for (const { storage } of [one, other]) {
    await storage.state.set('somebody', 'signed in')
    expect(await one.catalog.apps.find('grafana')).toBe(first)
  }
})

test('10,000 that come in turns are read once each; unknown ids are not remembered, and of known ones not all', async () => {
  const { catalog, storage } = await house()
  await catalog.apps.register(GRAFANA, 'cli')
  const apps = storage.records.withTables<{ apps: Record<string, unknown> }>()
  const row = await apps.selectFrom('apps').selectAll().executeTakeFirstOrThrow()
  const many = Array.from({ length: 24_100 }, (_, i) => ({ ...row, id: `app-${i}`, secret: null }))
  for (let i = 0; i < many.length; i += 500)
    await apps
      .insertInto('apps')
      .values(many.slice(i, i + 500))
      .execute()
  const find = (id: string) => catalog.apps.find(id)
  const partners = many.slice(0, 10_000).map(({ id }) => id)
  const first: unknown[] = []
  for (const id of partners) first.push(await find(id))
  let again = 0
  for (const [i, id] of partners.entries()) if ((await find(id)) === first[i]) again++
  expect(again).toBe(partners.length)
  for (const { id } of many) await find(id)
  expect(await find('app-24099')).toBe(await find('app-24099'))
  expect(await find('app-0'), 'the oldest had to go').not.toBe(first[0])
  expect(await find('no-such-app')).toBeUndefined()
})
