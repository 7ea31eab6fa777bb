/** The templates: mistakes with their places, and the ones that are shipped. */
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openTemplates } from '#catalog'
import { formatProblem } from '#config'
import { addressProblem } from '../../src/catalog/addresses.ts'
import { resolve } from '../../src/catalog/manifest.ts'
import { exampleInputs, isRequired } from '../../src/catalog/template.ts'
import { folder, SHIPPED } from './house.ts'

const GOOD = `slug: shop
name: Shop
vendor: Kestrel
category: retail-pos
sources: [https://shop.example.com/docs]
inputs:
  base_url: { label: Shop URL, example: https://shop.example.com, kind: https-url }
oidc:
  redirect_uris: ['{base_url}/callback']
`

async function problemsOf(text: string, name = 'shop.yaml'): Promise<string[]> {
  const { problems } = await openTemplates(folder({ [name]: text }), 'apps-catalog').check()
  return problems.map(formatProblem)
}

test('a small template is enough', async () => {
  expect(await problemsOf(GOOD)).toEqual([])
})

test('all problems of a file are told at once, each with its place', async () => {
  const text = GOOD.replace('vendor:', 'vendr:')
    .replace('kind: https-url', 'kind: https-uri')
    .replace('category: retail-pos', 'category: shops')
  const problems = await problemsOf(text)
  expect(problems).toEqual([
    expect.stringMatching(/^apps-catalog\/shop\.yaml:\d+:1 missing `vendor` is missing/),
    expect.stringMatching(
      /^apps-catalog\/shop\.yaml:3:1 unknown-key document has an unknown key `vendr`; did you mean `vendor`\?/,
    ),
    expect.stringMatching(/^apps-catalog\/shop\.yaml:4:11 invalid `category`/),
    expect.stringMatching(/^apps-catalog\/shop\.yaml:7:\d+ invalid `inputs.base_url.kind`/),
  ])
})

