/** Whoever changes the trail behind our back is found, and told where. */
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { accessMigrations, createReceiptLedger, createReceipts, type Receipts } from '#access'
import { type Audit, auditMigrations, createAudit } from '#audit'
import { checkExport, openSeals, type Seals } from '#audit/seals'
import { silentLog } from '#core/log'
import { inDialect, openStorage, type Storage } from '#storage'
import { allowed, NINE, silent } from '../access/house.ts'
import { emptyStorageUrl } from '../support/storage.ts'

const MINUTE = 60_000
const DAY = 86_400_000
let now = NINE
const clock = { now: () => now }
const derive = (label: string) => Buffer.alloc(32, label)
const alarms: string[] = []
const log = { ...silentLog, error: (event: string) => void alarms.push(event) }
let url: string
let storage: Storage
let audit: Audit
let receipts: Receipts
let seals: Seals

const house = async () => {
  storage = await openStorage({ url, clock, log, migrations: [...auditMigrations, ...accessMigrations] })
  audit = createAudit({ storage, clock, log })
  receipts = createReceipts(storage, clock, derive('receipts'))
  seals = sealsBy(derive)
}
const sealsBy = (by: typeof derive) =>
  openSeals({ storage, clock, log, derive: by, receipts: createReceiptLedger(storage) })

beforeEach(async () => {
  now = NINE
  alarms.length = 0
  url = await emptyStorageUrl()
  await house()
})
afterEach(() => storage.close())

const raw = (text: string) => sql.raw(text).execute(storage.records)
/** As the administrator of the database does it. */
async function behindOurBack(...statements: string[]) {
  const open = inDialect(storage.records, {
    sqlite: ['audit_events_unchanged', 'audit_events_kept', 'audit_seals_unchanged', 'audit_seals_kept'].map(
      (name) => `drop trigger if exists ${name}`,
    ),
    postgres: ['audit_events', 'audit_seals'].map((table) => `alter table ${table} disable trigger user`),
  })
  for (const statement of [...open, ...statements]) await raw(statement)
}

/** Each minute somebody comes; three seals of four events and four receipts. */
async function written() {
  const references: string[] = []
  for (let round = 0; round < 3; round++) {
    for (let n = 0; n < 4; n++) {
      const receipt = await receipts.add(silent(round * 10 + n), allowed())
      references.push(receipt)
      await audit.record('person-signed-in', { actor: `p${n}`, subject: `p${n}`, receipt })
      now += MINUTE
    }
    expect(await seals.seal(true)).toBe(1)
  }
  return references
}
const check = () => seals.check({})

test('what nobody has touched fits, also after another process has opened it', async () => {
  await written()
  await audit.record('server-stopped', { actor: 'system' })
  const first = await check()
  expect(first).toMatchObject({
    findings: [],
    seals: 3,
    events: 12,
    receipts: 12,
    unsealed: { events: 1, receipts: 0 },
  })
  const again = sealsBy(derive)
  expect(await again.check({ expected: first.head })).toEqual(first)
  expect(again.fingerprint).toBe(seals.fingerprint)
})

const EVENT = (n: number) => `(select id from audit_events order by id limit 1 offset ${n})`
const idOf = async (n: number, table = 'audit_events') =>
  (
    await sql<{ id: number }>`select id from ${sql.table(table)} order by id limit 1 offset ${n}`.execute(
      storage.records,
    )
  ).rows[0]!.id

