/** From every schema there has been to the one of today: what was in it is read by the rooms. And `portico migrate`, which tries it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { loadSettings } from '#config'
import { silentLog } from '#core/log'
import { type Migration, migrationStatus, openStorage, type Records, tryMigrations } from '#storage'
import { MIGRATIONS, openHouse } from '../../src/house.ts'
import { createSealing } from '../../src/keys/sealing.ts'
import { migrateVerbs } from '../../src/migrate.ts'
import { emptyStorageUrl } from '../support/storage.ts'

const NOW = Date.UTC(2026, 10, 30, 12)
const clock = { now: () => NOW }
const MASTER = Buffer.alloc(32, 3)
const folder = mkdtempSync(join(tmpdir(), 'portico-migrate-'))
const onPostgres = inject('postgresPort') !== undefined
let count = 0
beforeAll(() => writeFileSync(join(folder, 'master.key'), `${MASTER.toString('base64url')}\n`, { mode: 0o600 }))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const newUrl = async () => (onPostgres ? await emptyStorageUrl() : `sqlite:${join(folder, `${++count}.db`)}`)

const FACTS = {
  at: NOW,
  request: { kind: 'browser', started: NOW - 5 },
  app: { id: 'wiki', tags: [] },
  user: { id: 'p1', username: 'sam', directory: 'local', groups: ['staff'] },
}
/** All that the first version stored of an app. */
const WIKI = {
  ...{
    id: 'wiki',
    name: 'Wiki',
    policy: 'default',
    audience: ['*'],
    tags: [],
    tier: 'standard',
    first_party: true,
    inputs: {},
  },
  oidc: {
    ...{ redirect_uris: ['https://wiki.example/callback'], post_logout_redirect_uris: [], scopes: ['openid'] },
    ...{ token_endpoint_auth_method: 'none', pkce: 'required', grant_types: ['authorization_code'] },
    ...{ backchannel_logout_session_required: true, claims: { groups: 'none', in_id_token: false } },
  },
}
const jwk = { kty: 'oct', k: 'AAAA' }

/** What each room had from its first migration on, as it was written then. */
const ROWS: Readonly<Record<string, (records: Records) => Promise<unknown>>> = {
  'audit-001-events': (records) =>
    records
      .insertInto('audit_events')
      .values({ at: NOW, event: 'person-added', actor: 'cli', subject: 'p1' })
      .execute(),
  'keys-001-signing': (records) =>
    records
      .insertInto('signing_keys')
      .values({
        ...{ kid: 'old', alg: 'HS1', generation: 1, public_jwk: JSON.stringify(jwk), created_at: NOW, signs_from: NOW },
        private_sealed: createSealing(MASTER).seal(JSON.stringify(jwk), 'signing-key:old'),
      })
      .execute(),
  'directory-001-people': async (records) => {
    const row = {
      ...{ id: 'p1', directory: 'local', username: 'sam', username_key: 'sam', name: 'Sam de Vries', mail_verified: 0 },
      ...{ disabled: 0, attributes: '{}', groups: '["staff"]', groups_known: 1, created_at: NOW, changed_at: NOW },
    }
    await records.insertInto('people').values(row).execute()
    await records.insertInto('memberships').values({ person_id: 'p1', group_name: 'staff', source: '@here' }).execute()
  },
  'catalog-001-apps': (records) =>
    records
      .insertInto('apps')
      .values({
        ...{ id: 'wiki', created_at: NOW, changed_at: NOW },
        json: JSON.stringify(WIKI),
      })
      .execute(),
  'access-001-receipts': (records) =>
    records
      .insertInto('receipts')
      .values({
        ...{ id: 7, at: NOW, person: 'p1', app: 'wiki', outcome: 'allow', policy: 'default', rule: 'all' },
        ...{ policies: 'sha256:1', facts: JSON.stringify(FACTS) },
      })
      .execute(),
}

/** A database as the migrations before `end` leave it, with rows in it. */
async function databaseBefore(end: number): Promise<string> {
  const url = await newUrl()
  const known: Migration[] = []
  const up = async (migrations: readonly Migration[], rows?: (records: Records) => Promise<unknown>) => {
    const storage = await openStorage({ url, clock, log: silentLog, migrations })
    await rows?.(storage.records)
    await storage.close()
  }
  for (const migration of MIGRATIONS.slice(0, end)) {
    known.push(migration)
    const rows = ROWS[migration.name]
    if (rows) await up(known, rows)
  }
  await up(known)
  return url
}

const settingsOf = (url: string) => {
  const file = join(folder, `settings-${++count}.yaml`)
  writeFileSync(file, JSON.stringify({ storage: { url }, secrets: { key_file: join(folder, 'master.key') } }))
  return loadSettings(file)
}

/** All of them on SQLite; on PostgreSQL, where each takes a database of its own, every sixth and the last. */
const ENDS = MIGRATIONS.map((_, end) => end).filter(
  (end) => !onPostgres || end % 6 === 0 || end === MIGRATIONS.length - 1,
)
const has = (end: number, name: string) => MIGRATIONS.slice(0, end).some((migration) => migration.name === name)

