/** Apps as files: plan before apply, each app whole or not at all, and back again. */
import { afterEach, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { Manifest } from '#catalog'
import { formatProblem } from '#config'
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

const grafana = (host = 'grafana') => ({
  file: 'grafana.yaml',
  text: `id: grafana\ntemplate: grafana\ninputs: { base_url: https://${host}.example.com }\naudience: [staff]\n`,
})
const gitea = {
  file: 'gitea.yaml',
  text: "id: gitea\ntemplate: gitea\ninputs: { base_url: https://gitea.example.com }\naudience: ['*']\n",
}
const by = 'cli'
const actions = ({ changes }: { changes: readonly { id: string; action: string }[] }) =>
  changes.map(({ id, action }) => `${action} ${id}`)

test('a dry run plans and writes nothing; applying does it and shows each new secret once; again changes nothing', async () => {
  const { catalog, audit } = await house()
  const sources = [grafana(), gitea]
  const planned = await catalog.apps.apply(sources, { by, dryRun: true })
  expect(actions(planned)).toEqual(['create gitea', 'create grafana'])
  expect(planned.written).toBe(false)
  expect(await catalog.apps.list()).toEqual([])
  const applied = await catalog.apps.apply(sources, { by })
  expect(applied.changes.map(({ clientSecret }) => clientSecret)).toEqual([expect.any(String), expect.any(String)])
  await catalog.apps.secretsShown(applied.changes.map(({ id }) => id))
  const again = await catalog.apps.apply(sources, { by })
  expect(actions(again)).toEqual(['unchanged gitea', 'unchanged grafana'])
  expect(JSON.stringify(again)).not.toContain('clientSecret')
  expect(await audit.search({ event: 'app-registered' })).toHaveLength(2)
  expect(await audit.search({ event: 'app-changed' })).toEqual([])
})

test('a change names what differs and keeps the secret; prune removes what no manifest names', async () => {
  const { catalog, audit } = await house()
  await catalog.apps.apply([grafana(), gitea], { by })
  const secret = (await catalog.apps.find('grafana'))?.oidc?.clientSecret
  const { changes } = await catalog.apps.apply([grafana('monitor')], { by, prune: true })
  expect(changes).toMatchObject([
    { id: 'gitea', action: 'remove' },
    {
      id: 'grafana',
      action: 'change',
      fields: [
        {
          field: 'inputs',
          before: { base_url: 'https://grafana.example.com' },
          after: { base_url: 'https://monitor.example.com' },
        },
        { field: 'launch_url' },
        {
          field: 'oidc.redirect_uris',
          before: ['https://grafana.example.com/login/generic_oauth'],
          after: ['https://monitor.example.com/login/generic_oauth'],
        },
        { field: 'oidc.post_logout_redirect_uris' },
      ],
    },
  ])
  const after = await catalog.apps.find('grafana')
  expect(after?.oidc?.clientSecret).toBe(secret)
  expect(after?.oidc?.redirectUris).toEqual(['https://monitor.example.com/login/generic_oauth'])
  expect(await catalog.apps.find('gitea')).toBeUndefined()
  expect(
    (await audit.search({}))
      .map(({ event }) => event)
      .slice(0, 2)
      .sort(),
  ).toEqual(['app-changed', 'app-removed'])
})

test('a client that becomes public loses its secret, and gets a new one when it is confidential again', async () => {
  const { catalog } = await house()
  const { text, file } = grafana()
  await catalog.apps.apply([{ file, text }], { by })
  const before = (await catalog.apps.find('grafana'))?.oidc?.clientSecret
  await catalog.apps.apply([{ file, text: `${text}oidc: { token_endpoint_auth_method: none }\n` }], { by })
  expect((await catalog.apps.find('grafana'))?.oidc?.clientSecret).toBeUndefined()
  const { changes } = await catalog.apps.apply([{ file, text }], { by })
  expect(changes[0]?.clientSecret).not.toBe(before)
  expect((await catalog.apps.find('grafana'))?.oidc?.clientSecret).toBe(changes[0]?.clientSecret)
})

const WRONG = [
  gitea,
  { file: 'a.yaml', text: 'id: shop\ntemplate: graphana\naudience: [staff]\n' },
  {
    file: 'b.yaml',
    text: 'id: shop-2\npolicy: defualt\naudience: [staff]\noidc:\n  redirect_uris:\n    - https://shop.example.com/cb\n    - https://evil@shop.example.com/cb\n',
  },
  { file: 'c.yaml', text: 'id: shop-3\ntemplate: gitea\ninputs: { base_url: nonsense }\naudience: [staff]\n' },
  { file: 'd.yaml', text: 'id: grafana\npolicy: default\nrediect: x\n' },
  { file: 'e.yaml', text: 'id: grafana\npolicy: default\noidc: { redirect_uris: [https://x.example/] }\n' },
  { file: 'f.yaml', text: 'id: shop-4\ntemplate: [\n' },
  { file: 'g.yaml', text: '# nothing yet\n' },
]

test('mistakes are told with their places, and hold up nobody else: the others are applied', async () => {
  const { catalog } = await house({ policyNames: () => ['default'] })
  const { problems, refused, changes, written } = await catalog.apps.apply(WRONG, { by })
  const told = problems.map(formatProblem).join('\n')
  expect(told).toContain('a.yaml:2:11 template-unknown')
  expect(told).toContain('did you mean `grafana`?')
  expect(told).toContain('b.yaml:2:9 policy-unknown')
  expect(told).toMatch(/b\.yaml:7:7 address-unsafe/)
  expect(told).toMatch(/c\.yaml:3:21 input-invalid/)
  expect(told).toMatch(/d\.yaml:3:1 unknown-key/)
  expect(told).toMatch(/e\.yaml:1:5 app-twice .*d\.yaml:1/)
  expect(told).toMatch(/e\.yaml:\d+:\d+ audience-missing/)
  expect(told).toMatch(/f\.yaml:/)
  expect(told).toMatch(/g\.yaml:1:1 manifests-missing/)
  expect(refused.map(({ id, file }) => `${file} ${id}`)).toEqual([
    'a.yaml shop',
    'b.yaml shop-2',
    'c.yaml shop-3',
    'd.yaml grafana',
    'e.yaml grafana',
  ])
  expect(written).toBe(true)
  expect(changes.map(({ id, result }) => `${id} ${result}`)).toEqual(['gitea done'])
  expect((await catalog.apps.list()).map(({ id }) => id)).toEqual(['gitea'])
})

test('who wants nothing at all where there is a mistake says so', async () => {
  const { catalog } = await house({ policyNames: () => ['default'] })
  const { changes, written } = await catalog.apps.apply(WRONG, { by, allOrNothing: true })
  expect({ written, results: changes.map(({ result }) => result) }).toEqual({ written: false, results: ['planned'] })
  expect(await catalog.apps.list()).toEqual([])
  await catalog.apps.apply([grafana(), gitea], { by, allOrNothing: true })
  expect(await catalog.apps.list()).toHaveLength(2)
})

test('nothing is pruned while anything has a mistake: the broken file may be the one that keeps an app', async () => {
  const { catalog } = await house()
  await catalog.apps.apply([grafana(), gitea], { by })
  for (const broken of ['id: [', 'id: grafana\nfoo: 1\n', '', 'id: other\n']) {
    const { kept, changes } = await catalog.apps.apply([gitea, { file: 'x.yaml', text: broken }], { by, prune: true })
    expect(changes.map(({ action }) => action)).toEqual(['unchanged'])
    expect(kept).toEqual(broken.startsWith('id: grafana') ? [] : ['grafana'])
    expect(await catalog.apps.list()).toHaveLength(2)
  }
  const unread = [{ file: 'apps/grafana.yml~', line: 1, column: 1, code: 'file-name', message: 'no' }]
  expect((await catalog.apps.apply([gitea], { by, prune: true, unread })).kept).toEqual(['grafana'])
})

const behind = (id: string, host: string) =>
  `id: ${id}\npolicy: default\naudience: [staff]\nforward_auth: { hosts: [${host}] }\n`
const file = (text: string) => [{ file: 'apps.yaml', text }]

describe('many manifests in one file', () => {
  test('documents and lists, with the place of each mistake', async () => {
    const { catalog } = await house()
    const text = `---\n# the tills\n${behind('tills', 'tills.example.com')}---\n- id: wiki\n  policy: default\n  audience: [staff]\n  forward_auth: { hosts: [wiki.example.com] }\n- id: shop\n  policy: default\n  audiense: [staff]\n- id: stock\n  policy: default\n  audience: [staff]\n  forward_auth:\n    hosts: [stock.example.com, 'STOCK']\n...\n---\n`
    const { problems, changes, refused } = await catalog.apps.apply(file(text), { by })
    expect(problems.map((one) => formatProblem(one).split(' ').slice(0, 2).join(' '))).toEqual([
      'apps.yaml:14:3 unknown-key',
      'apps.yaml:19:32 host-unsafe',
    ])
    expect(refused).toEqual([
      { id: 'shop', file: 'apps.yaml', line: 12 },
      { id: 'stock', file: 'apps.yaml', line: 15 },
    ])
    expect(actions({ changes })).toEqual(['create tills', 'create wiki'])
  })

  test('one that is no YAML refuses its file as a whole, by its place, and no other file', async () => {
    const { catalog } = await house()
    const text = `${behind('tills', 'tills.example.com')}---\nid: wiki\npolicy: default\n  audience: [staff]\n`
    const { problems, changes } = await catalog.apps.apply([...file(text), gitea], { by })
    expect(formatProblem(problems[0]!)).toMatch(/^apps\.yaml:7:9 yaml-invalid/)
    expect(actions({ changes })).toEqual(['create gitea'])
  })

  test('an id twice in one file, and again in another: none of them is taken', async () => {
    const { catalog } = await house()
    const text = `${behind('tills', 'tills.example.com')}---\n${behind('tills', 'other.example.com')}`
    const sources = [...file(text), { file: 'more.yaml', text: behind('tills', 'third.example.com') }, gitea]
    const { problems, changes } = await catalog.apps.apply(sources, { by })
    expect(problems.map(formatProblem)).toEqual([
      expect.stringMatching(/^apps\.yaml:6:5 app-twice .*apps\.yaml:1/),
      expect.stringMatching(/^more\.yaml:1:5 app-twice .*apps\.yaml:1/),
    ])
    expect(actions({ changes })).toEqual(['create gitea'])
  })

  test('100,000 lines are read, told of, and not half applied', async () => {
    const { catalog } = await house()
    const many = Array.from({ length: 20_000 }, (_, i) => behind(`a${i}`, `a${i}.example.com`)).join('---\n')
    const { problems, changes } = await catalog.apps.apply(file(many), { by })
    expect(problems.map(formatProblem)).toEqual([
      expect.stringMatching(/^apps\.yaml:25001:1 manifests-too-many .*5000/),
    ])
    expect(changes).toEqual([])
    const long = `${behind('long', 'long.example.com')}${Array.from({ length: 100_000 }, (_, i) => `x${i}: 1\n`).join('')}`
    const told = await catalog.apps.apply(file(long), { by })
    expect(formatProblem(told.problems[0]!)).toMatch(/^apps\.yaml:5:1 unknown-key/)
    expect(told.problems.length).toBeLessThanOrEqual(200)
    expect(await catalog.apps.list()).toEqual([])
  }, 240_000)

  test('a file cut off anywhere changes nothing of what it does not say in full', async () => {
    const { catalog } = await house()
    const text = `id: tills\npolicy: default\nforward_auth:\n  hosts: [tills.example.com]\naudience:\n  - staff\n`
    for (let end = 0; end < text.length - 'f\n'.length; end++) {
      const { changes } = await catalog.apps.apply(file(text.slice(0, end)), { by, prune: true, dryRun: true })
      // a group name cut short is a group name as well; before its first letter nothing is taken
      if (end <= text.indexOf('staff')) expect(changes, JSON.stringify(text.slice(0, end))).toEqual([])
    }
  })
})

describe('names that only one app has', () => {
  const hosts = async (catalog: TestHouse['catalog']) =>
    Object.fromEntries((await catalog.apps.list()).map(({ id, forwardAuth }) => [id, forwardAuth?.hosts[0]]))

  test('two manifests that want the same are both refused; so is one that wants what a registered app has', async () => {
    const { catalog } = await house()
    await catalog.apps.apply(file(behind('wiki', 'wiki.example.com')), { by })
    const sources = [
      { file: 'a.yaml', text: behind('a', 'same.example.com') },
      { file: 'b.yaml', text: behind('b', 'same.example.com') },
      { file: 'c.yaml', text: behind('c', 'wiki.example.com') },
      { file: 'd.yaml', text: behind('d', 'd.example.com') },
    ]
    const { problems, changes } = await catalog.apps.apply(sources, { by })
    expect(problems.map(formatProblem)).toEqual([
      expect.stringMatching(/^a\.yaml:4:17 app-name-taken .*`b`/),
      expect.stringMatching(/^b\.yaml:4:17 app-name-taken .*`a`/),
      expect.stringMatching(/^c\.yaml:4:17 app-name-taken .*`wiki`/),
    ])
    expect(actions({ changes })).toEqual(['create d'])
  })

  test('what one gives away another one gets, also in a circle, and from one that is pruned', async () => {
    const { catalog } = await house()
    const ring = (names: Record<string, string>) =>
      Object.entries(names).map(([id, host]) => ({ file: `${id}.yaml`, text: behind(id, `${host}.example.com`) }))
    await catalog.apps.apply(ring({ a: 'a', b: 'b', c: 'c', d: 'd' }), { by })
    const turned = ring({ a: 'b', b: 'c', c: 'a', e: 'd' })
    const { problems, changes } = await catalog.apps.apply(turned, { by, prune: true })
    expect(problems).toEqual([])
    expect(changes.map(({ id, result }) => `${id} ${result}`)).toEqual([
      'a done',
      'b done',
      'c done',
      'd done',
      'e done',
    ])
    expect(await hosts(catalog)).toEqual({
      a: 'b.example.com',
      b: 'c.example.com',
      c: 'a.example.com',
      e: 'd.example.com',
    })
    expect((await catalog.apps.findNamed({ kind: 'host', name: 'a.example.com' }))?.id).toBe('c')
  })

  test('whoever is refused keeps the name, and then the next one does not get it', async () => {
    const { catalog } = await house()
    await catalog.apps.apply(file(`${behind('a', 'a.example.com')}---\n${behind('b', 'b.example.com')}`), { by })
    const sources = [
      { file: 'a.yaml', text: `${behind('a', 'new.example.com')}nonsense: 1\n` },
      { file: 'b.yaml', text: behind('b', 'a.example.com') },
      { file: 'c.yaml', text: behind('c', 'b.example.com') },
    ]
    const { changes, refused } = await catalog.apps.apply(sources, { by })
    expect(refused.map(({ id }) => id)).toEqual(['a', 'b', 'c'])
    expect(changes).toEqual([])
    expect(await hosts(catalog)).toEqual({ a: 'a.example.com', b: 'b.example.com' })
  })
})

test('a secret that nobody has seen is shown by the next run, the same one; and then never again', async () => {
  const { catalog } = await house()
  const first = await catalog.apps.apply([grafana()], { by })
  expect((await catalog.apps.apply([grafana()], { by, dryRun: true })).changes[0]).not.toHaveProperty('clientSecret')
  const second = await catalog.apps.apply([grafana('monitor')], { by })
  expect(second.changes[0]?.clientSecret).toBe(first.changes[0]?.clientSecret)
  await catalog.apps.secretsShown(['grafana'])
  expect((await catalog.apps.apply([grafana()], { by })).changes[0]).not.toHaveProperty('clientSecret')
  // whoever made a new one by hand has seen that one
  await catalog.apps.apply([gitea], { by })
  await catalog.apps.rotateSecret('gitea', by)
  expect((await catalog.apps.apply([gitea], { by })).changes[0]).not.toHaveProperty('clientSecret')
})

test('prune with no manifest at all removes nothing', async () => {
  const { catalog } = await house()
  await catalog.apps.apply([grafana()], { by })
  expect((await catalog.apps.apply([], { by, prune: true })).problems).toMatchObject([{ code: 'manifests-missing' }])
  expect(await catalog.apps.list()).toHaveLength(1)
})

const EVERY: Manifest[] = [
  {
    id: 'grafana',
    template: 'grafana',
    inputs: { base_url: 'https://grafana.example.com' },
    audience: ['staff', 'no: yes'],
    name: 'Dashboards',
    tier: 'high',
    first_party: false,
  },
  {
    id: 'nextcloud',
    template: 'nextcloud',
    inputs: { base_url: 'https://cloud.example.com' },
    audience: ['*'],
    tags: [],
    launch_url: null,
    oidc: { backchannel_logout_uri: null, scopes: ['openid', 'groups'], claims: { groups: ['staff'] } },
  },
  {
    id: 'tool',
    template: 'custom-oidc',
    inputs: { redirect_uri: 'com.example.tool:/cb' },
    audience: ['staff'],
    policy: 'store-apps',
    oidc: { token_endpoint_auth_method: 'none', grant_types: ['authorization_code', 'refresh_token'] },
  },
  { id: 'sync', template: 'machine', oidc: { scopes: ['orders:read', '0x10', 'true'] } },
  {
    id: 'bare',
    policy: 'default',
    audience: ['007', 'null', '1e3'],
    oidc: {
      redirect_uris: ['https://bare.example.com/cb'],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [{ kty: 'OKP', crv: 'Ed25519', x: 'AA' }] },
      id_token_signed_response_alg: 'RS256',
    },
  },
] as Manifest[]

