/** `expiring`: everything that ends at a time known beforehand, told in time, with whom it concerns and what to do. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type Server } from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { allVerbs, runCommand } from '#cli'
import { makeServerCertificate } from '../support/certificates.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { city, writeMmdb } from '../support/mmdb.ts'
import { metadataOf, PROVIDER } from '../support/saml-provider.ts'

const VERBS = await allVerbs()

const DAY = 86_400_000
const run = promisify(execFile)
const now = Date.now()

let folder: string
let gateway: Gateway
let ldap: Server
let port: number

/** A certificate that ends after so many days. */
async function certificate(name: string, days: number): Promise<string> {
  const made = ['-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.pem`, '-days', String(days)]
  await run('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...made], { cwd: folder })
  return readFileSync(join(folder, `${name}.pem`), 'utf8')
}

const samlApp = (id: string, more: object) => ({
  ...{ id, name: id, policy: 'default', audience: ['care', 'stores'] },
  saml: {
    entity_id: `https://${id}.example/saml`,
    acs_urls: [`https://${id}.example/acs`],
    ...more,
  },
})

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portico-expiring-'))
  await makeServerCertificate(folder, 'IP:127.0.0.1')
  const own = { key: readFileSync(join(folder, 'server.key')), cert: readFileSync(join(folder, 'server.pem')) }
  ldap = createServer(own, (socket) => socket.on('error', () => {}).on('data', () => socket.end()))
  await new Promise<void>((done) => ldap.listen(0, '127.0.0.1', done))
  port = (ldap.address() as { port: number }).port
  writeFileSync(
    join(folder, 'provider.xml'),
    metadataOf(
      [await certificate('provider-old', 5), await certificate('provider-new', 25)],
      ` validUntil="${new Date(now + 45 * DAY).toISOString()}"`,
    ),
  )
  writeFileSync(
    join(folder, 'places.mmdb'),
    writeMmdb([{ network: '192.0.2.0/24', data: city('NL', 52, 5) }], Math.floor((now - 100 * DAY) / 1000)),
  )
  gateway = await startGateway({
    settings: {
      geo: { file: join(folder, 'places.mmdb') },
      directories: [
        { id: 'staff', kind: 'local' },
        {
          ...{ id: 'stores', kind: 'ldap', url: `ldaps://127.0.0.1:${port}`, base_dn: 'dc=x', template: 'openldap' },
          ca_file: join(folder, 'ca.pem'),
        },
        { id: 'brand', kind: 'saml', entity_id: PROVIDER, metadata_file: join(folder, 'provider.xml') },
        { id: 'gone', kind: 'saml', entity_id: PROVIDER, metadata_file: join(folder, 'nowhere.xml') },
        {
          ...{ id: 'partner', kind: 'oidc', issuer: 'https://idp.partner.example', client_id: 'us' },
          ...{ client_secret: 'secret', client_secret_expires: new Date(now + 33 * DAY).toISOString().slice(0, 10) },
        },
      ],
    },
    apps: [
      samlApp('crm', { signing_certificates: [await certificate('crm-old', 3), await certificate('crm-new', 20)] }),
      samlApp('hr', { encrypt: true, encryption_certificate: await certificate('hr', 50) }),
      samlApp('far', { signing_certificates: [await certificate('far', 400)] }),
      { id: 'stock', template: 'machine' },
      { id: 'loner', template: 'machine' },
    ],
  })
})
afterAll(async () => {
  await gateway.close()
  ldap.close()
  rmSync(folder, { recursive: true })
})

async function expiring(...words: string[]): Promise<{ code: number; out: string }> {
  const out: string[] = []
  const code = await runCommand({
    words: ['expiring', ...words, '--config', `${gateway.folder}/portico.yaml`],
    verbs: VERBS,
    openHouse: async () => ({ ...gateway.server.house, close: async () => {} }) as never,
    out: (line) => out.push(line),
    err: (line) => out.push(line),
  })
  return { code, out: out.join('\n') }
}

interface Row {
  readonly at: string
  readonly what: string
  readonly of?: string
  readonly say: string
  readonly fix: string
}

async function rows(within: string): Promise<{ code: number; rows: Row[]; unknown: { of: string }[] }> {
  const { code, out } = await expiring('--within', within, '--json')
  const { expiring: found, unknown } = JSON.parse(out)
  return { code, rows: found, unknown }
}
const daysOf = ({ at }: Row) => Math.round((Date.parse(at) - now) / DAY)

test('what ends within the time is told with its day, in the order of the days', async () => {
  const { code, rows: found } = await rows('60d')
  expect(code).toBe(1)
  expect(found.map((row) => [row.what, row.of, daysOf(row)])).toEqual([
    // as old as that since so long
    ['places-old', undefined, -40],
    ['certificate-authority', 'stores', 2],
    ['server-certificate', 'stores', 2],
    ['app-signing-certificate', 'crm', 20],
    ['provider-certificate', 'brand', 25],
    ['client-secret', 'partner', expect.closeTo(33, -0.4)],
    ['provider-metadata', 'brand', 45],
    ['app-encryption-certificate', 'hr', 50],
  ])
  expect(found.map(({ at }) => at)).toEqual(found.map(({ at }) => at).toSorted())
  for (const { say, fix } of found) expect(say.length * fix.length).toBeGreaterThan(0)
  expect(found.find(({ of }) => of === 'hr')!.say).toBe(
    'hr decrypts with `hr`: with its successor, care, stores cannot get in',
  )
})

