import fc from 'fast-check'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Receipts } from '#access'
import { createFriction, createReplay, createReported } from '#access/reports'
import { decide, type Facts, type Policies } from '#policy'
import { isConflict } from '#storage'
import { policiesOf } from '../policy/house.ts'
import { NINE, openStore, type Store } from './house.ts'
import { rules, steps, walk } from './traffic.ts'

const DAY = 86_400_000
let store: Store
beforeEach(async () => {
  store = await openStore()
})
afterEach(() => store.storage.close())

async function replayed(
  candidate: Policies,
  receipts: Receipts = store.receipts,
  more: { app?: string; since?: number } = {},
) {
  const replay = createReplay({ candidate, since: 0, ...more })
  for await (const page of receipts.since(more.since ?? 0)) replay.add(page)
  return replay.end()
}

async function friction(policies: Policies, by: 'day' | 'shift' = 'day', since = 0) {
  const report = createFriction({ since, by, policiesOf: () => policies })
  for await (const page of store.receipts.since(since)) report.add(page)
  return report.end()
}

const WORLDS = 45
const STEPS = 250

describe('for random policies and random traffic', () => {
  test('the policies that decided change nothing, and every prompt is found and attributed once', async () => {
    let receipts = 0
    let prompts = 0
    await fc.assert(
      fc.asyncProperty(rules, steps(STEPS), async (written, script) => {
        const world = await openStore()
        try {
          const policies = policiesOf(written)
          const { asked } = await walk(policies, script, world.receipts)
          const found = await replayed(policies, world.receipts)
          receipts += found.receipts
          prompts += asked.length
          expect(found.total).toEqual({
            ...found.total,
            unchanged: found.total.openings,
            newly_denied: 0,
            newly_prompted: 0,
            no_longer_prompted: 0,
            newly_allowed: 0,
            not_comparable: 0,
          })
          expect(found.prompts.after).toEqual(found.prompts.before)
          // wherever a page ends, a conversation stays one
          const slowly = createReplay({ candidate: policies, since: 0 })
          for await (const page of world.receipts.since(0))
            for (const receipt of page.receipts) slowly.add({ receipts: [receipt], unreadable: 0, done: 0 })
          expect(slowly.end()).toEqual(found)
          expect(found.prompts.before.total).toBe(asked.length)

          for (const by of ['day', 'shift'] as const) {
            const report = createFriction({ since: 0, by, policiesOf: () => policies })
            for await (const page of world.receipts.since(0)) report.add(page)
            const { prompts: spread, causes } = report.end()
            expect(spread.total).toBe(asked.length)
            expect(causes.reduce((sum, cause) => sum + cause.prompts, 0)).toBe(spread.total)
            const units = new Map<string, number>()
            for (const { person, session, at } of asked) {
              const unit = `${person} ${by === 'day' ? Math.floor(at / DAY) : session}`
              units.set(unit, (units.get(unit) ?? 0) + 1)
            }
            expect(Math.max(0, ...units.values())).toBeGreaterThanOrEqual(spread.p95)
            expect(spread.count).toBeGreaterThanOrEqual(units.size)
          }
        } finally {
          await world.storage.close()
        }
      }),
      { numRuns: WORLDS, seed: 20261125, endOnFailure: true },
    )
    expect(receipts).toBeGreaterThan(10_000)
    expect(prompts).toBeGreaterThan(500)
  }, 600_000)

  test('another candidate: what is counted sums up, and every newly denied opening is one that it denies', async () => {
    await fc.assert(
      fc.asyncProperty(rules, rules, steps(120), async (written, other, script) => {
        const world = await openStore()
        try {
          const candidate = policiesOf(other)
          await walk(policiesOf(written), script, world.receipts)
          const { total, by, prompts, asked_for_more: more } = await replayed(candidate, world.receipts)
          const { openings, ...changes } = total
          const sum = (values: Iterable<number>) => [...values].reduce((a, b) => a + b, 0)
          expect(sum(Object.values(changes))).toBe(openings)
          for (const change of Object.keys(changes) as (keyof typeof changes)[])
            for (const dimension of ['app', 'site'] as const)
              expect(sum([...by[dimension].values()].map((tally) => tally[change]))).toBe(total[change])
          let denied = 0
          for await (const page of world.receipts.since(0))
            for (const { outcome, facts } of page.receipts)
              if (outcome !== 'deny' && decide(candidate, facts!).outcome === 'deny') denied++
          expect(total.newly_denied).toBeLessThanOrEqual(denied)
          expect(total.newly_denied > 0).toBe(denied > 0)
          expect(prompts.after.total - prompts.before.total).toBeLessThanOrEqual(total.newly_prompted - more)
          expect(prompts.before.count).toBe(prompts.after.count)
        } finally {
          await world.storage.close()
        }
      }),
      { numRuns: 60, seed: 7 },
    )
  }, 600_000)
})

