/** The `apps` and `catalog` commands, run as the command line runs them. */
import { X509Certificate } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { runCommand } from '../../src/cli/run.ts'
import { appsVerbs } from '../../src/cli/verbs/apps.ts'
import { searchApps } from '../../src/cli/verbs/apps-search.ts'
import { catalogVerbs } from '../../src/cli/verbs/catalog.ts'
import { folder, openHouse, SHIPPED } from './house.ts'

let root: string
beforeEach(() => {
  root = folder({ 'portico.yaml': `issuer: https://sso.kestrel.example\ncatalog: ${SHIPPED}\n` })
})

async function portico(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const lines = { out: [] as string[], err: [] as string[] }
  const code = await runCommand({
    words: [...words, '--config', join(root, 'portico.yaml')],
    verbs: [searchApps, ...appsVerbs, ...catalogVerbs],
    openHouse: async () => (await openHouse({ url: `sqlite:${root}/portico.db` })) as never,
    out: (line) => lines.out.push(line),
    err: (line) => lines.err.push(line),
  })
  return { code, out: lines.out.join('\n'), err: lines.err.join('\n') }
}

const ADD = ['apps', 'add', 'grafana', '--set', 'base_url=https://grafana.example.com', '--audience', 'staff']

test('`apps add` with two values prints client id, secret, discovery address and the side of the app', async () => {
  const { code, out } = await portico(...ADD)
  expect(code).toBe(0)
  expect(out).toMatch(
    /client_id +grafana\nclient_secret +[\w-]{43}\ndiscovery_url +https:\/\/sso\.kestrel\.example\/\.well-known\/openid-configuration/,
  )
  const secret = /client_secret +(\S+)/.exec(out)![1]!
  expect(out).toContain(`GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET=${secret}\n`)
  expect(out).toContain('GF_AUTH_GENERIC_OAUTH_TOKEN_URL=https://sso.kestrel.example/oauth2/token')
  for (const words of [['list'], ['show', 'grafana'], ['export', 'grafana'], ['snippet', 'grafana', '--for', 'env']]) {
    for (const json of [[], ['--json']]) {
      const later = await portico('apps', ...words, ...json)
      expect(later.code).toBe(0)
      expect(later.out, words.join(' ')).toContain('grafana')
      expect(later.out, words.join(' ')).not.toContain(secret)
    }
  }
  expect((await portico('apps', 'snippet', 'grafana')).out).toContain(
    'CLIENT_SECRET=<client secret shown at registration>',
  )
})

test('`apps add --json` is one object on one line', async () => {
  const { out } = await portico(...ADD, '--id', 'dashboards', '--policy', 'store-apps', '--audience', 'care', '--json')
  expect(JSON.parse(out)).toMatchObject({
    id: 'dashboards',
    client_id: 'dashboards',
    client_secret: expect.any(String),
    discovery_url: 'https://sso.kestrel.example/.well-known/openid-configuration',
    policy: 'store-apps',
    audience: ['staff', 'care'],
    redirect_uris: ['https://grafana.example.com/login/generic_oauth'],
    settings: [{ format: 'env', text: expect.any(String) }],
  })
})

test.each<[string, string[], RegExp]>([
  [
    'a missing input is named with its label and an example',
    ['apps', 'add', 'grafana', '--audience', 'staff'],
    /Grafana URL: --set base_url=https:\/\/grafana\.example\.com/,
  ],
  [
    'a missing audience is asked for',
    ['apps', 'add', 'grafana', '--set', 'base_url=https://g.example.com'],
    /audience-missing.*--audience/,
  ],
  ['an unknown slug brings the nearest', ['apps', 'add', 'graphana'], /did you mean `grafana`/],
  ['an unknown input brings the nearest', [...ADD, '--set', 'base_uri=x'], /did you mean `base_url`/],
  ['a value without a key', ['apps', 'add', 'grafana', '--set', 'x'], /KEY=VALUE/],
  [
    'an unsafe address',
    ['apps', 'add', 'custom-oidc', '--set', 'redirect_uri=javascript:alert(1)', '--audience', 'staff'],
    /input-invalid/,
  ],
  ['an app that is not there', ['apps', 'show', 'none'], /app-unknown/],
  ['a file that is not there', ['apps', 'apply', '/no/such/file'], /ENOENT/],
  ['a prune of one file', ['apps', 'apply', join(SHIPPED, 'grafana.yaml'), '--prune'], /takes a folder/],
  ['a snippet for a proxy that knows nothing of it', ['apps', 'snippet', 'none', '--for', 'nginx'], /app-unknown/],
  ['a template that is not there', ['catalog', 'show', 'graphana'], /did you mean `grafana`/],
  ['an empty catalog', ['catalog', 'check', '/no/such/folder'], /no template/],
])('wrong use ends with 2: %s', async (_, words, message) => {
  const { code, err } = await portico(...words)
  expect(err).toMatch(message)
  expect(code).toBe(2)
})