describe('found, with the seal and the row', () => {
  test.each(['subject', 'actor', 'event', 'receipt'])('an event whose %s was changed', async (column) => {
    await written()
    const id = await idOf(5)
    await behindOurBack(`update audit_events set ${column} = 'other' where id = ${id}`)
    expect((await check()).findings).toEqual([{ what: 'row-changed', seal: 2, of: 'event', id }])
  })

  test('an event that was taken out, at the beginning, in the middle and at the end of a seal', async () => {
    await written()
    const before = await Promise.all([0, 4, 6, 10].map((n) => idOf(n)))
    await behindOurBack(...[11, 7, 5, 0].map((n) => `delete from audit_events where id = ${EVENT(n)}`))
    expect((await check()).findings).toEqual([
      { what: 'row-gone', seal: 1, of: 'event' },
      { what: 'row-gone', seal: 2, of: 'event', id: before[1] },
      { what: 'row-gone', seal: 3, of: 'event', id: before[3] },
    ])
  })

  test('an event that was put in, also before the first', async () => {
    await written()
    const id = await idOf(9)
    // room for one more: what follows is moved by one, which is found by the first that is moved
    await behindOurBack(`insert into audit_events (id, at, event) values (-5, 1, 'person-added')`)
    expect((await check()).findings).toEqual([{ what: 'row-added', seal: 1, of: 'event', id: -5 }])
    await behindOurBack(
      'delete from audit_events where id = -5',
      `update audit_events set id = id + 1000 where id > ${id}`,
      `insert into audit_events (id, at, event) values (${id + 1}, 1, 'person-added')`,
    )
    expect((await check()).findings[0]).toMatchObject({ seal: 3, of: 'event', id: id + 1 })
  })

  test('a receipt that allows what was denied, and one that is about another person', async () => {
    await written()
    const id = await idOf(6, 'receipts')
    await behindOurBack(
      `insert into receipt_parts (hash, used, text) select 'x', used, replace(text, 'allow', 'deny') from receipt_parts where used is not null limit 1`,
      `update receipts set what = (select id from receipt_parts where hash = 'x') where id = ${id}`,
    )
    expect((await check()).findings).toEqual([{ what: 'row-changed', seal: 2, of: 'receipt', id }])
    await behindOurBack(`update receipt_parts set text = replace(text, 'sam', 'eve') where used is null`)
    expect((await check()).findings[0]).toMatchObject({ what: 'row-changed', seal: 1, of: 'receipt' })
  })

  test('a part of receipts whose hash was made to fit its new text', async () => {
    await written()
    await behindOurBack(`update receipt_parts set text = text || ' ' where used is not null`)
    expect((await check()).findings[0]).toMatchObject({ what: 'row-changed', seal: 1, of: 'receipt' })
  })

  test('a receipt that is gone', async () => {
    await written()
    const [before, id] = [await idOf(4, 'receipts'), await idOf(5, 'receipts')]
    await raw(`delete from receipts where id = ${id}`)
    expect((await check()).findings).toEqual([{ what: 'row-gone', seal: 2, of: 'receipt', id: before }])
  })

  test('facts that were blanked though nobody removed the person', async () => {
    await written()
    await raw(`update receipt_parts set text = '' where used is null`)
    expect((await check()).findings).toEqual([{ what: 'facts-gone', seal: 0, of: 'receipt' }])
  })

  test('a seal that is gone or changed, and one that was made with another key', async () => {
    await written()
    await behindOurBack('delete from audit_seals where number = 2')
    expect((await check()).findings.slice(0, 1)).toEqual([{ what: 'seal-gone', seal: 2 }])
    await behindOurBack('update audit_seals set number = 2 where number = 3')
    expect((await check()).findings[0]).toMatchObject({ what: 'seal-changed', seal: 2 })
  })

  test('leaves and marks that are not ours', async () => {
    await written()
    await raw(`update audit_leaves set receipts = '' where seal = 1`)
    await raw(`update audit_leaves set events = '' where seal = 2`)
    await raw(
      `insert into audit_marks (name, seal, hash, at, signature) select 'events', 3, hash, at, signature from audit_marks`,
    )
    expect((await check()).findings).toEqual([
      { what: 'mark-forged', seal: 0 },
      { what: 'leaves-changed', seal: 1 },
      { what: 'leaves-changed', seal: 2 },
    ])
  })
})

test('a tail that was cut off is told by the mark of the last seal; by a seal noted elsewhere also where that was cut as well', async () => {
  await written()
  const { head } = await check()
  const marks = await sql<{
    seal: number
    hash: string
    at: number
    signature: string
  }>`select * from audit_marks`.execute(storage.records)
  now += MINUTE
  await audit.record('person-added', { actor: 'cli', subject: 'eve' })
  await seals.seal(true)
  const { head: later } = await check()
  await behindOurBack(`delete from audit_events where subject = 'eve'`, 'delete from audit_seals where number = 4')
  await raw('delete from audit_leaves where seal = 4')
  expect((await check()).findings).toEqual([{ what: 'head-unknown', seal: 3 }])
  // nothing is sealed on what is not whole, and the operator hears of it once
  await audit.record('person-added', { actor: 'cli', subject: 'p9' })
  expect([await seals.seal(true), await seals.seal(true)]).toEqual([0, 0])
  expect(alarms).toEqual(['audit-trail-altered'])
  // whoever has kept an old mark can put it back: only what was noted elsewhere tells then
  const { seal, hash, at, signature } = marks.rows[0]!
  await raw(`update audit_marks set seal = ${seal}, hash = '${hash}', at = ${at}, signature = '${signature}'`)
  expect((await check()).findings).toEqual([])
  expect((await seals.check({ expected: head })).findings).toEqual([])
  expect((await seals.check({ expected: later })).findings).toEqual([{ what: 'not-as-noted', seal: 4 }])
})

test('after a break that somebody has looked at, seals go on', async () => {
  await written()
  await behindOurBack('delete from audit_seals where number = 3')
  expect(await seals.acknowledge()).toBe(true)
  expect(await seals.acknowledge()).toBe(false)
  expect(await seals.seal(true)).toBe(1)
  // what the lost seal covered is sealed anew, as it is now
  expect(await check()).toMatchObject({ findings: [], seals: 3, events: 12 })
})