test('flipped bytes, whichever, stop neither a replay nor a report, and are told as not comparable', async () => {
  const policies = policiesOf([{ name: 'staff', allow: { strength: 'two-factors', within: '1h' } }])
  const { asked } = await walk(policies, fc.sample(steps(150), { numRuns: 1, seed: 5 })[0]!, store.receipts)
  expect(asked.length).toBeGreaterThan(5)
  const db = store.storage.records
  const flip = fc.tuple(
    fc.constantFrom(
      'receipts.own',
      'receipts.at',
      'receipts.started',
      'receipts.who',
      'receipts.what',
      'receipt_parts.text',
      'receipt_parts.hash',
      'receipt_parts.person',
      'receipt_parts.used',
    ),
    fc.nat(40),
    fc.constantFrom<string | number | null>(
      '{"request":7,"history":[]}',
      '{"at":"x","started":{}}',
      '[]',
      '{',
      '',
      0,
      -1,
      3,
      1e15,
    ),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(flip, { minLength: 1, maxLength: 5 }), async (flips) => {
      for (const [place, id, value] of flips) {
        const [table, column] = place.split('.')
        const text = /own|text|hash|person/.test(column!)
        const set = text ? String(value) : typeof value === 'number' ? value : 1
        await sql`update ${sql.table(table!)} set ${sql.ref(column!)} = ${set} where id = ${id}`
          .execute(db)
          // what is taken by another row is no byte that a disk has flipped
          .catch((error) => expect(isConflict(error), String(error)).toBe(true))
      }
      const { total, not_comparable: reasons } = await replayed(policies)
      expect(Object.values(reasons).reduce((a, b) => a + b)).toBe(total.not_comparable)
      const { prompts, causes } = await friction(policies)
      expect(causes.reduce((sum, cause) => sum + cause.prompts, 0)).toBe(prompts.total)
    }),
    { numRuns: 60, seed: 3, endOnFailure: true },
  )
  expect((await replayed(policies)).total.not_comparable).toBeGreaterThan(0)
}, 600_000)

const staff = (allow: object, more: object[] = []) => policiesOf([...more, { name: 'staff', allow }])

/** A receipt of one person in one session: minutes after nine, factors given at minutes after nine. */
async function record(
  policies: Policies,
  minute: number,
  factors: Readonly<Record<string, number>>,
  more: { app?: string; started?: number; ip?: string; session?: number; person?: string } = {},
) {
  const at = (minutes: number) => NINE + Math.round(minutes * 60_000)
  const person = more.person ?? 'p1'
  const facts: Facts = {
    at: at(minute),
    request: { kind: 'app', started: at(more.started ?? minute) },
    user: { id: person, username: 'sam', groups: ['staff', 'care'] },
    app: { id: more.app ?? 'crm', policy: 'p', audience: ['*'] },
    network: { ip: more.ip ?? '192.0.2.1' },
    session: {
      started: at(more.session ?? 0),
      authenticated: Object.entries(factors).map(([factor, minutes]) => ({
        factor,
        at: at(minutes),
        ...(factor === 'passkey' ? { user_verified: true } : {}),
      })),
    },
  }
  const decision = decide(policies, facts)
  return { outcome: decision.outcome, reference: await store.receipts.add(facts, decision) }
}