test('exported, applied and exported again: the same bytes', async () => {
  const { catalog } = await house()
  for (const manifest of EVERY) await catalog.apps.register(manifest, by)
  const all = await catalog.apps.exportAll()
  expect(all.map(({ id }) => id)).toEqual([...EVERY.map(({ id }) => id)].sort())
  for (const { id, manifest } of all) expect(await catalog.apps.export(id)).toBe(manifest)
  const other = await house()
  await other.catalog.apps.apply(
    all.map(({ id, manifest }) => ({ file: `${id}.yaml`, text: manifest })),
    { by },
  )
  expect(await other.catalog.apps.exportAll()).toEqual(all)
})

test('an export applied again changes nothing, also after its template has changed', async () => {
  const { catalog } = await house()
  for (const manifest of EVERY) await catalog.apps.register(manifest, by)
  const sources = await Promise.all(
    EVERY.map(async ({ id }) => ({ file: `${id}.yaml`, text: await catalog.apps.export(id) })),
  )
  const { problems, changes } = await catalog.apps.apply(sources, { by, prune: true })
  expect(problems).toEqual([])
  expect(new Set(changes.map(({ action }) => action))).toEqual(new Set(['unchanged']))
  expect(parse(sources[0]!.text)).toEqual({
    id: 'grafana',
    template: 'grafana',
    inputs: { base_url: 'https://grafana.example.com' },
    name: 'Dashboards',
    tier: 'high',
    first_party: false,
    policy: 'default',
    audience: ['staff', 'no: yes'],
  })
})

