import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Audit, type AuditEvent, auditMigrations, createAudit, EVENTS } from '#audit'
import { type LogFields, silentLog } from '#core/log'
import { inDialect, openStorage, type Storage } from '#storage'
import { emptyStorageUrl } from '../support/storage.ts'

let t = 1000
let storage: Storage
let audit: Audit
const lines: [string, LogFields | undefined][] = []
beforeEach(async () => {
  t = 1000
  lines.length = 0
  const clock = { now: () => t }
  storage = await openStorage({ url: await emptyStorageUrl(), clock, log: silentLog, migrations: auditMigrations })
  audit = createAudit({ storage, clock, log: { ...silentLog, info: (event, fields) => lines.push([event, fields]) } })
})
afterEach(() => storage.close())

test('what was recorded is found again, the newest first, with exactly the fields that were given', async () => {
  await audit.record('person-added', { actor: 'cli', subject: 'p1' })
  t = 2000
  await audit.record('person-signed-in', {
    actor: 'p1',
    subject: 'p1',
    session: 's1',
    factor: 'password',
    receipt: '7K4Q-92MD',
  })
  expect(await audit.search({})).toEqual([
    {
      id: 2,
      at: 2000,
      event: 'person-signed-in',
      actor: 'p1',
      subject: 'p1',
      session: 's1',
      factor: 'password',
      receipt: '7K4Q-92MD',
    },
    { id: 1, at: 1000, event: 'person-added', actor: 'cli', subject: 'p1' },
  ])
})

test('each filter narrows, and all given together hold', async () => {
  await audit.record('app-registered', { actor: 'cli', app: 'grafana' })
  await audit.record('consent-given', { actor: 'p1', subject: 'p1', app: 'grafana', receipt: 'AAAA-0001' })
  t = 2000
  await audit.record('consent-given', { actor: 'p2', subject: 'p2', app: 'grafana', count: 3 })
  await audit.record('key-made', { actor: 'system', key: 'k1', reason: 'ES256' })
  const ids = async (filter: Parameters<Audit['search']>[0]) => (await audit.search(filter)).map(({ id }) => id)
  expect(await ids({ app: 'grafana' })).toEqual([3, 2, 1])
  expect(await ids({ subject: 'p1' })).toEqual([2])
  expect(await ids({ actor: 'cli' })).toEqual([1])
  expect(await ids({ event: 'consent-given', since: 2000 })).toEqual([3])
  expect(await ids({ until: 2000 })).toEqual([2, 1])
  expect(await ids({ receipt: 'AAAA-0001' })).toEqual([2])
  expect(await ids({ subject: 'p1', app: 'other' })).toEqual([])
  expect(await ids({ limit: 2 })).toEqual([4, 3])
  expect(await ids({ limit: 2, before: 3 })).toEqual([2, 1])
  expect(await ids({ limit: 0 })).toEqual([4])
  expect((await audit.search({ event: 'key-made' }))[0]).toMatchObject({ key: 'k1', reason: 'ES256' })
})

test('every recorded event is also a log line with the same ids', async () => {
  await audit.record('session-ended', { actor: 'cli', subject: 'p1', session: 's1', reason: 'idle', count: 2 })
  expect(lines).toEqual([
    ['session-ended', { audit: 1, actor: 'cli', subject: 'p1', session: 's1', reason: 'idle', count: 2 }],
  ])
})

test('values that are no ids are neither stored nor logged', async () => {
  const canaries = ['Anna de Vries', 'anna@kestrel.example', 'x'.repeat(201), 'two\nlines', 'Жанна', '']
  for (const canary of canaries) await audit.record('person-added', { actor: 'cli', subject: canary, reason: canary })
  const everything = JSON.stringify([await audit.search({}), lines])
  for (const canary of canaries.filter(Boolean)) expect(everything).not.toContain(canary)
  expect((await audit.search({ limit: 1 }))[0]).toMatchObject({ subject: '(unfit)', reason: '(unfit)' })
  await audit.record('policies-loaded', { actor: 'system', reason: `sha256:${'ab'.repeat(32)}` })
  expect((await audit.search({ limit: 1 }))[0]!.reason).toBe(`sha256:${'ab'.repeat(32)}`)
})

test('an event outside the vocabulary is a bug', async () => {
  await expect(audit.record('person-invented' as AuditEvent, {})).rejects.toThrow('no audit event')
  await expect(audit.record('constructor' as AuditEvent, {})).rejects.toThrow('no audit event')
  expect(await audit.search({})).toEqual([])
})

test('the database itself refuses to change or remove what was recorded', async () => {
  await audit.record('person-added', { actor: 'cli', subject: 'p1' })
  for (const statement of [
    "update audit_events set subject = 'p2'",
    'delete from audit_events',
    "insert or replace into audit_events (id, at, event) values (1, 1, 'x')",
  ]) {
    await sql
      .raw(statement)
      .execute(storage.records)
      .catch(() => {})
  }
  expect(await audit.search({})).toEqual([{ id: 1, at: 1000, event: 'person-added', actor: 'cli', subject: 'p1' }])
})

test('every event has a kebab-case name and one sentence', () => {
  for (const [name, sentence] of Object.entries(EVENTS)) {
    expect(name).toMatch(/^[a-z]+(-[a-z]+)+$/)
    expect(sentence).toMatch(/^[A-Z][^.]*\.$/)
  }
})

test('a search by person, app, event or receipt does not read the whole trail', async () => {
  for (const column of ['subject', 'actor', 'app', 'event', 'receipt']) {
    const search = sql`select * from audit_events where ${sql.ref(column)} = ${'x'}`
    const plan = await storage.records.transaction().execute((transaction) =>
      inDialect(transaction, {
        sqlite: async () => sql`explain query plan ${search} order by id desc limit 10`.execute(transaction),
        postgres: async () => {
          // an empty table is read as a whole unless that is forbidden
          await sql`set local enable_seqscan = off`.execute(transaction)
          return sql`explain ${search}`.execute(transaction)
        },
      })(),
    )
    expect(JSON.stringify(plan.rows), column).toContain(`audit_events_${column}`)
  }
})