test('a seal of ours from a chain that was given up does not fit into another one', async () => {
  await written()
  const { rows } = await sql<Record<string, unknown>>`select * from audit_seals where number = 3`.execute(
    storage.records,
  )
  await behindOurBack('delete from audit_seals where number > 1')
  await seals.acknowledge()
  now += MINUTE
  expect(await seals.seal(true)).toBe(1)
  const names = Object.keys(rows[0]!)
  const values = Object.values(rows[0]!).map((value) => (typeof value === 'number' ? value : `'${value}'`))
  await raw(`insert into audit_seals (${names.join(', ')}) values (${values.join(', ')})`)
  expect((await check()).findings[0]).toEqual({ what: 'seal-unchained', seal: 3 })
})

test('of two who seal at once one does, and the chain is one', async () => {
  for (let n = 0; n < 30; n++) await audit.record('person-signed-in', { actor: `p${n}` })
  const others = [sealsBy(derive), sealsBy(derive), sealsBy(derive)]
  expect((await Promise.all(others.map((one) => one.seal(true)))).reduce((a, b) => a + b)).toBe(1)
  await audit.record('person-signed-in', { actor: 'p30' })
  await Promise.all(others.map((one) => one.seal(true)))
  expect(await check()).toMatchObject({ findings: [], seals: 2, events: 31 })
})

test('what is written while others seal is in exactly one seal', async () => {
  let over = false
  const sealer = (async () => {
    const own = sealsBy(derive)
    while (!over) {
      await own.seal(true)
      await new Promise(setImmediate)
    }
    return own
  })()
  await Promise.all(
    Array.from({ length: 8 }, async (_, who) => {
      for (let n = 0; n < 25; n++)
        await storage.records.transaction().execute(async (trx) => {
          await audit.record('person-changed', { subject: `p${who}`, count: n }, trx)
          await audit.record('group-changed', { subject: `p${who}`, count: n }, trx)
        })
    }),
  )
  over = true
  await (await sealer).seal(true)
  expect(await check()).toMatchObject({ findings: [], events: 400, unsealed: { events: 0 } })
})

test('a seal waits for whoever has a smaller number and has not committed yet', async () => {
  await audit.record('person-added', { subject: 'first' })
  let go = () => {}
  const held = new Promise<void>((resolve) => {
    go = resolve
  })
  let begun = () => {}
  const inside = new Promise<void>((resolve) => {
    begun = resolve
  })
  const slow = storage.records.transaction().execute(async (trx) => {
    await audit.record('person-added', { subject: 'slow' }, trx)
    begun()
    await held
  })
  await inside
  if (inDialect(storage.records, { sqlite: false, postgres: true })) {
    // committed before it, under a greater number
    await audit.record('person-added', { subject: 'fast' })
    expect(await seals.seal(true)).toBe(0)
    go()
    await slow
  } else {
    // waits behind it, as the seal does
    const after = [audit.record('person-added', { subject: 'fast' }), seals.seal(true)]
    go()
    await Promise.all([slow, ...after])
  }
  await seals.seal(true)
  expect(await check()).toMatchObject({ findings: [], events: 3, unsealed: { events: 0 } })
})

test('little waits for company, and not for long; much is sealed at once', async () => {
  await audit.record('person-added', { subject: 'p' })
  expect(await seals.seal()).toBe(0)
  now += 5 * MINUTE
  expect(await seals.seal()).toBe(1)
  expect(await seals.seal()).toBe(0)
  for (let n = 0; n < 1001; n++) await audit.record('person-changed', { subject: 'p', count: n })
  expect(await seals.seal()).toBe(1)
  expect(await check()).toMatchObject({ findings: [], events: 1001, unsealed: { events: 1 } })
})

test('whose facts were forgotten with them: what was decided still fits, and nothing else may be in its place', async () => {
  const [first] = await written()
  const person = (await receipts.find(first!))!.person!
  await receipts.forget(person)
  await audit.record('person-removed', { actor: 'cli', subject: person })
  expect(await check()).toMatchObject({ findings: [], receipts: 12, forgotten: 12 })
  await raw(`update receipts set at = at + 1 where id = ${await idOf(3, 'receipts')}`)
  expect((await check()).findings).toEqual([
    { what: 'row-changed', seal: 1, of: 'receipt', id: await idOf(3, 'receipts') },
  ])
})

