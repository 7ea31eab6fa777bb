import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { type Kysely, sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { accessMigrations, createReceipts, type Page, type Receipts } from '#access'
import { auditMigrations } from '#audit'
import { silentLog } from '#core/log'
import { formatReference } from '#core/reference'
import { decide, type Facts, loadPolicies } from '#policy'
import { openStorage } from '#storage'
import { createNumbering } from '../../src/access/numbering.ts'
import type { ReceiptTables } from '../../src/access/receipt-tables.ts'
import { EMBEDDED, emptyStorageUrl } from '../support/storage.ts'
import { allowed, anyFacts, inTurns, KEY, NINE, openStore, type Store, silent } from './house.ts'

const DAY = 86_400_000
const policies = loadPolicies(join(import.meta.dirname, '../../policies')).policies!
let store: Store
let db: Kysely<ReceiptTables>
beforeEach(async () => {
  store = await openStore()
  db = store.storage.records
})
afterEach(() => store.storage.close())

const count = async (table: keyof ReceiptTables) =>
  Number(
    (
      await db
        .selectFrom(table)
        .select((eb) => eb.fn.countAll().as('n'))
        .executeTakeFirstOrThrow()
    ).n,
  )

/** Everything that is kept, in the order in which it was written. */
async function all(receipts = store.receipts, at = 0) {
  return (await pagesOf(receipts, at)).flatMap((page) => page.receipts)
}

async function pagesOf(receipts: Receipts, at: number): Promise<Page[]> {
  const pages: Page[] = []
  for await (const page of receipts.since(at)) pages.push(page)
  return pages
}

test('facts come back as they were, and are decided as they were, 10,000 random ones', async () => {
  const given = fc.sample(anyFacts, { numRuns: 10_000, seed: 20261125 })
  const decisions = given.map((facts) => decide(policies, facts))
  const references = await inTurns(given, (facts, i) => store.receipts.add(facts, decisions[i]!))
  const kept = new Map((await all(store.receipts, Number.NEGATIVE_INFINITY)).map((one) => [one.reference, one]))
  expect(kept.size).toBe(10_000)
  const found = references.map((reference) => kept.get(reference)!)
  expect(found).not.toContain(undefined)
  const differing = found.filter(({ facts, ...receipt }, i) => {
    const { outcome, policy, rule, versions } = decisions[i]!
    return !(
      receipt.outcome === outcome &&
      receipt.policy === (policy ?? undefined) &&
      receipt.rule === (rule ?? undefined) &&
      receipt.policies === versions.policies &&
      receipt.app === given[i]!.app?.id &&
      receipt.person === given[i]!.user?.id &&
      sorted(facts) === sorted(given[i]) &&
      JSON.stringify(decide(policies, facts!)) === JSON.stringify(decisions[i])
    )
  })
  expect(differing).toEqual([])
  const one = fc.sample(fc.nat(9_999), { numRuns: 50, seed: 1 })
  for (const i of one) expect(await store.receipts.find(references[i]!)).toEqual(found[i])
})

/** As JSON, whatever the order of keys. */
const sorted = (value: unknown): string =>
  JSON.stringify(value, (_, inner) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )

describe('a silent sign-on', () => {
  test('of a session to an app that it has opened before is one row, and nothing else', async () => {
    const gathered = ['travel', 'place', 'absence', 'enrolment', 'failures'] as const
    await store.receipts.add(silent(0), allowed(), gathered)
    const parts = await count('receipt_parts')
    for (let minute = 1; minute <= 500; minute++) await store.receipts.add(silent(minute), allowed(), gathered)
    expect(await count('receipts')).toBe(501)
    expect(await count('receipt_parts')).toBe(parts)
  })

  test('takes at most 80 bytes in the embedded database', async () => {
    const embedded = await openStore(EMBEDDED)
    const gathered = ['travel', 'place', 'absence', 'enrolment', 'failures'] as const
    for (let minute = 0; minute <= 500; minute++) await embedded.receipts.add(silent(minute), allowed(), gathered)
    const { rows } = await sql<{ bytes: number }>`
      select sum(payload) as bytes from dbstat where name like 'receipts%'`.execute(embedded.storage.records)
    await embedded.storage.close()
    expect(rows[0]!.bytes / 501).toBeLessThan(80)
  })

  test('of another process shares what is stored already', async () => {
    await store.receipts.add(silent(0), allowed())
    const parts = await count('receipt_parts')
    await store.another().add(silent(1), allowed())
    expect(await count('receipt_parts')).toBe(parts)
    expect((await all()).map(({ facts }) => facts)).toEqual([silent(0), silent(1)])
  })

  test('is written whole again when what it shared is gone', async () => {
    await store.receipts.add(silent(0), allowed())
    await db.deleteFrom('receipts').execute()
    await db.deleteFrom('receipt_parts').execute()
    const references = await Promise.all([1, 2, 3].map((minute) => store.receipts.add(silent(minute), allowed())))
    // at once: whose number comes first is a matter of the database
    const kept = (await all()).toSorted((one, other) => one.at - other.at)
    expect(kept.map(({ facts }) => facts)).toEqual([silent(1), silent(2), silent(3)])
    expect(new Set(references).size).toBe(3)
    // also when only one of them is gone, on another day
    await sql`delete from receipt_parts where used is null`.execute(db)
    await store.receipts.add(silent(2000), allowed())
    await sql`delete from receipt_parts where used is not null`.execute(db)
    await store.receipts.add(silent(2001), allowed())
    expect((await all()).at(-1)!.facts).toEqual(silent(2001))
  })

  test('that was told what nobody else was keeps that with its own row', async () => {
    const facts: Facts = { ...silent(5), history: { sign_ins: [{ within: '5m', count: 3 }] } }
    const asked = { ...silent(6), request: { kind: 'app' as const, started: NINE, wanted: { max_age: 60 } } }
    await store.receipts.add(silent(1), allowed())
    const parts = await count('receipt_parts')
    await store.receipts.add(facts, allowed())
    await store.receipts.add(asked, allowed())
    expect(await count('receipt_parts')).toBe(parts)
    expect((await all()).slice(1).map((one) => one.facts)).toEqual([facts, asked])
  })
})

test('a receipt tells what was looked for, nothing, or that nobody wrote it down', async () => {
  for (const gathered of [['place', 'sign_ins'], [], undefined] as const)
    await store.receipts.add(silent(1), allowed(), gathered)
  const found = await all()
  expect(found.map(({ gathered }) => gathered)).toEqual([['place', 'sign_ins'], [], undefined])
  expect(found.map(({ facts }) => facts)).toEqual([silent(1), silent(1), silent(1)])
})

test('a person is found by their receipts, the newest first', async () => {
  for (const minute of [1, 2, 3]) await store.receipts.add(silent(minute, { app: `app${minute}` }), allowed())
  await store.receipts.add(silent(4, { person: 'p2' }), allowed())
  expect((await store.receipts.ofPerson('p1', 2)).map(({ app }) => app)).toEqual(['app3', 'app2'])
  expect(await store.receipts.ofPerson('p3', 2)).toEqual([])
})

test('a person who is removed leaves what was decided, and nothing of what was known', async () => {
  const facts = { ...silent(1), history: { previous: { country: 'NL' } } }
  const reference = await store.receipts.add(facts, allowed())
  await store.receipts.add(silent(2, { person: 'p2' }), allowed())
  await store.receipts.forget('p1')
  const receipt = (await store.receipts.find(reference))!
  expect(receipt).toMatchObject({ person: 'p1', app: 'crm', outcome: 'allow', rule: 'in a store', facts: undefined })
  expect((await store.receipts.ofPerson('p1', 9)).map((one) => one.reference)).toEqual([reference])
  const left = [
    await db.selectFrom('receipt_parts').selectAll().execute(),
    await db.selectFrom('receipts').selectAll().execute(),
  ]
  expect(JSON.stringify(left)).not.toMatch(/country|"p1","used":null,"text":"{/)
  expect((await all())[1]!.facts).toEqual(silent(2, { person: 'p2' }))
})

describe('what was stored and then changed by a disk', () => {
  test.each([
    ['the person', `update receipt_parts set text = replace(text, 'staff', 'stafg') where used is null`],
    ['half of it', `update receipt_parts set text = substr(text, 1, 40) where used is null`],
    ['what is its own', `update receipts set own = '{"hist'`],
    ['what is its own, to something else', `update receipts set own = '7'`],
    ['the person, gone', 'delete from receipt_parts where used is null'],
  ])('%s: the receipt tells what was decided, and no facts', async (_what, statement) => {
    const reference = await store.receipts.add(silent(1), allowed())
    await sql.raw(statement).execute(db)
    expect(await store.receipts.find(reference)).toMatchObject({ outcome: 'allow', app: 'crm', facts: undefined })
  })

  test('what was decided itself: there is no receipt any more, and the others are there', async () => {
    const reference = await store.receipts.add(silent(1, { app: 'broken' }), allowed())
    await store.receipts.add(silent(2), allowed())
    await sql.raw(`update receipt_parts set text = replace(text, 'broken', 'brokem')`).execute(db)
    expect(await store.receipts.find(reference)).toBeUndefined()
    const pages = await pagesOf(store.receipts, 0)
    expect(pages).toMatchObject([{ unreadable: 1, done: 1 }])
    expect(pages[0]!.receipts.map(({ app }) => app)).toEqual(['crm'])
  })
})

describe('since', () => {
  test('gives what came since then in pages, though clocks of processes differ by minutes', async () => {
    const minutes = Array.from({ length: 4500 }, (_, i) => i + ((i * 7) % 5))
    for (let i = 0; i < minutes.length; i += 500)
      await Promise.all(minutes.slice(i, i + 500).map((minute) => store.receipts.add(silent(minute), allowed())))
    const from = NINE + 3000 * 60_000
    const pages = await pagesOf(store.receipts, from)
    expect(pages.flatMap(({ receipts }) => receipts.map(({ at }) => at)).sort()).toEqual(
      minutes
        .map((minute) => NINE + minute * 60_000)
        .filter((at) => at >= from)
        .sort(),
    )
    expect(await pagesOf(store.receipts, NINE + 9000 * 60_000)).toEqual([])
    expect((await all()).length).toBe(4500)
  })

  test('does not wait for what comes while it reads', async () => {
    await store.receipts.add(silent(1), allowed())
    let seen = 0
    for await (const { receipts } of store.receipts.since(0)) {
      seen += receipts.length
      await store.receipts.add(silent(2), allowed())
    }
    expect(seen).toBe(1)
  })
})

describe('retention', () => {
  const fill = async () => {
    for (let day = 0; day < 100; day++)
      for (const person of ['p1', `q${day}`]) await store.receipts.add(silent(day * 1440, { person }), allowed())
  }

  test('removes what is older, in steps, with the parts that nothing needs any more', async () => {
    await fill()
    const before = NINE + 60 * DAY
    const steps: number[] = []
    for (let removed = 50; removed === 50; steps.push(removed)) removed = await store.receipts.purge(before, 50)
    expect(steps).toEqual([50, 50, 20])
    const left = await all()
    expect(left.map(({ at }) => at).filter((at) => at < before)).toEqual([])
    expect(left).toHaveLength(80)
    expect(left.every(({ facts }) => facts !== undefined)).toBe(true)
    const people = await db.selectFrom('receipt_parts').select('person').where('person', 'is not', null).execute()
    expect(people.map(({ person }) => person).sort()).toEqual(
      ['p1', ...Array.from({ length: 40 }, (_, i) => `q${i + 60}`)].sort(),
    )
  })

  test('empties the last one instead of removing it, so that no reference is given twice', async () => {
    const references = [await store.receipts.add(silent(1), allowed()), await store.receipts.add(silent(2), allowed())]
    expect(await store.receipts.purge(NINE + 400 * DAY, 100)).toBe(1)
    expect(await store.receipts.purge(NINE + 400 * DAY, 100)).toBe(0)
    expect(await store.receipts.find(references[1]!)).toBeUndefined()
    expect(await count('receipt_parts')).toBe(0)
    references.push(await store.receipts.add(silent(3), allowed()))
    expect(new Set(references).size).toBe(3)
  })

  test('forgets what was decided only long after nothing needs it', async () => {
    await store.receipts.add(silent(0), allowed('an old rule'))
    for (let day = 1; day < 100; day++) await store.receipts.add(silent(day * 1440), allowed('a rule of every day'))
    const rules = async () =>
      (await db.selectFrom('receipt_parts').select('text').where('used', 'is not', null).execute()).map(
        ({ text }) => JSON.parse(text).rule,
      )
    await store.receipts.purge(NINE + 20 * DAY, 1000)
    expect(await rules()).toEqual(['an old rule', 'a rule of every day'])
    await store.receipts.purge(NINE + 40 * DAY, 1000)
    expect(await rules()).toEqual(['a rule of every day'])
    // what a process remembers of it is no longer true, and it notices
    await store.receipts.add(silent(100 * 1440), allowed('an old rule'))
    expect((await all()).at(-1)).toMatchObject({ rule: 'an old rule', facts: silent(100 * 1440) })
  })

  test('goes on past a row whose clock was wrong', async () => {
    await store.receipts.add(silent(1_000_000), allowed())
    for (let day = 0; day < 20; day++) await store.receipts.add(silent(day * 1440), allowed())
    await store.receipts.purge(NINE + 10 * DAY, 100)
    expect((await all()).map(({ at }) => (at - NINE) / DAY).filter((day) => day < 10)).toEqual([])
  })
})

describe('a backup that was put back', () => {
  const migrations = [...auditMigrations, ...accessMigrations]
  const opened = async (file: string, at: number) => {
    const clock = { now: () => at }
    const storage = await openStorage({ url: `sqlite:${file}`, clock, log: silentLog, migrations })
    return { storage, receipts: createReceipts(storage, clock, KEY) }
  }

  test('gives none of the references again that were given after it was made, and finds nothing under them', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'portico-receipts-'))
    try {
      const [file, backup] = [join(dir, 'p.db'), join(dir, 'backup.db')]
      const first = await opened(file, NINE)
      const kept = await first.receipts.add(silent(0), allowed('a rule'))
      await first.storage.close()
      copyFileSync(file, backup)
      const second = await opened(file, NINE + 1)
      const lost = await Promise.all(Array.from({ length: 200 }, (_, i) => second.receipts.add(silent(i), allowed())))
      await second.storage.close()

      // a second and a bit later, with the same master key, as somebody in a hurry does it
      const restored = await opened(backup, NINE + 1500)
      const given = await Promise.all(
        Array.from({ length: 500 }, (_, i) => restored.receipts.add(silent(i), allowed())),
      )
      expect(given.filter((reference) => lost.includes(reference))).toEqual([])
      expect(await restored.receipts.find(lost[7]!)).toBeUndefined()
      expect(await restored.receipts.find(kept)).toMatchObject({ rule: 'a rule' })
      // the order of numbers is still that of time, over the gap
      expect((await all(restored.receipts)).map(({ reference }) => reference)).toEqual([kept, ...given])
      expect((await pagesOf(restored.receipts, 0)).at(-1)!.done).toBe(1)
      await restored.storage.close()
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  })

  test('a clock that is decades off takes no number that cannot be said in 8 characters', async () => {
    for (const at of [Date.UTC(1970, 0, 2), Date.UTC(2090, 0, 1), Date.UTC(9999, 0, 1), NINE]) {
      store.clock.at = at
      const receipts = store.another()
      const reference = await receipts.add(silent(1), allowed())
      expect(await receipts.find(reference)).toMatchObject({ reference, facts: silent(1) })
    }
    const { id } = await db.selectFrom('receipts').select('id').orderBy('id', 'desc').executeTakeFirstOrThrow()
    expect(id).toBeLessThan(2 ** 39)
  })
})