test.each([
  [
    'an unknown placeholder in an address, with the nearest',
    "'{base_url}/callback'",
    "'{base_url}/{base_ur}'",
    /^apps-catalog\/shop\.yaml:9:19 placeholder-unknown .*did you mean `\{base_url\}`/,
  ],
  [
    'a placeholder that the gateway fills in, in an address',
    "'{base_url}/callback'",
    "'{base_url}/{client_secret}'",
    /:9:19 placeholder-unknown/,
  ],
  [
    'an address that does not begin with the URL that is asked for',
    "'{base_url}/callback'",
    "'https://x.example/{base_url}'",
    /:9:19 placeholder-misplaced/,
  ],
  [
    'a URL that something is glued to',
    "'{base_url}/callback'",
    "'{base_url}.evil.example/'",
    /:9:19 placeholder-misplaced/,
  ],
  [
    'plain http',
    "'{base_url}/callback'",
    "'{base_url}/callback', 'http://shop.example.com/'",
    /:9:42 address-unsafe .*`https`/,
  ],
  ['a wildcard', "'{base_url}/callback'", "'{base_url}/*'", /:9:19 address-unsafe .*wildcard/],
  ['a fragment', "'{base_url}/callback'", "'{base_url}/#/cb'", /:9:19 address-unsafe .*fragment/],
  ['two dots', "'{base_url}/callback'", "'{base_url}/../cb'", /:9:19 address-unsafe/],
  [
    'an example that its own kind refuses',
    'https://shop.example.com, kind',
    'http://shop.example.com, kind',
    /:7:\d+ invalid `inputs.base_url.example`/,
  ],
  [
    'an input that is used nowhere',
    'oidc:',
    '  host: { label: Host, example: a.example, kind: host }\noidc:',
    /:8:\d+ input-unused `inputs.host`/,
  ],
  [
    'an input with a name that the gateway fills in',
    'oidc:',
    '  issuer: { label: Issuer, example: a.example, kind: host }\noidc:',
    /:8:\d+ input-reserved/,
  ],
  [
    'more than two required inputs',
    'oidc:',
    '  a: { label: A, example: a, kind: slug }\n  b: { label: B, example: b, kind: slug }\noidc:',
    /inputs-too-many/,
  ],
  ['no protocol at all', /oidc:[\s\S]*/, '', /protocol-missing/],
  ['no sources', 'sources: [https://shop.example.com/docs]', 'sources: []', /:5:\d+ invalid `sources`/],
  ['a slug that is not the name of the file', 'slug: shop', 'slug: shops', /:1:7 slug-mismatch/],
  [
    'an unknown placeholder in the settings',
    /$/,
    'settings:\n  - format: env\n    text: ID={client_ud}\n',
    /:12:11 placeholder-unknown .*`\{client_id\}`/,
  ],
  [
    'PKCE switched off for a public client',
    /$/,
    '  token_endpoint_auth_method: none\n  pkce: optional\n',
    /pkce-required/,
  ],
  ['a grant that does not exist', /$/, '  grant_types: [implicit]\n', /:10:\d+ invalid `oidc.grant_types/],
  ['offline access without the refresh grant', /$/, '  scopes: [openid, offline_access]\n', /scope-offline/],
  ['a date of a test that is no date', /$/, 'tested: yesterday\n', /:10:9 invalid `tested`/],
  [
    'a text that could leave its place in an address',
    "kind: https-url }\noidc:\n  redirect_uris: ['{base_url}/callback']",
    "kind: https-url }\n  word: { label: W, example: w, kind: text }\noidc:\n  redirect_uris: ['{base_url}/{word}']",
    /placeholder-misplaced/,
  ],
] as const)('refused with its place: %s', async (_, from, to, problem) => {
  const text = GOOD.replace(from, to)
  expect(text).not.toBe(GOOD)
  expect((await problemsOf(text)).join('\n')).toMatch(problem)
})

test('a file whose name is no slug, and one that is no YAML, are told', async () => {
  expect(await problemsOf(GOOD, 'Shop.yaml')).toEqual([expect.stringContaining('file-name')])
  expect(await problemsOf(GOOD, 'shop.yml')).toEqual([expect.stringContaining('file-name')])
  expect((await problemsOf('slug: [shop')).join('\n')).toContain('yaml-invalid')
})

test('a slug never leads out of the folder', async () => {
  const root = folder({ 'in/shop.yaml': GOOD, 'out.yaml': GOOD })
  const templates = openTemplates(`${root}/in`)
  for (const slug of ['../out', '..%2fout', '/etc/passwd', '.', '']) {
    await expect(templates.show(slug)).rejects.toMatchObject({ code: 'template-unknown' })
  }
})

test('a template with a mistake is not shown, and does not hide the others from a search', async () => {
  const templates = openTemplates(folder({ 'shop.yaml': GOOD, 'broken.yaml': 'name: [' }), 'c')
  await expect(templates.show('broken')).rejects.toMatchObject({
    code: 'template-invalid',
    detail: expect.stringMatching(/^c\/broken\.yaml:/),
  })
  expect((await templates.search('')).map(({ slug }) => slug)).toEqual(['broken', 'shop'])
})

test('a search puts the exact name first, then beginnings, then vendors and categories', async () => {
  const found = async (word: string) => (await openTemplates(SHIPPED).search(word)).map(({ slug }) => slug)
  expect((await found('GitLab'))[0]).toBe('gitlab')
  expect(await found('git')).toEqual(expect.arrayContaining(['gitea', 'gitlab']))
  expect(await found('grafana labs')).toContain('grafana')
  expect(await found('monitoring')).toContain('grafana')
  expect(await found('no such app')).toEqual([])
})

test('a search through 400 templates takes less than 200 ms', async () => {
  const files = Object.fromEntries(
    Array.from({ length: 400 }, (_, i) => [`shop-${i}.yaml`, GOOD.replace('slug: shop', `slug: shop-${i}`)]),
  )
  const templates = openTemplates(folder(files))
  const times: number[] = []
  for (let i = 0; i < 20 && Math.min(...times) >= 200; i++) {
    const start = process.hrtime.bigint()
    expect(await templates.search('shop-39')).toHaveLength(11)
    times.push(Number(process.hrtime.bigint() - start) / 1e6)
  }
  expect(Math.min(...times)).toBeLessThan(200)
})

const slugs = readdirSync(SHIPPED)
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => name.slice(0, -5))

test('at least 40 templates are shipped, and all pass the check', async () => {
  expect(slugs.length).toBeGreaterThanOrEqual(42)
  const { count, problems } = await openTemplates(SHIPPED, 'apps-catalog').check()
  expect(problems.map(formatProblem)).toEqual([])
  expect(count).toBe(slugs.length)
})

test.each(slugs)('%s becomes a valid app with its examples', async (slug) => {
  const template = await openTemplates(SHIPPED).show(slug)
  expect(template.tested, 'nobody has signed in to a real copy yet').toBeUndefined()
  const required = Object.entries(template.inputs).filter(([, input]) => isRequired(input))
  expect(required.length).toBeLessThanOrEqual(2)
  const examples = exampleInputs(template)
  const audience = template.oidc?.grant_types?.includes('client_credentials') ? [] : ['staff']
  for (const inputs of [examples, Object.fromEntries(required.map(([name]) => [name, examples[name]!]))]) {
    const { definition, issues } = resolve({ id: slug, inputs, audience }, template)
    expect(issues).toEqual([])
    const uris = definition!.oidc!.redirect_uris
    expect(uris.length > 0).toBe(audience.length > 0)
    for (const uri of uris) expect(addressProblem(uri, 'redirect'), uri).toBeUndefined()
    expect(JSON.stringify(definition)).not.toMatch(/\{[a-z_]+\}/)
  }
})
