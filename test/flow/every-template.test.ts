/**
 * Every template becomes an app, by one command; and an app that is made of the template's own words, on libraries that are
 * not ours, signs somebody in who has signed in once.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createBrowser, formOf, formsOf, type Page } from '../../demo/browser.ts'
import { discover, signInAs } from '../support/pattern-client.ts'
import { type ManySamlApps, startManySamlApps } from '../support/pysaml2-many.ts'
import { typePassword } from '../support/relying-party.ts'
import { FORMATS } from '../support/saml-app.ts'
import { makePlace, type Place, portico, type Serving, serve } from '../support/serve.ts'
import { type OidcPattern, readPatterns, type SamlPattern } from '../support/templates.ts'

const SAM = {
  username: 'sam',
  name: 'Sam de Vries',
  givenName: 'Sam',
  familyName: 'de Vries',
  mail: 'sam@kestrel.example',
  mailVerified: true,
  organisation: 'kestrel/care',
  language: 'nl',
  groups: ['care', 'staff'],
  attributes: {
    title: ['Team lead'],
    department: ['Customer care'],
    employeeNumber: ['4711'],
    telephoneNumber: ['+31 20 555 0100'],
    quota: ['5 GB'],
    immutableId: ['dGhlIHNvdXJjZSBhbmNob3I='],
    awsRole: ['arn:aws:iam::123456789012:role/Care,arn:aws:iam::123456789012:saml-provider/Portico'],
  },
} as const

const patterns = readPatterns()
const byId = patterns.map(({ slug }) => slug).sort()
const isMachine = ({ grants }: OidcPattern) => !grants.includes('authorization_code')

interface Row {
  readonly slug: string
  readonly protocol: 'oidc' | 'saml' | '-'
  readonly address: string
  readonly result: 'signed in' | 'FAILED' | 'nobody'
  /** What was looked at; or why not. */
  readonly about: string
}

interface ApplyAnswer {
  readonly problems: readonly unknown[]
  readonly changes: readonly {
    readonly id: string
    readonly action: string
    readonly result: string
    readonly client_secret?: string
  }[]
}

let place: Place
let gateway: Serving
let manifests: string
let saml: ManySamlApps | undefined
const secrets = new Map<string, string>()

/** A manifest a template: its own examples, and every protocol that people sign in by. */
function writeManifests(): string {
  const folder = mkdtempSync(join(tmpdir(), 'portico-manifests-'))
  for (const { slug, inputs, oidc, saml: provider } of patterns) {
    const machine = oidc !== undefined && isMachine(oidc)
    const manifest = {
      id: slug,
      template: slug,
      inputs,
      policy: 'plain',
      audience: machine ? [] : ['staff'],
      ...(oidc && { oidc: {} }),
      ...(provider && { saml: {} }),
    }
    writeFileSync(join(folder, `${slug}.yaml`), JSON.stringify(manifest))
  }
  return folder
}

async function apply(): Promise<{ code: number | null; answer: ApplyAnswer }> {
  const running = portico(['apps', 'apply', manifests, '--json', '--config', place.config])
  const code = await running.exited
  return { code, answer: JSON.parse(running.out()) as ApplyAnswer }
}

beforeAll(async () => {
  manifests = writeManifests()
  place = await makePlace({ people: [SAM] })
})
afterAll(async () => {
  await saml?.close()
  await gateway?.stop()
  await place?.remove()
  rmSync(manifests, { recursive: true, force: true })
})

test('one command makes an app of every template, and a second run changes nothing', async () => {
  const first = await apply()
  for (const { id, client_secret } of first.answer.changes) if (client_secret) secrets.set(id, client_secret)
  expect(first.answer.problems).toEqual([])
  expect(first.code).toBe(0)
  expect(first.answer.changes.length).toBeGreaterThanOrEqual(220)
  const done = (action: string) => byId.map((id) => expect.objectContaining({ id, action, result: 'done' }))
  expect(first.answer.changes).toEqual(done('create'))
  const second = await apply()
  expect(second.code).toBe(0)
  expect(second.answer.changes).toEqual(done('unchanged'))
}, 120_000)

/** What the scopes of an app let it see of Sam. */
const claimsFor = (scopes: readonly string[]) => ({
  ...(scopes.includes('profile') && {
    name: SAM.name,
    given_name: SAM.givenName,
    family_name: SAM.familyName,
    preferred_username: SAM.username,
    locale: SAM.language,
  }),
  ...(scopes.includes('email') && { email: SAM.mail, email_verified: true }),
  ...(scopes.includes('groups') && { groups: SAM.groups }),
})
const OF_PERSON = [
  'name',
  'given_name',
  'family_name',
  'preferred_username',
  'locale',
  'email',
  'email_verified',
  'groups',
]
const ofPerson = (claims: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(claims).filter(([name]) => OF_PERSON.includes(name)))