test('receipts of the first version are read as before, under the references that people were given', async () => {
  const [first, ...rest] = accessMigrations
  const open = { url: await emptyStorageUrl(), clock: store.clock, log: silentLog }
  const old = await openStorage({ ...open, migrations: [first!] })
  try {
    const given = fc.sample(anyFacts, { numRuns: 1500, seed: 2 })
    const decisions = given.map((facts) => decide(policies, facts))
    for (const [i, facts] of given.entries()) {
      const { outcome, policy, rule, versions } = decisions[i]!
      const person = facts.user?.id ?? null
      await old.records
        .insertInto('receipts')
        .values({
          id: i * 3 + 1,
          at: NINE + i,
          person,
          app: facts.app?.id ?? null,
          outcome,
          policy,
          rule,
          policies: versions.policies,
          facts: i === 7 ? '{}' : JSON.stringify(facts),
        })
        .execute()
    }
    for (const { up } of rest) await old.records.transaction().execute((trx) => up(trx))
    const found = await all(createReceipts(old, store.clock, KEY), Number.NEGATIVE_INFINITY)
    expect(found).toHaveLength(1500)
    for (const [i, receipt] of found.entries()) {
      if (i === 7) expect(receipt.facts).toBeUndefined()
      else expect(JSON.stringify(decide(policies, receipt.facts!))).toBe(JSON.stringify(decisions[i]))
    }
    const { shuffle } = createNumbering(KEY)
    expect(found.map(({ reference }) => reference)).toEqual(given.map((_, i) => formatReference(shuffle(i * 3 + 1))))
  } finally {
    await old.close()
  }
})