test('an export is complete by itself where the template has changed or is gone', async () => {
  const template = (path: string) =>
    `slug: shop\nname: Shop\nvendor: K\ncategory: generic\nsources: [https://x.example/]\ninputs:\n  base_url: { label: URL, example: https://x.example, kind: https-url }\noidc:\n  redirect_uris: ['{base_url}${path}']\n`
  const url = `sqlite:${folder()}/portico.db`
  const before = await house({ url, templates: folder({ 'shop.yaml': template('/old') }) })
  await before.catalog.apps.register(
    {
      id: 'shop',
      template: 'shop',
      policy: 'p',
      audience: ['staff'],
      inputs: { base_url: 'https://shop.example.com' },
    },
    by,
  )
  const after = await house({ url, templates: folder({ 'shop.yaml': template('/new') }) })
  const text = await after.catalog.apps.export('shop')
  expect(parse(text).oidc).toEqual({ redirect_uris: ['https://shop.example.com/old'] })
  expect(actions(await after.catalog.apps.apply([{ file: 'f', text }], { by }))).toEqual(['unchanged shop'])
  const gone = await house({ url, templates: folder() })
  const alone = parse(await gone.catalog.apps.export('shop'))
  expect(alone).toEqual({
    id: 'shop',
    name: 'Shop',
    policy: 'p',
    audience: ['staff'],
    oidc: { redirect_uris: ['https://shop.example.com/old'] },
  })
})
