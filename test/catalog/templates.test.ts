/** The templates: mistakes with their places, and the ones that are shipped. */
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openTemplates } from '#catalog'
import { formatProblem } from '#config'
import { addressProblem } from '../../src/catalog/addresses.ts'
import { namesOf } from '../../src/catalog/app.ts'
import { resolve } from '../../src/catalog/manifest.ts'
import { exampleInputs, isRequired, type Template } from '../../src/catalog/template.ts'
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
  [
    'a scope that no sign-in has',
    /$/,
    '  scopes: [openid, profil, groups]\n',
    /:10:20 scope-unknown .*`profil`; did you mean `profile`\?/,
  ],
  ['a date of a test that is no date', /$/, 'tested: yesterday\n', /:10:9 invalid `tested`/],
  ['an age that is no month', /$/, 'as_of: 2018\n', /:10:8 invalid `as_of`/],
  [
    'an old source without its age',
    'sources: [',
    'sources: [https://github.com/rekha-balan/azure-docs-test2-pr.nl-NL/blob/2cf49c66e0/articles/shop.md, ',
    /:1:1 as-of-missing .*`2018-09`/,
  ],
  [
    'a value that only an app of another protocol has',
    /$/,
    'settings:\n  - { format: env, text: "ID={client_id}" }\n  - { format: env, text: "URL={saml_sso_url}" }\n',
    /:12:26 placeholder-foreign .*`settings\.1\.text`.*`saml`/,
  ],
  [
    'values of two protocols in one text',
    /$/,
    `saml: { entity_id: a, acs_urls: ['{base_url}/acs'] }\nsettings:\n  - { format: env, text: "ID={client_id} {saml_sso_url}" }\n`,
    /:12:26 placeholders-mixed/,
  ],
  ...(['1. Open it', '  Open it', 'Open it\n\n      Close it', 'Open it\n      2) Close it'] as const).map(
    (text): [string, RegExp, string, RegExp] => [
      `steps that are none: ${JSON.stringify(text)}`,
      /$/,
      `settings:\n  - format: steps\n    text: |2\n      ${text}\n`.replace('|2', text.startsWith(' ') ? '|2' : '|'),
      /:12:11 steps-invalid/,
    ],
  ),
  [
    'an attribute that is a sentence',
    /$/,
    `saml: { entity_id: a, acs_urls: ['{base_url}/acs'], attributes: [{ name: role, value: role of the person }] }\n`,
    /:10:\d+ attribute-unknown .*`role of the person`/,
  ],
  ['a second protocol that is not whole', /$/, 'forward_auth:\n  headers: [Auth-User]\n', /:1[01]:\d+ host-missing/],
  ['a wildcard host behind a proxy', /$/, "forward_auth:\n  hosts: ['*.example.com']\n", /:11:11 host-unsafe/],
  [
    'an answer that goes to plain http',
    /$/,
    'saml: { entity_id: a, acs_urls: [http://a.example/] }\n',
    /:10:\d+ address-unsafe/,
  ],
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

test('a head is read as YAML reads it, however it is written', async () => {
  const heads = {
    plain: 'name: Shop & Co. (stores)\nvendor: Kestrel\ncategory: retail-pos\nas_of: 2018-09\n',
    quoted: `name: 'Shop: "one"'\nvendor: "Kestrel"\ncategory: retail-pos # of stores\n`,
    folded: 'name: >-\n  Shop\n  one\nvendor: Kestrel\ncategory: retail-pos\n',
    number: 'name: 1shop\nvendor: 8x8\ncategory: retail-pos\n',
  }
  const files = Object.fromEntries(
    Object.entries(heads).map(([slug, head]) => [`${slug}.yaml`, `slug: ${slug}\n${head}sources: []\noidc: {}\n`]),
  )
  const found = await openTemplates(folder(files)).search('')
  expect(found).toEqual([
    { slug: 'folded', name: 'Shop one', vendor: 'Kestrel', category: 'retail-pos' },
    { slug: 'number', name: '1shop', vendor: '8x8', category: 'retail-pos' },
    { slug: 'plain', name: 'Shop & Co. (stores)', vendor: 'Kestrel', category: 'retail-pos', as_of: '2018-09' },
    { slug: 'quoted', name: 'Shop: "one"', vendor: 'Kestrel', category: 'retail-pos' },
  ])
})

