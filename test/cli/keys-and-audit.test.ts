import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Audit, auditMigrations, createAudit } from '#audit'
import { type Catalog, catalogMigrations, openCatalog } from '#catalog'
import { loadSettings } from '#config'
import { silentLog } from '#core/log'
import { directoryMigrations, openDirectory, type People } from '#directory'
import { type Keys, keysMigrations, openKeys } from '#keys'
import { createSamlKeys, type SamlKeys, samlMigrations } from '#protocol/saml'
import { openStorage, type Storage } from '#storage'
import type { Arguments, Context } from '../../src/cli/verb.ts'
import { auditVerbs } from '../../src/cli/verbs/audit.ts'
import { keysVerbs } from '../../src/cli/verbs/keys.ts'
import { SHIPPED } from '../catalog/house.ts'
import { freePort } from '../support/ports.ts'
import { emptyStorageUrl } from '../support/storage.ts'

const NOON = Date.UTC(2026, 10, 22, 12)
let now = NOON
const clock = { now: () => now }
const LOCAL = { id: 'local', kind: 'local' } as const
let storage: Storage
let audit: Audit
let keys: Keys
let people: People
let samlKeys: SamlKeys
let catalog: Catalog
beforeEach(async () => {
  now = NOON
  const migrations = [
    ...auditMigrations,
    ...keysMigrations,
    ...directoryMigrations,
    ...samlMigrations,
    ...catalogMigrations,
  ]
  storage = await openStorage({ url: await emptyStorageUrl(), clock, log: silentLog, migrations })
  audit = createAudit({ storage, clock, log: silentLog })
  keys = await openKeys({ storage, clock, log: silentLog, audit, masterKey: randomBytes(32) })
  samlKeys = createSamlKeys({ storage, clock, audit, keys, name: 'id.kestrel.example' })
  people = await openDirectory({ storage, clock, log: silentLog, audit, directories: [LOCAL], folder: '.' })
  catalog = await openCatalog({ storage, clock, audit, keys, templates: SHIPPED })
})
afterEach(() => storage.close())

async function run(words: string, flags: Record<string, string> = {}) {
  const said: string[] = []
  const wrong: string[] = []
  const values: unknown[] = []
  const args: Arguments = {
    positional: [],
    flag: (name) => flags[name],
    flags: (name) => (flags[name] === undefined ? [] : [flags[name]]),
    has: (name) => name in flags,
  }
  const context = {
    clock,
    json: false,
    out: (line: string) => said.push(line),
    err: (line: string) => wrong.push(line),
    print(value: unknown, human: () => string | readonly string[]) {
      values.push(value)
      said.push(...[human()].flat())
    },
    settings: { issuer: 'https://id.kestrel.example' },
    open: async () => ({ storage, audit, keys, samlKeys, people, catalog, clock, log: silentLog }),
  } as unknown as Context
  const verb = [...keysVerbs, ...auditVerbs].find((one) => one.words.join(' ') === words)!
  for (const name of Object.keys(flags)) expect([...(verb.options ?? []), ...(verb.switches ?? [])]).toContain(name)
  return { code: await verb.run(args, context), said, wrong, value: values[0] as never }
}

test('keys list and rotate print each key on a line with its next moment', async () => {
  expect((await run('keys list')).said.map((line) => line.split(/\s+/).slice(0, 2))).toEqual([
    ['ES256', 'signing'],
    ['RS256', 'signing'],
    ['EdDSA', 'signing'],
  ])
  const { code, said } = await run('keys rotate', { alg: 'ES256' })
  expect(code).toBe(0)
  expect(said).toHaveLength(1)
  expect(said[0]).toMatch(/^ES256 {2}upcoming {2}\S{43} {2}signs from 2026-11-22T13:00:00Z$/)
  expect((await run('keys list')).said).toHaveLength(4)
  expect(await run('keys rotate', { alg: 'HS256' })).toMatchObject({
    code: 2,
    wrong: [expect.stringContaining('ES256, RS256, EdDSA')],
  })
})

test('the key for SAML apps is there once it is needed, and its successor signs when the administrator says', async () => {
  await samlKeys.signing()
  const [first] = (await run('keys list')).said.slice(-1)
  expect(first).toMatch(/^saml {3}signing {3}[0-9a-f]{64} {2}since 2026-11-22T12:00:00Z$/)
  const { said } = await run('keys rotate', { saml: '', after: '30d' })
  expect(said).toEqual([expect.stringMatching(/^saml {3}upcoming {2}[0-9a-f]{64} {2}signs from 2026-12-22T12:00:00Z$/)])
  // one that waits already is not replaced
  expect((await run('keys rotate', { saml: '' })).said).toEqual(said)
  expect((await run('keys list')).said).toHaveLength(5)
  for (const flags of [{ saml: '', after: 'soon' }, { saml: '', alg: 'ES256' }, { after: '3d' }])
    expect((await run('keys rotate', flags as Record<string, string>)).code).toBe(2)
  expect((await audit.search({ event: 'key-rotated' })).map(({ reason }) => reason)).toEqual(['saml-rsa-sha256'])
})