describe('a conversation of several receipts', () => {
  const live = staff({ strength: 'two-factors' })

  /** Signs in at nine with a password; is asked for a second factor at 9:30 on three pages, and gives it. */
  async function stepUp() {
    const before = staff({})
    await record(before, 0.2, { password: 0 }, { started: -0.5 })
    await record(before, 10, { password: 0 })
    expect((await record(live, 30, { password: 0 })).outcome).toBe('challenge')
    expect((await record(live, 30.1, { password: 0 })).outcome).toBe('challenge')
    expect((await record(live, 30.5, { password: 0 })).outcome).toBe('challenge')
    expect((await record(live, 31, { password: 0, totp: 30.9 }, { started: 30 })).outcome).toBe('allow')
    await record(live, 40, { password: 0, totp: 30.9 })
  }

  test('is one opening, and one prompt', async () => {
    await stepUp()
    const { total, prompts } = await replayed(live)
    // these policies would have asked for the second factor at the sign-in, and not again at 9:30
    expect(total).toMatchObject({ openings: 4, newly_prompted: 1, no_longer_prompted: 1, unchanged: 2 })
    expect(prompts.before).toMatchObject({ count: 1, total: 2 })
    expect(prompts.after).toMatchObject({ count: 1, total: 1 })
  })

  test('that would not have begun is one prompt less, however many pages it had', async () => {
    await stepUp()
    const { total, prompts } = await replayed(staff({}))
    expect(total).toMatchObject({ openings: 4, no_longer_prompted: 1, unchanged: 3 })
    expect([prompts.before.total, prompts.after.total]).toEqual([2, 1])
  })

  test('that nobody answered is an opening, and no prompt', async () => {
    await record(live, 30, { password: -60 }, { session: -60 })
    await record(live, 30.1, { password: -60 }, { session: -60 })
    expect(await replayed(live, store.receipts, { since: NINE })).toMatchObject({
      total: { openings: 1, unchanged: 1 },
      prompts: { before: { total: 0 } },
    })
    expect(await friction(live, 'day', NINE)).toMatchObject({ prompts: { count: 1, total: 0 }, unanswered: 1 })
  })
})

describe('what a candidate would change', () => {
  const live = staff({})
  const sixOpenings = async () => {
    for (const minute of [10, 20, 30, 40, 50, 200]) await record(live, minute, { password: 0 })
  }

  test('asks once and then not again for as long as that lasts', async () => {
    await sixOpenings()
    const { total, prompts } = await replayed(staff({ strength: 'two-factors', within: '2h' }))
    // at 9:10, and again at 12:20 when both factors have become too old
    expect(total).toMatchObject({ openings: 6, newly_prompted: 2, unchanged: 4 })
    expect([prompts.before.total, prompts.after.total]).toEqual([1, 3])
  })

  test('asks every time where the factor has to be given for this very request', async () => {
    await sixOpenings()
    expect((await replayed(staff({ within: '0s' }))).total).toMatchObject({ newly_prompted: 6, unchanged: 0 })
  })

  test('asks for more where something is asked anyway: newly prompted, and no prompt more', async () => {
    await record(live, 0.5, { password: 0 }, { started: -0.5 })
    const found = await replayed(staff({ strength: 'two-factors' }))
    expect(found).toMatchObject({ total: { newly_prompted: 1 }, asked_for_more: 1 })
    expect([found.prompts.before.total, found.prompts.after.total]).toEqual([1, 1])
  })

  test('denies, by app, group, site and person', async () => {
    await sixOpenings()
    await record(live, 60, { password: 0 }, { app: 'till', ip: '203.0.113.9', person: 'p2' })
    const closed = { name: 'closed', when: { network: { outside: ['stores'] } }, deny: {} }
    const { total, by } = await replayed(staff({}, [closed]))
    expect(total).toMatchObject({ openings: 7, newly_denied: 1, unchanged: 6 })
    const denied = (rows: ReadonlyMap<string, { newly_denied: number; openings: number }>) =>
      Object.fromEntries([...rows].map(([key, row]) => [key, [row.newly_denied, row.openings]]))
    expect(denied(by.app)).toEqual({ crm: [0, 6], till: [1, 1] })
    expect(denied(by.group)).toEqual({ staff: [1, 7], care: [1, 7] })
    expect(denied(by.site)).toEqual({ stores: [0, 6], elsewhere: [1, 1] })
    expect(denied(by.person)).toEqual({ p1: [0, 6], p2: [1, 1] })
    expect((await replayed(staff({}, [closed]), store.receipts, { app: 'till' })).total.openings).toBe(1)
  })

  test('lets in who was denied', async () => {
    await record(policiesOf([{ name: 'no', deny: {} }]), 10, { password: 0 })
    expect((await replayed(live)).total).toMatchObject({ newly_allowed: 1 })
  })

  test('is not compared where the person is gone, the policy is, or nobody asked for the facts', async () => {
    await record(live, 10, { password: 0 }, { person: 'gone' })
    await record(live, 20, { password: 0 })
    await store.receipts.forget('gone')
    const { total, not_comparable: reasons, by } = await replayed(live)
    expect([total.not_comparable, reasons['facts-gone'], by.app.get('crm')!.not_comparable]).toEqual([1, 1, 1])
    const renamed = policiesOf([{ name: 'x', allow: {} }], {
      'p.yaml': { policy: 'q', rules: [{ name: 'x', allow: {} }] },
    })
    expect((await replayed(renamed)).not_comparable).toMatchObject({ 'policy-missing': 1, 'facts-gone': 1 })
  })
})