test('two templates never have one name', async () => {
  const { problems } = await openTemplates(
    folder({
      'shop.yaml': GOOD,
      'shop-2.yaml': GOOD.replace('slug: shop', 'slug: shop-2').replace('Shop\n', 'SHOP\n'),
    }),
    'c',
  ).check()
  expect(problems.map(formatProblem)).toEqual(['c/shop.yaml:2:7 name-taken `name` is that of `shop-2` too'])
})

const slugs = readdirSync(SHIPPED)
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => name.slice(0, -5))
let reading: Promise<Template[]> | undefined
/** Read once, and only when a test asks: the small ones do not wait for it. */
const shipped = () => {
  reading ??= Promise.all(slugs.map((slug) => openTemplates(SHIPPED).show(slug)))
  return reading
}

test('at least 330 templates are shipped, 120 of them with the side of the app, and all pass the check', async () => {
  const { count, problems } = await openTemplates(SHIPPED, 'apps-catalog').check()
  expect(problems.map(formatProblem)).toEqual([])
  expect(count).toBe(slugs.length)
  expect(count).toBeGreaterThanOrEqual(330)
  const templates = await shipped()
  expect(templates.filter(({ settings }) => settings.length > 0).length).toBeGreaterThanOrEqual(120)
  for (const protocol of ['oidc', 'saml', 'forward_auth'] as const)
    expect(templates.filter((template) => template[protocol]).length, protocol).toBeGreaterThanOrEqual(10)
})

test('what is shipped says its age, its risk, and nothing that nobody has tried', async () => {
  for (const { slug, as_of, sources, category, defaults, tested, inputs } of await shipped()) {
    expect(tested, `${slug}: nobody has signed in to a real copy yet`).toBeUndefined()
    expect(as_of !== undefined, slug).toBe(sources.some((one) => one.includes('azure-docs')))
    expect(defaults.tier === 'high', slug).toBe(defaults.tags?.includes('high-risk') ?? false)
    if (category !== 'generic') expect(defaults.tags?.[0], slug).toBe(category)
    expect(Object.values(inputs).filter(isRequired).length, slug).toBeLessThanOrEqual(2)
  }
})

test('every template becomes a valid app of each of its protocols, with its examples and with the least that it asks for', async () => {
  /** By entity id and host: all of them can be registered side by side. */
  const taken = new Map<string, string>()
  for (const template of await shipped()) {
    const examples = exampleInputs(template)
    const least = Object.fromEntries(
      Object.entries(template.inputs).flatMap(([name, input]) => (isRequired(input) ? [[name, examples[name]!]] : [])),
    )
    const audience = template.oidc?.grant_types?.includes('client_credentials') ? [] : ['staff']
    const protocols = (['oidc', 'saml', 'forward_auth'] as const).filter((key) => template[key])
    for (const [i, protocol] of protocols.entries()) {
      // an optional host is asked for where a proxy stands in front of the app
      for (const inputs of i === 0 ? [examples, least] : [examples]) {
        const { definition, issues } = resolve({ id: template.slug, inputs, audience, [protocol]: {} }, template)
        expect(issues, `${template.slug} ${protocol}`).toEqual([])
        expect(JSON.stringify(definition), template.slug).not.toMatch(/\{[a-z_]+\}/)
        for (const { kind, name } of namesOf(definition!)) {
          expect(taken.get(`${kind} ${name}`) ?? template.slug, name).toBe(template.slug)
          taken.set(`${kind} ${name}`, template.slug)
        }
        const uris = definition!.oidc?.redirect_uris ?? []
        if (protocol === 'oidc') expect(uris.length > 0, template.slug).toBe(audience.length > 0)
        for (const uri of uris) expect(addressProblem(uri, 'redirect'), uri).toBeUndefined()
        for (const uri of definition!.saml?.acs_urls ?? []) expect(addressProblem(uri, 'page'), uri).toBeUndefined()
      }
    }
  }
})

test('a search reads the heads of what is shipped as the templates say them', async () => {
  const found = await openTemplates(SHIPPED).search('')
  const said = (await shipped()).map(({ slug, name, vendor, category, as_of }) => ({
    slug,
    name,
    vendor,
    category,
    ...(as_of !== undefined && { as_of }),
  }))
  expect(found).toEqual(said.sort((a, b) => (a.slug < b.slug ? -1 : 1)))
})