test('the same app a second time is refused, and another id is taken', async () => {
  await portico(...ADD)
  expect(await portico(...ADD)).toMatchObject({ code: 2, err: expect.stringContaining('app-exists') })
  expect((await portico(...ADD, '--id', 'grafana-2')).code).toBe(0)
})

test('a second app of the same kind: its id and its name are asked for, and the first stays as it was', async () => {
  expect((await portico(...ADD)).code).toBe(0)
  const other = ADD.map((word) => word.replace('grafana.example.com', 'stores.example.com'))
  const twice = await portico(...other)
  expect(twice.code).toBe(2)
  expect(twice.err).toMatch(
    /^app-exists: `grafana` is registered already \(Grafana\), and was not changed: .*--id grafana-2 --name NAME/,
  )
  expect((await portico('apps', 'show', 'grafana')).out).toContain('https://grafana.example.com/')
  const alike = await portico(...other, '--id', 'grafana-2')
  expect(alike.code).toBe(0)
  expect(alike.err).toContain('warning: `grafana` is called Grafana too')
  // the next free one
  expect((await portico(...other)).err).toContain('--id grafana-3')
  const named = await portico(...other, '--id', 'grafana-3', '--name', 'Grafana of the stores')
  expect(named.code).toBe(0)
  expect(named.err).not.toContain('is called')
  expect((await portico('apps', 'list')).out).toContain('grafana-3  Grafana of the stores  ')
  expect((await portico('apps', 'export', 'grafana-3')).out).toContain('name: Grafana of the stores')
  const bad = await portico(...other, '--id', 'grafana-4', '--name', 'two\nlines')
  expect(bad.code).toBe(2)
})

test("a public client's page for `apps add` has no secret in it", async () => {
  const { out } = await portico(
    'apps',
    'add',
    'zammad',
    '--set',
    'base_url=https://help.example.com',
    '--audience',
    '*',
    '--json',
  )
  expect(JSON.parse(out)).not.toHaveProperty('client_secret')
})

test('export, remove and apply bring an app back, with a new secret', async () => {
  const first = JSON.parse((await portico(...ADD, '--json')).out).client_secret
  const manifest = (await portico('apps', 'export', 'grafana')).out
  mkdirSync(join(root, 'apps'))
  writeFileSync(join(root, 'apps/grafana.yaml'), manifest)
  expect((await portico('apps', 'apply', join(root, 'apps'))).out).toBe(
    'plan: 0 to create, 0 to change, 0 to remove, 1 unchanged\napplied: 0 created, 0 changed, 0 removed, 1 unchanged',
  )
  expect((await portico('apps', 'remove', 'grafana')).code).toBe(0)
  expect((await portico('apps', 'apply', join(root, 'apps'), '--dry-run')).out).toMatch(
    /\+ create {4}grafana\nplan: 1 to create.*\ndry run/,
  )
  const { changes } = JSON.parse((await portico('apps', 'apply', join(root, 'apps'), '--prune', '--json')).out)
  expect(changes).toEqual([
    { id: 'grafana', action: 'create', result: 'done', keys: [], fields: [], client_secret: expect.any(String) },
  ])
  expect(changes[0].client_secret).not.toBe(first)
  const rotated = JSON.parse((await portico('apps', 'rotate-secret', 'grafana', '--json')).out)
  expect(rotated.client_secret).not.toBe(changes[0].client_secret)
})