test('a key for SAML apps that somebody else may have signs nothing any more, and the apps to be told are named', async () => {
  const app = (id: string, saml: object) => ({ id, name: `App ${id}`, policy: 'default', audience: ['*'], ...saml })
  const about = { entity_id: 'https://crm.example', acs_urls: ['https://crm.example/acs'] }
  await catalog.apps.register(app('crm', { saml: about }) as never, 'test')
  await catalog.apps.register(app('wiki', { oidc: { redirect_uris: ['https://wiki.example/'] } }) as never, 'test')
  const stolen = await samlKeys.signing()
  const [first] = await samlKeys.list()
  const other = createSamlKeys({ storage, clock, audit, keys, name: 'id.kestrel.example' })
  expect((await other.signing()).certificate).toBe(stolen.certificate)
  const { code, said, value } = await run('keys rotate', { saml: '', now: '' })
  expect(code).toBe(0)
  expect(said).toEqual([
    expect.stringMatching(/^saml {3}signing {3}[0-9a-f]{64} {2}since 2026-11-22T12:00:00Z$/),
    `saml   gone      ${first!.id}`,
    expect.stringMatching(/^crm {2}App crm {2}.*https:\/\/id\.kestrel\.example\/saml\/metadata/),
  ])
  const { key, gone, apps } = value as { key: { kid: string }; gone: string[]; apps: object[] }
  expect([gone, apps]).toEqual([[first!.id], [{ id: 'crm', name: 'App crm' }]])
  // a second later also where another process has it in hand
  now += 1000
  for (const one of [samlKeys, other]) {
    expect((await one.published()).map(({ id, state }) => [id, state])).toEqual([[key.kid, 'signing']])
    expect((await one.signing()).certificate).not.toBe(stolen.certificate)
  }
  const rows = await storage.records
    .selectFrom('saml_keys' as never)
    .selectAll()
    .execute()
  const destroyed = (rows as { id: string; private_sealed: unknown }[]).map((row) => [
    row.id,
    row.private_sealed === null,
  ])
  expect(Object.fromEntries(destroyed)).toEqual({ [first!.id]: true, [key.kid]: false })
  expect((await audit.search({ event: 'key-retired' })).map((one) => one.key)).toEqual([first!.id])
})

test('the successor that waits already, which apps may know, takes over at once; done again, a new one does', async () => {
  await samlKeys.signing()
  const waiting = await samlKeys.rotate(14 * 86_400_000, 'cli')
  const { successor, gone } = await samlKeys.replace('cli')
  expect([successor.id, successor.state, gone.length]).toEqual([waiting.id, 'signing', 1])
  const again = await samlKeys.replace('cli')
  expect(again.gone).toEqual([waiting.id])
  expect(await samlKeys.list()).toEqual([expect.objectContaining({ id: again.successor.id, state: 'signing' })])
  // also those that were on their way out
  await samlKeys.rotate(0, 'cli')
  expect(await samlKeys.list()).toHaveLength(2)
  expect((await samlKeys.replace('cli')).gone).toHaveLength(2)
  expect(await samlKeys.list()).toHaveLength(1)
})

test('of two administrators who replace it at once neither leaves the old key', async () => {
  const first = await samlKeys.signing()
  const other = createSamlKeys({ storage, clock, audit, keys, name: 'id.kestrel.example' })
  await Promise.all([samlKeys.replace('cli'), other.replace('cli')])
  const left = await samlKeys.list()
  expect(left.filter(({ state }) => state === 'signing')).toHaveLength(1)
  expect(left.map(({ certificate }) => certificate)).not.toContain(first.certificate)
})

test.each([{ now: '' }, { saml: '', now: '', after: '3d' }, { saml: '', now: '', alg: 'ES256' }])(
  'keys rotate does not take %o',
  async (flags) => {
    await samlKeys.signing()
    const before = await samlKeys.list()
    expect((await run('keys rotate', flags as unknown as Record<string, string>)).code).toBe(2)
    expect(await samlKeys.list()).toEqual(before)
  },
)