test.each(ENDS.map((end) => [MIGRATIONS[end]!.name, end] as const))(
  'what was there before %s is read by the rooms of today',
  async (_, end) => {
    const url = await databaseBefore(end)
    const tried = await tryMigrations(url, { clock, log: silentLog, migrations: MIGRATIONS })
    expect(tried).toEqual(MIGRATIONS.slice(end).map(({ name }) => name))
    const { settings } = settingsOf(url)
    const house = await openHouse({ settings: settings!, folder, clock, log: silentLog })
    try {
      if (has(end, 'audit-001-events'))
        expect(await house.audit.search({ subject: 'p1' })).toMatchObject([
          { event: 'person-added', actor: 'cli', at: NOW },
        ])
      if (has(end, 'directory-001-people'))
        expect(await house.people.find('sam')).toMatchObject({ id: 'p1', name: 'Sam de Vries', groups: ['staff'] })
      if (has(end, 'catalog-001-apps'))
        expect(await house.catalog.apps.find('wiki')).toMatchObject({ id: 'wiki', name: 'Wiki', policy: 'default' })
      if (has(end, 'access-001-receipts'))
        expect(await house.receipts.ofPerson('p1', 10)).toMatchObject([
          {
            at: NOW,
            app: 'wiki',
            outcome: 'allow',
            policy: 'default',
            rule: 'all',
            facts: { user: { username: 'sam' } },
          },
        ])
      // what seals is what sealed before there were roots
      if (has(end, 'keys-001-signing') && !has(end, 'keys-002-roots'))
        expect(house.keys.derive('label')).toEqual(createSealing(MASTER).derive('label'))
      expect(await house.seals.seal(true)).toBe(1)
      expect((await house.seals.check({})).findings).toEqual([])
    } finally {
      await house.close()
    }
  },
)

describe('portico migrate', () => {
  async function run(url: string, ...switches: string[]) {
    const loaded = settingsOf(url)
    const [said, wrong, values]: [string[], string[], unknown[]] = [[], [], []]
    const args = {
      positional: [],
      flag: () => undefined,
      flags: () => [],
      has: (name: string) => switches.includes(name),
    }
    const status = await migrateVerbs[0]!.run(args, {
      ...{ settings: loaded.settings!, loaded, folder, clock, json: false, err: (line: string) => wrong.push(line) },
      print(value: unknown, human: () => string | readonly string[]) {
        values.push(value)
        said.push(...[human()].flat())
      },
    } as never)
    return { status, said, wrong, value: values[0] }
  }
  const names = MIGRATIONS.slice(-3).map(({ name }) => name)

  test('says what is missing and leaves it so with --dry-run, and does it without', async () => {
    const url = await databaseBefore(MIGRATIONS.length - 3)
    const before = await migrationStatus(url, MIGRATIONS)
    const bytes = onPostgres ? undefined : readFileSync(url.slice('sqlite:'.length))
    for (let time = 0; time < 2; time++)
      expect(await run(url, 'dry-run')).toMatchObject({
        status: 0,
        said: [...names.map((name) => `would apply ${name}`), expect.stringContaining('nothing was changed')],
        value: { dry_run: true, ok: true, pending: names },
      })
    expect(await migrationStatus(url, MIGRATIONS)).toEqual(before)
    if (bytes) expect(readFileSync(url.slice('sqlite:'.length)).equals(bytes)).toBe(true)
    expect(await run(url)).toMatchObject({ status: 0, value: { dry_run: false, pending: names } })
    expect(await run(url)).toMatchObject({ status: 0, value: { pending: [] } })
    expect((await migrationStatus(url, MIGRATIONS)).every(({ applied }) => applied)).toBe(true)
  })

  test('refuses what a newer version has made', async () => {
    const url = await newUrl()
    const newer = { name: 'zoo-001-animals', up: async () => {} }
    await (await openStorage({ url, clock, log: silentLog, migrations: [...MIGRATIONS, newer] })).close()
    for (const switches of [[], ['dry-run']])
      await expect(run(url, ...switches)).rejects.toMatchObject({
        code: 'storage-unavailable',
        detail: expect.stringContaining('zoo-001-animals'),
      })
  })

  test('names the migration that does not do, and nothing of it stays', async () => {
    const url = await databaseBefore(MIGRATIONS.length - 3)
    const storage = await openStorage({ url, clock, log: silentLog, migrations: MIGRATIONS.slice(0, -3) })
    await sql`create table probe_keys (something integer)`.execute(storage.records)
    await storage.close()
    for (const switches of [['dry-run'], []]) {
      const answer = await run(url, ...switches)
      expect(answer).toMatchObject({ status: 1, value: { ok: false, failed: 'probe-001-keys' } })
      expect(answer.wrong.join()).toContain('probe-001-keys')
    }
  })
})