test('bad manifests end with 1 and are told with their places', async () => {
  writeFileSync(join(root, 'bad.yaml'), 'id: shop\naudiense: [staff]\n')
  const { code, out } = await portico('apps', 'apply', join(root, 'bad.yaml'))
  expect(code).toBe(1)
  expect(out).toMatch(/bad\.yaml:2:1 unknown-key .*did you mean `audience`\?\n/)
})

test('`apps search` finds and says when it found nothing', async () => {
  expect((await portico('apps', 'search', 'grafana')).out).toMatch(/^grafana +Grafana \(monitoring\)/)
  const nothing = await portico('apps', 'search', 'no', 'such', 'app')
  expect(nothing.code).toBe(1)
  for (const way of ['custom-oidc', '--saml-metadata', 'apps apply']) expect(nothing.out).toContain(way)
})

test('an app behind a proxy is shown with its hosts and rules, and has no settings of its own', async () => {
  writeFileSync(
    join(root, 'wiki.yaml'),
    `id: wiki
name: Wiki
policy: default
audience: [staff]
forward_auth:
  hosts: [wiki.example.com]
  upstream: http://10.0.0.5:8080
  headers: [Auth-User, X-Mail=email]
  rules:
    - { paths: [/static/*, /health], methods: [GET], access: public }
    - { paths: [/admin/*], access: sign-in, strength: two-factors }
`,
  )
  await portico('apps', 'apply', join(root, 'wiki.yaml'))
  const { out } = await portico('apps', 'show', 'wiki')
  for (const row of [
    /^hosts +wiki\.example\.com$/m,
    /^headers +Auth-User=user X-Mail=email$/m,
    /^rules +public GET \/static\/\* \/health; sign-in \/admin\/\* two-factors$/m,
    /^upstream +http:\/\/10\.0\.0\.5:8080$/m,
  ])
    expect(out).toMatch(row)
  const none = await portico('apps', 'snippet', 'wiki')
  expect(none.code).toBe(2)
  expect(none.err).toBe('there is no snippet of `wiki` for `env`; known: nginx, traefik, caddy, envoy, haproxy')
})

test('`catalog check` passes on good templates and fails on a mistake', async () => {
  // all that are shipped are read in `templates.test.ts`
  const few = folder(
    Object.fromEntries(
      ['grafana', 'github-organization'].map((slug) => [
        `${slug}.yaml`,
        readFileSync(join(SHIPPED, `${slug}.yaml`), 'utf8'),
      ]),
    ),
  )
  writeFileSync(join(root, 'portico.yaml'), `issuer: https://sso.kestrel.example\ncatalog: ${few}\n`)
  expect(await portico('catalog', 'check')).toMatchObject({
    code: 0,
    out: '2 templates, 0 problems',
  })
  const { code, out } = await portico('catalog', 'check', folder({ 'shop.yaml': 'slug: shop\nnamme: Shop\n' }))
  expect(code).toBe(1)
  expect(out).toMatch(/shop\.yaml:2:1 unknown-key .*did you mean `name`\?/)
})

test('`catalog show` prints the template', async () => {
  expect((await portico('catalog', 'show', 'gitlab')).out).toContain(
    "'{base_url}/users/auth/openid_connect/callback'".slice(1, -1),
  )
  expect(JSON.parse((await portico('catalog', 'show', 'gitlab', '--json')).out)).toMatchObject({
    slug: 'gitlab',
    saml: { acs_urls: [expect.any(String)] },
  })
})

const SAML = ['apps', 'add', 'github-organization', '--set', 'org=kestrel', '--audience', 'staff']