test('audit tail ends with the newest, audit search begins with it', async () => {
  await audit.record('person-added', { actor: 'cli', subject: 'p1' })
  await audit.record('person-disabled', { actor: 'cli', subject: 'p1' })
  const tail = await run('audit tail', { limit: '2' })
  expect(tail.said).toEqual([
    '2026-11-22T12:00:00.000Z  person-added            actor=cli  subject=p1',
    '2026-11-22T12:00:00.000Z  person-disabled         actor=cli  subject=p1',
  ])
  const found = await run('audit search', { subject: 'p1', since: '7d' })
  expect(found.code).toBe(0)
  expect((found.value as { event: string }[]).map(({ event }) => event)).toEqual(['person-disabled', 'person-added'])
  expect((await run('audit search', { event: 'person-disabled', since: '2026-11-22' })).said).toHaveLength(1)
  expect(await run('audit search', { subject: 'p1', until: '2026-11-22T12:00:00Z' })).toMatchObject({
    code: 1,
    said: ['nothing found'],
  })
})

test('audit lines name people by their ids and by the user names that they have now; --json has what is in the trail', async () => {
  const { id } = await people.add({ username: 'kim', name: 'Kim' }, 'cli')
  await audit.record('person-disabled', { actor: id, subject: 'p-gone' })
  const expected = `actor=${id} (kim)  subject=p-gone`
  expect((await run('audit tail', { limit: '1' })).said).toEqual([expect.stringContaining(expected)])
  const { said, value } = await run('audit search', { subject: 'p-gone' })
  expect(said).toEqual([expect.stringContaining(expected)])
  expect(value).toMatchObject([{ actor: id, subject: 'p-gone' }])
})

test('audit search for somebody nobody knows says so, with the nearest names; for who was removed it does not', async () => {
  for (const username of ['sam', 'sami', 'jan', 'samira', 'sams', 'saam'])
    await people.add({ username, name: username }, 'cli')
  const typo = await run('audit search', { subject: 'samm', since: '7d' })
  expect(typo).toMatchObject({ code: 1, said: [], value: [] })
  expect(typo.wrong).toHaveLength(1)
  expect(typo.wrong[0]).toMatch(
    /^nobody known here has the user name or id `samm`, .*; did you mean (sams?|sami|saam)(, (sams?|sami|saam)){2}\?$/,
  )
  expect((await run('audit search', { subject: 'zzzzzzzz' })).wrong[0]).toMatch(/; `people list` shows who is there$/)
  // known, and nothing happened in that time
  const nothing = await run('audit search', { subject: 'sam', until: '2026-11-22T12:00:00Z' })
  expect(nothing).toMatchObject({ code: 1, said: ['nothing found'], wrong: [] })
  const { id } = (await people.find('jan'))!
  await people.remove(id, 'cli')
  expect(await run('audit search', { subject: id })).toMatchObject({ code: 0, wrong: [] })
  const removed = await run('audit search', { subject: id, until: '2026-11-22T12:00:00Z' })
  expect(removed).toMatchObject({ code: 1, said: ['nothing found'], wrong: [] })
})

test('audit search says that it does not know, not that nobody is there, while a directory cannot be asked', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'portico-audit-'))
  const file = join(dir, 'portico.yaml')
  const ldap = `{ id: staff, kind: ldap, url: 'ldaps://127.0.0.1:${await freePort()}', base_dn: 'dc=example', timeout: 1s }`
  writeFileSync(file, `directories: [${ldap}]\n`)
  const { directories } = loadSettings(file).settings!
  rmSync(dir, { recursive: true })
  samlKeys = createSamlKeys({ storage, clock, audit, keys, name: 'id.kestrel.example' })
  people = await openDirectory({ storage, clock, log: silentLog, audit, directories, folder: '.' })
  const { code, wrong } = await run('audit search', { subject: 'sam' })
  expect(code).toBe(1)
  expect(wrong).toEqual([expect.stringContaining('cannot be asked now')])
})

test.each([
  ['audit tail', { limit: '0' }, '--limit: expected a number from 1 to 1000'],
  ['audit tail', { limit: 'all' }, '--limit: expected a number from 1 to 1000'],
  ['audit search', { event: 'person-disable' }, '--event: there is no such event; did you mean person-disabled?'],
  [
    'audit search',
    { since: 'yesterday' },
    '--since: expected a length of time like 7d, or a moment like 2026-11-22T10:00:00Z',
  ],
  ['audit search', { before: '-1' }, '--before: expected the id of an entry'],
])('%s with %o is wrong use', async (words, flags, sentence) => {
  expect(await run(words, flags as unknown as Record<string, string>)).toMatchObject({ code: 2, wrong: [sentence] })
})
