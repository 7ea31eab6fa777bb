/** Apps as files: plan before apply, all or nothing, and back again. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { Manifest } from '#catalog'
import { formatProblem } from '#config'
import { folder, openHouse, SHIPPED, type TestHouse } from './house.ts'

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
      keys: ['inputs', 'launch_url', 'oidc.redirect_uris', 'oidc.post_logout_redirect_uris'],
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

test('one bad manifest among good ones, and nothing is written; every problem has its place', async () => {
  const { catalog } = await house({ policyNames: () => ['default'] })
  const bad = `id: shop
template: graphana
---`
  const wrong = [
    grafana(),
    { file: 'a.yaml', text: 'id: shop\ntemplate: graphana\naudience: [staff]\n' },
    {
      file: 'b.yaml',
      text: 'id: shop-2\npolicy: defualt\naudience: [staff]\noidc:\n  redirect_uris:\n    - https://shop.example.com/cb\n    - https://evil@shop.example.com/cb\n',
    },
    { file: 'c.yaml', text: 'id: shop-3\ntemplate: gitea\ninputs: { base_url: nonsense }\naudience: [staff]\n' },
    { file: 'd.yaml', text: 'id: grafana\npolicy: default\nrediect: x\n' },
    { file: 'e.yaml', text: 'id: grafana\npolicy: default\noidc: { redirect_uris: [https://x.example/] }\n' },
    { file: 'f.yaml', text: bad },
  ]
  const { problems, changes, written } = await catalog.apps.apply(wrong, { by })
  const told = problems.map(formatProblem).join('\n')
  expect(told).toContain('a.yaml:2:11 template-unknown')
  expect(told).toContain('did you mean `grafana`?')
  expect(told).toContain('b.yaml:2:9 policy-unknown')
  expect(told).toMatch(/b\.yaml:7:7 address-unsafe/)
  expect(told).toMatch(/c\.yaml:3:21 input-invalid/)
  expect(told).toMatch(/d\.yaml:3:1 unknown-key/)
  expect(told).toMatch(/e\.yaml:1:5 app-twice .*grafana\.yaml/)
  expect(told).toMatch(/e\.yaml:\d+:\d+ audience-missing/)
  expect(told).toMatch(/f\.yaml:/)
  expect({ changes, written }).toEqual({ changes: [], written: false })
  expect(await catalog.apps.list()).toEqual([])
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

const NODE = join(import.meta.dirname, '../../node_modules/.bin/node')

test('kill -9 in the middle of applying 300 manifests: afterwards there are all or none', async () => {
  const manifests = folder(
    Object.fromEntries(
      Array.from({ length: 300 }, (_, i) => [
        `a${i}.yaml`,
        `id: a${i}\npolicy: default\naudience: [staff]\noidc: { redirect_uris: [https://a${i}.example.com/cb] }\n`,
      ]),
    ),
  )
  const seen = new Set<number>()
  for (const wait of [30, 80, 120, 160, 200, 1000]) {
    const url = `sqlite:${folder()}/portico.db`
    const child = spawn(NODE, [join(import.meta.dirname, 'apply-until-killed.ts'), url, SHIPPED, manifests], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    child.stdout.on('data', (chunk) => {
      said += chunk
      if (chunk.includes('ready')) setTimeout(() => child.kill('SIGKILL'), wait)
    })
    await once(child, 'close')
    const { catalog } = await house({ url })
    const count = (await catalog.apps.list()).length
    expect([0, 300]).toContain(count)
    if (said.includes('applied')) expect(count, 'what was answered is there').toBe(300)
    seen.add(count)
  }
  expect(seen.size).toBeGreaterThan(0)
}, 120_000)