test('what could not be found out is said, and is not taken for good', async () => {
  const { unknown } = await rows('60d')
  expect(unknown).toMatchObject([{ what: 'directory', of: 'gone' }])
  const { code, out } = await expiring('--within', '0s')
  expect(code).toBe(1) // the places
  expect(out).toMatch(/^unknown {5}directory gone: its metadata cannot be read/m)
})

test('a nearer end leaves the others out, a farther one brings them', async () => {
  expect((await rows('10d')).rows.map(({ of }) => of)).toEqual([undefined, 'stores', 'stores'])
  expect((await rows('500d')).rows.map(({ of }) => of)).toContain('far')
})

test('two secrets of an app end with the overlap; a change of the SAML certificate is told with its apps', async () => {
  const { catalog, samlKeys } = gateway.server.house
  await samlKeys.published()
  const ours = async () => (await rows('10000d')).rows.filter(({ what }) => what === 'saml-certificate').length
  expect(await ours()).toBe(1)
  await catalog.apps.rotateSecret('loner', 'cli', 1)
  await catalog.apps.rotateSecret('stock', 'cli', 7 * DAY)
  await samlKeys.rotate(14 * DAY, 'cli')
  // from then on another one signs
  expect(await ours()).toBe(0)
  const { rows: found } = await rows('30d')
  expect(found.filter(({ what }) => what === 'app-secret')).toHaveLength(1)
  expect(found.find(({ what }) => what === 'app-secret')).toMatchObject({
    of: 'stock',
    fix: expect.stringContaining('--finish'),
  })
  const change = found.find(({ what }) => what === 'saml-certificate-change')!
  expect(daysOf(change)).toBe(14)
  expect(change.say).toContain('3 SAML apps (crm, far, hr)')
  expect(change.fix).toContain(`${gateway.issuer}/saml/metadata`)
  await catalog.apps.endPreviousSecret('stock', 'cli')
  expect((await rows('30d')).rows.some(({ what }) => what === 'app-secret')).toBe(false)
})

test('an app with old facts is told until somebody was let in', async () => {
  const { catalog } = gateway.server.house
  const inputs = { subdomain: 'kestrel' }
  await catalog.apps.register({ id: 'lms', template: 'absorb-lms', inputs, audience: ['stores'] }, 'cli')
  const dated = async () => (await rows('1d')).rows.filter(({ what }) => what === 'dated-template')
  expect(await dated()).toMatchObject([{ of: 'lms', at: '2018-09-01T00:00:00.000Z' }])
  await catalog.apps.opened((await catalog.apps.find('lms'))!)
  expect(await dated()).toEqual([])
})

test('a green probe is told when the shortest rule in force that asks for one closes the app', async () => {
  const { catalog } = gateway.server.house
  const rules = (within: string, mode: string) =>
    `  - { name: '${within}', mode: ${mode}, when: { not: { app.probed: { within: ${within} } } }, deny: {} }\n`
  writeFileSync(
    join(gateway.folder, 'policies/tried.yaml'),
    `policy: tried\nrules:\n${rules('90d', 'enforce')}${rules('40d', 'enforce')}${rules('5d', 'report')}  - { name: rest, allow: {} }\n`,
  )
  await gateway.server.reload()
  const oidc = { redirect_uris: ['https://tried.example/cb'] }
  for (const policy of ['tried', 'default'])
    await catalog.apps.register({ id: `by-${policy}`, policy, audience: ['care'], oidc }, 'cli')
  const probed = async () => (await rows('60d')).rows.filter(({ what }) => what === 'probe')
  expect(await probed()).toEqual([])
  for (const id of ['by-tried', 'by-default'])
    await catalog.apps.keepProbe(id, { protocol: 'oidc', grade: 'green', at: now - 10 * DAY, report: '{}' }, 'cli')
  const found = await probed()
  expect(found.map((row) => [row.of, daysOf(row)])).toEqual([['by-tried', 30]])
})

test('for people it is three lines each: when, what for whom, and what to do', async () => {
  const { out } = await expiring('--within', '22d')
  expect(out).toMatch(
    /^\d{4}-\d\d-\d\d {2}in (19|20) days {5,6}app-signing-certificate of crm\n {4}crm signs with `crm-new`: .*care, stores\n {4}to do: put the new certificate into its manifest/m,
  )
  expect((await expiring('--within', 'soon')).code).toBe(2)
})

test('a server that cannot be reached is unknown, its authority is told all the same', async () => {
  await new Promise((done) => ldap.close(done))
  const { rows: found, unknown } = await rows('10d')
  expect(found.map(({ what }) => what)).toEqual(['places-old', 'certificate-authority'])
  expect(unknown).toMatchObject([
    { of: 'stores', say: `127.0.0.1:${port} cannot be reached: ECONNREFUSED` },
    { of: 'gone' },
  ])
})

test.each([
  ['a country', '{ country: [NL] }', ['geoip-lite']],
  ['a journey', '{ travel.speed: { over: 900 } }', ['geoip-lite']],
  ['nothing of the kind', '{ user.groups: [staff] }', []],
])('without a file of places it is told that nobody knows their age where rules look at %s', async (_, when, of) => {
  const policies = { 'one.yaml': `policy: one\nrules:\n  - { name: r, when: ${when}, allow: {} }\n` }
  const other = await startGateway({ policies })
  try {
    const out: string[] = []
    await runCommand({
      words: ['expiring', '--json', '--config', `${other.folder}/portico.yaml`],
      verbs: VERBS,
      openHouse: async () => ({ ...other.server.house, close: async () => {} }) as never,
      out: (line) => out.push(line),
    })
    expect(JSON.parse(out.join('')).unknown.map((one: { of: string }) => one.of)).toEqual(of)
  } finally {
    await other.close()
  }
})