describe('a prompt is attributed to', () => {
  const because = async (policies: Policies) =>
    (await friction(policies)).causes.map(({ app, rule, because: why, of, prompts }) => [app, rule, why, of, prompts])

  test('the sign-in', async () => {
    const live = staff({})
    await record(live, 0.5, { password: 0 }, { started: -0.5 })
    expect(await because(live)).toEqual([['crm', 'staff', 'no-session', null, 1]])
  })

  test('the strength, where what had been given was never enough', async () => {
    const live = staff({ strength: 'two-factors', within: '4h' })
    await record(live, 30, { password: 0 })
    await record(live, 31, { password: 0, totp: 30.5 }, { started: 30, app: 'till' })
    expect(await because(live)).toContainEqual(['till', 'staff', 'strength', 'two-factors', 1])
  })

  test('the lifetime, where it had been enough and was too old', async () => {
    const live = staff({ within: '4h' })
    await record(live, 0.5, { password: 0 }, { started: -0.5 })
    await record(live, 300, { password: 0 })
    await record(live, 301, { password: 300.5 }, { started: 300 })
    expect(await because(live)).toEqual([
      ['crm', 'staff', 'lifetime', '4h', 1],
      ['crm', 'staff', 'no-session', null, 1],
    ])
    // and where the report begins in the middle of the session
    const since = NINE + 10 * 60_000
    expect((await friction(live, 'day', since)).causes).toMatchObject([{ because: 'lifetime', of: '4h', prompts: 1 }])
  })

  test('what waited for it, though another app opened silently in between', async () => {
    const live = staff({})
    const risky = staff({ strength: 'two-factors' })
    await record(live, 0.5, { password: 0 }, { started: -0.5 })
    await record(risky, 30, { password: 0 }, { app: 'risky' })
    await record(live, 30.6, { password: 0, totp: 30.5 }, { app: 'till' })
    await record(risky, 30.7, { password: 0, totp: 30.5 }, { app: 'risky', started: 30 })
    expect(await because(risky)).toContainEqual(['risky', 'staff', 'strength', 'two-factors', 1])
    expect((await friction(live)).prompts.total).toBe(2)
  })

  test('whatever came first, where nothing waited for it', async () => {
    const live = staff({})
    // somebody signed in to the launcher, and opened the first app some minutes later
    await record(live, 5, { password: 0 })
    expect(await because(live)).toEqual([['crm', 'staff', 'no-session', null, 1]])
  })
})

describe('a rule in report mode', () => {
  test('is told with how often it matched, and what it would have changed', async () => {
    const strict = {
      name: 'second factor outside',
      mode: 'report',
      when: { network: { outside: ['stores'] } },
      allow: { strength: 'two-factors', within: '1h' },
    }
    const closed = { name: 'closed at the office', mode: 'report', when: { network: ['office'] }, deny: {} }
    const live = staff({}, [strict, closed])
    for (const minute of [10, 20, 30]) await record(live, minute, { password: 0 }, { ip: '203.0.113.9' })
    await record(live, 40, { password: 0 })
    await record(live, 50, { password: 0 }, { ip: '198.51.100.9' })
    const reported = createReported({ policies: live, since: 0 })
    for await (const page of store.receipts.since(0)) reported.add(page)
    const found = reported.end()
    expect(found.map(({ rule, matched, perhaps, changes }) => [rule, matched, perhaps, changes.total])).toMatchObject([
      ['second factor outside', 4, 0, { openings: 5, newly_prompted: 1, unchanged: 4, newly_denied: 0 }],
      ['closed at the office', 1, 0, { openings: 5, newly_denied: 1, unchanged: 4 }],
    ])
  })
})