/** Opens it, and answers what the person is asked on the way. */
interface Walk {
  /** Where the browser ends that is asked nothing. */
  silently(url: string): Promise<Page>
  /** Where it ends when the person agrees to what the app may know. */
  agreeing(url: string): Promise<Page>
}

interface OidcWay {
  readonly redirectUri: string
  readonly pkce: boolean
  readonly prompt?: 'consent'
}

/** Any program can take an app's own scheme, so the person is asked each time (RFC 8252 §8.6). */
const ownScheme = (uri: string) => !/^https?:/.test(uri)

/** At every address of its own; with and without PKCE where the app may do either; and so that it may stay, where it can. */
function oidcWays({ redirectUris, pkce, scopes }: OidcPattern): OidcWay[] {
  const ways = redirectUris.map((redirectUri): OidcWay => ({ redirectUri, pkce: true }))
  return [
    ...ways,
    ...(pkce === 'optional' ? [{ ...ways[0]!, pkce: false }] : []),
    // OIDC Core §11: staying is granted where the person was asked
    ...(scopes.includes('offline_access') ? [{ ...ways[0]!, prompt: 'consent' } as const] : []),
  ]
}

async function signInWithOidc(pattern: OidcPattern, walk: Walk, server: Awaited<ReturnType<typeof discover>>) {
  const { slug, scopes, pkce, method, alg, grants, redirectUris } = pattern
  const sub = place.ids.get('sam')!
  for (const way of oidcWays(pattern)) {
    const open = way.prompt || ownScheme(way.redirectUri) ? walk.agreeing : walk.silently
    const seen = await signInAs(pattern, { ...way, server, secret: secrets.get(slug), sub, open })
    expect(seen.idToken, 'ID token').toMatchObject({ iss: place.issuer, aud: slug, sub, sid: expect.any(String) })
    expect(seen.alg, 'algorithm').toBe(alg)
    const granted = scopes.filter((scope) => scope !== 'offline_access' || way.prompt)
    expect(seen.scopes.toSorted(), 'scopes').toEqual(granted.toSorted())
    expect(ofPerson(seen.userinfo), 'userinfo').toEqual(claimsFor(scopes))
    expect(ofPerson(seen.idToken), 'claims of the ID token').toEqual(pattern.inIdToken ? claimsFor(scopes) : {})
    if (seen.refreshed) expect(seen.refreshed, 'refreshed').toMatchObject({ aud: slug, sub })
  }
  const extra = [
    method.replace('client_secret_', ''),
    pkce === 'required' ? 'PKCE' : 'PKCE or none',
    alg,
    scopes.filter((scope) => scope !== 'openid').join('+'),
    ...(pattern.inIdToken ? ['in ID token'] : []),
    ...(grants.includes('refresh_token') ? ['refresh'] : []),
    ...(redirectUris.some(ownScheme) ? ['its own scheme asks'] : []),
  ]
  return `iss aud nonce sub signature userinfo; ${extra.filter((one) => one !== '').join(', ')}`
}

const WORDS: Readonly<Record<string, readonly string[]>> = {
  email: [SAM.mail],
  username: [SAM.username],
  name: [SAM.name],
  given_name: [SAM.givenName],
  family_name: [SAM.familyName],
  organisation: [SAM.organisation],
  language: [SAM.language],
  groups: SAM.groups,
  ...SAM.attributes,
}
const valuesOf = (word: string): readonly string[] => (word === 'id' ? [place.ids.get('sam')!] : (WORDS[word] ?? []))

async function signInWithSaml(pattern: SamlPattern, { silently }: Walk) {
  const { slug, nameIdFormat, attributes } = pattern
  const begun = saml!.begun.filter((one) => one.slug === slug)
  expect(begun.map(({ acs }) => acs)).toEqual(pattern.acsUrls)
  for (const one of begun) {
    const page = await silently(one.location)
    const form = formsOf(page).find(({ fields }) => fields.has('SAMLResponse'))
    if (!form) throw new Error(`stopped at ${page.url.pathname} (${page.status})`)
    expect(form.action.href, 'posted to').toBe(new URL(one.acs).href)
    expect(form.fields.get('RelayState'), 'RelayState').toBe(`to-${slug}`)
    const taken = await saml!.take(one, form.fields.get('SAMLResponse')!)
    // made by us: telling nothing, and good for this app only
    const own = pattern.nameId === undefined
    expect(taken.name, 'NameID').toEqual({
      value: own ? expect.stringMatching(/^[\w-]{43,44}$/) : valuesOf(pattern.nameId!)[0],
      format: FORMATS[nameIdFormat],
      for: own ? pattern.entityId : null,
    })
    // Core §8.2: the app that compares formats takes a URI for a URI, and any other name for a name
    const wanted = attributes.map(({ name, value }) => ({
      name,
      format: `urn:oasis:names:tc:SAML:2.0:attrname-format:${/^(?:urn|https?):/.test(name) ? 'uri' : 'basic'}`,
      values: valuesOf(value),
    }))
    expect(taken.attributes, 'attributes').toEqual(wanted)
    expect(taken.handed, 'values').toEqual(wanted.flatMap(({ values }) => values).toSorted())
  }
  const names = attributes.map(({ value }) => value)
  return `${pattern.sign.join('+')} signed, ${nameIdFormat}${names.length > 0 ? `; ${names.join(' ')}` : ''}`
}