test('`apps add` of an app that speaks SAML numbers the steps, with our addresses and our certificate in them', async () => {
  const { code, out } = await portico(...SAML)
  expect(code).toBe(0)
  expect(out).toContain(`# the app's side (steps)
1. Organization > Settings > Authentication security > Enable SAML authentication
2. Sign on URL: https://sso.kestrel.example/saml/sso
3. Issuer: https://sso.kestrel.example/saml/metadata
4. Public certificate: the text below
    -----BEGIN CERTIFICATE-----
    MII`)
  const pem = /^ {4}-----BEGIN CERTIFICATE-----\n(?: {4}.*\n)+? {4}-----END CERTIFICATE-----$/m.exec(out)![0]
  expect(out).toMatch(/^6\. Test SAML configuration/m)
  const certificate = new X509Certificate(pem.replaceAll(/^ +/gm, ''))
  expect(certificate.subject).toContain('sso.kestrel.example')
  // the certificate is not made anew, and every later look shows the same
  expect((await portico('apps', 'snippet', 'github-organization')).out).toContain(pem)
  await portico('apps', 'add', 'zendesk', '--set', 'subdomain=kestrel', '--audience', 'staff')
  expect((await portico('apps', 'snippet', 'zendesk')).out).toContain(
    `Certificate fingerprint: ${certificate.fingerprint256}\n`,
  )
  await portico('apps', 'add', 'phpipam', '--set', 'base_url=https://ipam.example.com', '--audience', 'staff')
  expect((await portico('apps', 'snippet', 'phpipam')).out).toContain(
    `certificate: ${certificate.raw.toString('base64')}\n`,
  )
})

test('an app is told the settings of the protocol that it speaks', async () => {
  const manifest = (parts: string) =>
    `id: cloud\ntemplate: nextcloud\ninputs: { base_url: https://cloud.example.com }\naudience: [staff]\n${parts}`
  writeFileSync(join(root, 'cloud.yaml'), manifest('saml: {}\n'))
  expect((await portico('apps', 'apply', join(root, 'cloud.yaml'))).code).toBe(0)
  const told = async () => {
    const { out } = await portico('apps', 'snippet', 'cloud')
    return [
      out.includes('user_oidc'),
      out.includes("--idp-singleSignOnService.url='https://sso.kestrel.example/saml/sso'"),
    ]
  }
  expect(await told()).toEqual([false, true])
  writeFileSync(join(root, 'cloud.yaml'), manifest('saml: {}\noidc: {}\n'))
  expect((await portico('apps', 'apply', join(root, 'cloud.yaml'))).code).toBe(0)
  expect(await told()).toEqual([true, true])
  writeFileSync(join(root, 'cloud.yaml'), manifest('oidc: {}\n'))
  expect((await portico('apps', 'apply', join(root, 'cloud.yaml'))).code).toBe(0)
  expect(await told()).toEqual([true, false])
})

test('where a template knows nothing of the side of the app, our addresses are told by the names of SAML', async () => {
  await portico('apps', 'add', 'absorb-lms', '--set', 'subdomain=kestrel', '--audience', 'staff')
  expect((await portico('apps', 'snippet', 'absorb-lms')).out).toBe(`# the app's side (env)
SAML_IDP_ENTITY_ID='https://sso.kestrel.example/saml/metadata'
SAML_IDP_METADATA_URL='https://sso.kestrel.example/saml/metadata'
SAML_IDP_SSO_URL='https://sso.kestrel.example/saml/sso'
SAML_IDP_SLO_URL='https://sso.kestrel.example/saml/slo'`)
})

test('a template whose facts are old says so wherever it is met', async () => {
  const dated = (await portico('apps', 'search', 'topdesk')).out
  expect(dated).toBe('topdesk  TOPdesk (helpdesk, facts of 2018-09)')
  expect(JSON.parse((await portico('apps', 'search', 'topdesk', '--json')).out)).toMatchObject([{ as_of: '2018-09' }])
  const shown = await portico('catalog', 'show', 'topdesk')
  expect(shown.out).toContain('as_of: 2018-09')
  const add = await portico('apps', 'add', 'topdesk', '--set', 'company=kestrel', '--audience', 'staff')
  for (const { code, err } of [shown, add]) {
    expect(code).toBe(0)
    expect(err).toMatch(/^warning: the facts of `topdesk` are of 2018-09: .*--saml-metadata/m)
  }
  expect((await portico(...SAML)).err).not.toContain('facts of')
  expect((await portico('apps', 'search', 'grafana')).out).not.toContain('facts of')
})

test('a name that is no app is answered with the nearest one, by every verb that takes one', async () => {
  await portico(...ADD)
  for (const words of [['show'], ['remove'], ['export'], ['rotate-secret'], ['snippet']]) {
    const { code, err } = await portico('apps', ...words, 'grafna')
    expect([code, err], words.join()).toEqual([2, expect.stringContaining('did you mean `grafana`?')])
  }
  expect((await portico('apps', 'show', 'nothing-like-it')).err).not.toContain('did you mean')
})