test('what was removed when its time was over breaks nothing, and nothing else may go with it', async () => {
  await written()
  now += 10 * DAY
  await audit.record('person-signed-in', { actor: 'p1' })
  await receipts.add(silent(11 * 1440), allowed())
  await seals.seal(true)
  const before = now - 5 * DAY
  expect(await receipts.purge(before, 100, await seals.receiptsGone(before))).toBe(12)
  expect(await seals.purgeEvents(before)).toBe(12)
  expect(await check()).toMatchObject({
    findings: [],
    seals: 4,
    events: 1,
    receipts: 1,
    gone: { events: 3, receipts: 3 },
  })
  await expect(raw('delete from audit_events')).rejects.toThrow('append-only')
  await expect(raw('delete from audit_seals')).rejects.toThrow('append-only')
  await behindOurBack(`insert into audit_events (id, at, event) values (1, 1, 'person-added')`)
  expect((await check()).findings).toEqual([{ what: 'row-added', seal: 3, of: 'event' }])
})

describe('an export', () => {
  const exported = async (options: { since?: number; until?: number } = {}) => {
    const lines: string[] = []
    for await (const line of seals.exported({ issuer: 'https://id.example', receipts: receipts.between, ...options }))
      lines.push(line)
    return lines
  }
  async function* of(lines: readonly string[]) {
    yield* lines
  }

  test('is checked by itself, and tells whose it is', async () => {
    const references = await written()
    await audit.record('server-stopped', {})
    const lines = await exported()
    expect(await checkExport(of(lines))).toEqual({
      wrong: undefined,
      issuer: 'https://id.example',
      fingerprint: seals.fingerprint,
      seals: 3,
      events: 13,
      receipts: 12,
    })
    const said = lines.map((line) => JSON.parse(line))
    expect(said.filter(({ kind }) => kind === 'receipt').map(({ reference }) => reference)).toEqual(references)
    expect(said.find(({ kind }) => kind === 'receipt')).toMatchObject({
      outcome: 'allow',
      facts: { user: expect.anything() },
    })
  })

  test('of a span holds whole seals, and stands by itself', async () => {
    await written()
    const lines = await exported({ since: NINE + 5 * MINUTE, until: NINE + 7 * MINUTE })
    expect(await checkExport(of(lines))).toMatchObject({ wrong: undefined, seals: 1, events: 4, receipts: 4 })
    expect(await checkExport(of(await exported({ since: now + DAY })))).toMatchObject({ wrong: undefined, seals: 0 })
  })

  test.each<[string, (lines: string[]) => string[], object]>([
    ['changed', (l) => l.map((one, n) => (n === 3 ? one.replace('"p2"', '"p8"') : one)), { line: 4, event: 3 }],
    ['taken out', (l) => l.toSpliced(2, 1), { line: 3, event: 3 }],
    ['put in', (l) => l.toSpliced(2, 0, l[1]!), { line: 3, event: 1 }],
    ['cut off', (l) => l.slice(0, -1), { why: expect.stringContaining('cut') }],
    ['put behind the end', (l) => [...l, l[1]!], { why: expect.stringContaining('behind the end') }],
    ['no JSON', (l) => ['what', ...l], { line: 1 }],
  ])('of which a line was %s is refused there', async (_, change, wrong) => {
    await written()
    expect((await checkExport(of(change(await exported())))).wrong).toMatchObject(wrong)
  })

  test('whose chain was made anew is told by its seals and by its end', async () => {
    await written()
    const lines = await exported()
    const anew = async (change: (said: Record<string, unknown>) => void) => {
      const { chained } = await import('../../src/audit/seals/exporting.ts')
      let link = ''
      return lines.map((line) => {
        const { chain: _, ...said } = JSON.parse(line)
        change(said)
        if (said.kind === 'end')
          return JSON.stringify({ kind: 'end', lines: said.lines, chain: link, signature: said.signature })
        const body = JSON.stringify(said)
        link = chained(link, body)
        return `${body.slice(0, -1)},"chain":"${link}"}`
      })
    }
    const unchanged = await anew(() => {})
    expect(unchanged).toEqual(lines)
    const event = await anew((said) => {
      if (said['id'] === 6) said['subject'] = 'eve'
    })
    expect((await checkExport(of(event))).wrong).toMatchObject({ seal: 2, why: expect.stringContaining('events') })
    const receipt = await anew((said) => {
      if (said['kind'] === 'receipt') said['outcome'] = 'deny'
    })
    expect((await checkExport(of(receipt))).wrong).toMatchObject({ why: expect.stringContaining('end') })
    // with the end as it was, which is signed
    const kept = [...receipt.slice(0, -1), lines.at(-1)!]
    expect((await checkExport(of(kept))).wrong).toMatchObject({ why: expect.stringContaining('end') })
    const seal = await anew((said) => {
      if (said['number'] === 2) said['events'] = 5
    })
    expect((await checkExport(of(seal))).wrong).toMatchObject({ seal: 2, why: expect.stringContaining('signed') })
  })
})