async function rowOf(
  { slug }: { readonly slug: string },
  protocol: 'oidc' | 'saml',
  addresses: readonly string[],
  run: () => Promise<string>,
): Promise<Row> {
  const more = addresses.length > 1 ? ` (+${addresses.length - 1})` : ''
  const head = { slug, protocol, address: `${addresses[0]}${more}` }
  try {
    return { ...head, result: 'signed in', about: await run() }
  } catch (error) {
    const { message, cause } = error as Error
    return { ...head, result: 'FAILED', about: `${message}${cause ? ` ${JSON.stringify(cause)}` : ''}` }
  }
}

/** Columns as wide as what they hold. */
function table(rows: readonly Row[]): string {
  const columns = ['slug', 'protocol', 'result', 'address', 'about'] as const
  const lines = [
    Object.fromEntries(columns.map((name) => [name, name])) as Record<(typeof columns)[number], string>,
    ...rows,
  ]
  const width = columns.map((name) => Math.max(...lines.map((row) => row[name].length)))
  return lines
    .map((row) =>
      columns
        .map((name, i) => row[name].padEnd(width[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

test('whoever has signed in once walks into every app, each made of its own template', async () => {
  gateway = await serve(place.config)
  const server = await discover(place.issuer)
  const metadata = await (await fetch(`${place.issuer}/saml/metadata`)).text()
  saml = await startManySamlApps(
    patterns.flatMap((pattern) => pattern.saml ?? []),
    metadata,
  )
  // whatever is not ours is an app, where the walk ends
  const browser = createBrowser({
    fetch: async (url, init) => (url.origin === new URL(place.issuer).origin ? fetch(url, init) : new Response('')),
  })
  // once, by opening the first app: nothing is typed after that
  const [entrance] = saml.begun
  await typePassword(browser, await browser.open(entrance!.location), SAM.username)
  const walk: Walk = {
    silently: browser.open,
    agreeing: async (url) => browser.submit(formOf(await browser.open(url), 'consent'), { answer: 'allow' }),
  }
  const people = patterns.flatMap(({ oidc }) => (oidc && !isMachine(oidc) ? [oidc] : []))
  const providers = patterns.flatMap((pattern) => pattern.saml ?? [])
  const oidcRows = async () => {
    const rows: Row[] = []
    for (const one of people)
      rows.push(await rowOf(one, 'oidc', one.redirectUris, () => signInWithOidc(one, walk, server)))
    return rows
  }
  const samlRows = async () => {
    const rows: Row[] = []
    for (const one of providers) rows.push(await rowOf(one, 'saml', one.acsUrls, () => signInWithSaml(one, walk)))
    return rows
  }
  // xmlsec1 is a process for each signature: meanwhile the others sign in
  const signedIn = (await Promise.all([oidcRows(), samlRows()])).flat()
  const tried = new Set(signedIn.map(({ slug }) => slug))
  const nobody = patterns.flatMap(({ slug, oidc }): Row[] => {
    const about = oidc ? 'a machine gets tokens for itself' : 'a proxy in front of it signs people in'
    return tried.has(slug) ? [] : [{ slug, protocol: '-', address: '-', result: 'nobody', about }]
  })
  const rows = [...signedIn, ...nobody].sort((a, b) => (a.slug < b.slug ? -1 : 1))
  const of = (result: Row['result']) => rows.filter((row) => row.result === result)
  const apps = new Set(of('signed in').map(({ slug }) => slug))
  console.log(
    `${table(rows)}\n\n${patterns.length} templates; ${apps.size} apps signed in (${of('signed in').length} ways), ${of('FAILED').length} failed, ${of('nobody').length} have nobody sign in`,
  )
  expect(of('FAILED')).toEqual([])
  expect(apps.size).toBeGreaterThanOrEqual(200)
  expect(apps.size + of('nobody').length).toBe(patterns.length)
}, 240_000)
