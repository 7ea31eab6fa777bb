import { expect, test } from 'vitest'
import { parse } from 'yaml'
import type { Manifest } from '#catalog'
import { openHouse } from './house.ts'

const WIKI: Manifest = {
  id: 'wiki',
  policy: 'default',
  audience: ['staff'],
  saml: { entity_id: 'https://wiki.example.com/saml', acs_urls: ['https://wiki.example.com/acs'] },
}
const TILLS: Manifest = {
  id: 'tills',
  policy: 'default',
  audience: ['staff'],
  forward_auth: { hosts: ['tills.example.com', 'tills.example.com:8443'] },
}
const BOTH = `
slug: both
name: Both
vendor: Somebody
category: generic
sources: [https://both.example.com/docs]
inputs: { base_url: { label: URL, example: https://both.example.com, kind: https-url } }
oidc: { redirect_uris: ['{base_url}/callback'] }
saml: { acs_urls: ['{base_url}/acs'], entity_id: '{base_url}/metadata', slo: [{ url: '{base_url}/slo' }] }
`

test('an app of each protocol is found by its id and by what it is named outside', async () => {
  const { catalog } = await openHouse()
  await catalog.apps.register(WIKI, 'cli')
  await catalog.apps.register(TILLS, 'cli')
  expect(await catalog.apps.findNamed({ kind: 'entity-id', name: 'https://wiki.example.com/saml' })).toMatchObject({
    id: 'wiki',
    saml: { nameIdFormat: 'persistent', sign: ['assertion', 'response'] },
  })
  for (const name of ['tills.example.com', 'tills.example.com:8443'])
    expect(await catalog.apps.findNamed({ kind: 'host', name })).toMatchObject({ id: 'tills' })
  for (const name of ['wiki', 'tills', 'example.com', ''])
    expect(await catalog.apps.findNamed({ kind: 'host', name })).toBeUndefined()
  expect((await catalog.apps.find('wiki'))!.oidc).toBeUndefined()
})

test('no second app gets the name of another, also not by a change, and a name is free once it is not used', async () => {
  const { catalog } = await openHouse()
  await catalog.apps.register(WIKI, 'cli')
  await catalog.apps.register(TILLS, 'cli')
  const thief = { ...WIKI, id: 'thief' }
  await expect(catalog.apps.register(thief, 'cli')).rejects.toMatchObject({
    code: 'app-name-taken',
    detail: 'catalog: the entity-id `https://wiki.example.com/saml` is that of `wiki`',
  })
  expect(await catalog.apps.find('thief')).toBeUndefined()
  const changed = { ...TILLS, saml: WIKI.saml }
  const apply = (manifest: object) =>
    catalog.apps.apply([{ file: 'a.yaml', text: JSON.stringify(manifest) }], { by: 'cli' })
  expect((await apply(changed)).problems).toMatchObject([{ code: 'app-name-taken' }])
  expect((await catalog.apps.find('tills'))!.saml).toBeUndefined()
  await apply({ ...TILLS, forward_auth: { hosts: ['pos.example.com'] } })
  expect(await catalog.apps.findNamed({ kind: 'host', name: 'tills.example.com' })).toBeUndefined()
  expect(await catalog.apps.findNamed({ kind: 'host', name: 'pos.example.com' })).toMatchObject({ id: 'tills' })
  await catalog.apps.remove('wiki', 'cli')
  expect(await catalog.apps.register(thief, 'cli')).toMatchObject({ app: { id: 'thief' } })
})

test.each<[string, object, string]>([
  ['no protocol at all', {}, 'protocol-missing'],
  ['SAML without an entity id', { saml: { acs_urls: ['https://a.example.com/acs'] } }, 'entity-id-missing'],
  ['SAML without an address', { saml: { entity_id: 'a' } }, 'acs-missing'],
  ['an address that scripts', { saml: { entity_id: 'a', acs_urls: ['javascript:alert(1)'] } }, 'address-unsafe'],
  [
    'a sign-out that scripts',
    { saml: { entity_id: 'a', acs_urls: ['https://a.example.com/acs'], slo: [{ url: 'data:text/html,x' }] } },
    'address-unsafe',
  ],
  [
    'encryption without a key',
    { saml: { entity_id: 'a', acs_urls: ['https://a.example.com/acs'], encrypt: true } },
    'keys-missing',
  ],
  [
    'signed requests without a key',
    { saml: { entity_id: 'a', acs_urls: ['https://a.example.com/acs'], requests_signed: true } },
    'keys-missing',
  ],
  [
    'a signature on nothing',
    { saml: { entity_id: 'a', acs_urls: ['https://a.example.com/acs'], sign: [] } },
    'sign-missing',
  ],
  ['no host', { forward_auth: { hosts: [] } }, 'host-missing'],
  ['a host with a path', { forward_auth: { hosts: ['a.example.com/x'] } }, 'host-unsafe'],
  ['a host with a wildcard', { forward_auth: { hosts: ['*.example.com'] } }, 'host-unsafe'],
  ['a host in capitals', { forward_auth: { hosts: ['A.example.com'] } }, 'host-unsafe'],
])('an app with %s does not validate', async (_, part, code) => {
  const { catalog } = await openHouse()
  const issues = await catalog.apps.check({ id: 'app', policy: 'default', audience: ['staff'], ...part } as Manifest)
  expect(issues.map((issue) => issue.code)).toContain(code)
})

test('of a template with several protocols the first one is taken, unless the manifest names others', async () => {
  const { folder } = await import('./house.ts')
  const { catalog } = await openHouse({ templates: folder({ 'both.yaml': BOTH }) })
  const about = {
    template: 'both',
    inputs: { base_url: 'https://both.example.com' },
    policy: 'default',
    audience: ['staff'],
  }
  for (const [id, parts, spoken] of [
    ['plain', {}, ['oidc']],
    ['saml', { saml: {} }, ['saml']],
    ['two', { oidc: {}, saml: { encrypt: false } }, ['oidc', 'saml']],
    ['changed', { oidc: { pkce: 'optional' } }, ['oidc']],
  ] as const) {
    // two apps with one entity id would be refused
    const { app } = await catalog.apps.register({ ...about, id, ...parts } as Manifest, 'cli')
    expect(
      Object.keys(app).filter((key) => ['oidc', 'saml', 'forwardAuth'].includes(key)),
      id,
    ).toEqual(spoken)
    const manifest = await catalog.apps.export(id)
    expect(
      Object.keys(parse(manifest)).filter((key) => ['oidc', 'saml'].includes(key)),
      manifest,
    ).toEqual(Object.keys(parts))
    const { changes } = await catalog.apps.apply([{ file: 'a.yaml', text: manifest }], { by: 'cli', dryRun: true })
    expect(changes, manifest).toMatchObject([{ id, action: 'unchanged' }])
    await catalog.apps.remove(id, 'cli')
  }
})
