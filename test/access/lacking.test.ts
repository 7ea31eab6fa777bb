/** A fact that was looked for and is not there, and one that nobody looked for: a candidate can be judged by the first only. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createReplay, createReported } from '#access/reports'
import { decide, type Facts, type Gathered, type Policies, type Signal } from '#policy'
import { policiesOf } from '../policy/house.ts'
import { NINE, openStore, type Store } from './house.ts'

let store: Store
beforeEach(async () => {
  store = await openStore()
})
afterEach(() => store.storage.close())

const EVERYBODY = { name: 'everybody', allow: {} }
const open = policiesOf([EVERYBODY])
const closed = policiesOf([{ name: 'nobody', deny: {} }])
const without = (when: object) => policiesOf([{ name: 'looks', when, deny: {} }, EVERYBODY])
const only = (when: object) => policiesOf([{ name: 'looks', when, allow: {} }])

/** Of somebody about whom nothing could be found. */
const SAM: Facts = {
  at: NINE,
  request: { kind: 'app', started: NINE },
  user: { id: 'p1', username: 'sam', groups: ['staff'] },
  app: { id: 'crm', policy: 'p', audience: ['*'] },
  network: { ip: '203.0.113.9' },
  device: { known: false },
  session: { started: NINE - 1000, authenticated: [{ factor: 'password', at: NINE - 1000 }] },
}

/** What replay says of one decision that these policies made of these facts. */
async function replayed(live: Policies, candidate: Policies, gathered: Gathered, facts: Facts = SAM) {
  const storage = await openStore()
  try {
    await storage.receipts.add(facts, decide(live, facts), gathered)
    const replay = createReplay({ candidate, since: 0 })
    for await (const page of storage.receipts.since(0)) replay.add(page)
    const { total, not_comparable: why } = replay.end()
    const { openings, ...changes } = total
    expect(openings).toBe(1)
    expect(why['facts-lacking']).toBe(total.not_comparable)
    return Object.entries(changes).find(([, count]) => count > 0)![0]
  } finally {
    await storage.storage.close()
  }
}

const CONDITIONS: readonly (readonly [signals: readonly Signal[], when: object])[] = [
  [['place'], { country: ['NL'] }],
  [['place'], { country: { outside: ['NL'] } }],
  [['travel', 'place', 'absence'], { 'travel.speed': { over: 900 } }],
  [['travel', 'place', 'absence', 'countries'], { 'travel.new_country': { over: '90d' } }],
  [['absence'], { 'frequency.absent': { over: '30d' } }],
  [['sign_ins'], { 'frequency.sign_ins': { over: 3, within: '5m' } }],
  [['upstream'], { 'upstream.assurance': 'any' }],
  [['platform'], { 'device.platform': 'android' }],
  [['enrolment'], { 'device.enrolled': true }],
  [['enrolment'], { 'device.kind': 'shared' }],
  [['enrolment'], { not: { any: [{ 'device.site': ['1042'] }, { 'user.groups': ['care'] }] } }],
  [['enrolment'], { time: { between: '08:00-18:00', zone: 'site' } }],
]

describe.each(CONDITIONS)('%j for %j', (signals, when) => {
  test('that was looked for and not found is unknown, and judged both ways as ever', async () => {
    expect(await replayed(open, without(when), signals)).toBe('newly_denied')
    expect(await replayed(closed, only(when), signals)).toBe('unchanged')
  })

  test('that nobody looked for is not comparable, also where the answer would be the same', async () => {
    for (const gathered of signals.map((left) => signals.filter((one) => one !== left))) {
      // a sign-in before is looked up with its place, or without
      if (signals.includes('travel') && gathered.includes('travel')) continue
      expect(await replayed(open, without(when), gathered)).toBe('not_comparable')
      expect(await replayed(closed, only(when), gathered)).toBe('not_comparable')
    }
  })

  test('in a receipt of before this was kept is not comparable where the answer would be another', async () => {
    expect(await replayed(open, without(when), undefined)).toBe('not_comparable')
    expect(await replayed(closed, only(when), undefined)).toBe('unchanged')
  })

  test('that a rule takes for no is no answer either, where nobody looked', async () => {
    const [[name, wanted]] = Object.entries(when) as [[string, unknown]]
    if (name === 'not') return
    const form = Array.isArray(wanted) || typeof wanted === 'string' ? { in: wanted } : wanted
    const told = { [name]: { ...(typeof form === 'object' ? form : { is: form }), unknown: false } }
    expect(await replayed(open, only(told), signals)).toBe('newly_denied')
    expect(await replayed(open, only(told), [])).toBe('not_comparable')
    expect(await replayed(closed, only(told), signals)).toBe('unchanged')
    expect(await replayed(closed, only(told), [])).toBe('not_comparable')
  })
})

test('an allow stands, and so does what other conditions settle', async () => {
  const looks = { name: 'looks', when: { country: ['NL'] }, allow: { within: '1h' } }
  expect(await replayed(open, policiesOf([looks, EVERYBODY]), [])).toBe('unchanged')
  const settled = without({ country: ['NL'], 'user.groups': ['care'] })
  expect(await replayed(closed, settled, [])).toBe('newly_allowed')
  const reported = policiesOf([{ name: 'looks', mode: 'report', when: { country: ['NL'] }, deny: {} }, EVERYBODY])
  expect(await replayed(closed, reported, [])).toBe('newly_allowed')
})

test('`unknown` by name in a list of countries holds for what was not found, and says nothing of what nobody looked for', async () => {
  const when = { country: { outside: ['NL', 'unknown'] } }
  expect(await replayed(open, only(when), ['place'])).toBe('newly_denied')
  expect(await replayed(open, only(when), [])).toBe('not_comparable')
})

test('a count of too short a time is one that nobody took; a longer one that tells enough is one', async () => {
  const counted = (within: string, count: number): Facts => ({ ...SAM, history: { sign_ins: [{ within, count }] } })
  const candidate = without({ 'frequency.sign_ins': { over: 3, within: '1h' } })
  const of = (facts: Facts) => replayed(open, candidate, ['sign_ins'], facts)
  expect(await of(counted('5m', 2))).toBe('not_comparable')
  expect(await of(counted('5m', 4))).toBe('newly_denied')
  expect(await of(counted('24h', 3))).toBe('unchanged')
  const same = only({ 'frequency.sign_ins': { over: 3, within: '1h' } })
  expect(await replayed(closed, same, ['sign_ins'], counted('5m', 2))).toBe('not_comparable')
})

test('nobody has a past to look into, and a device that is known is known without a rule that asked', async () => {
  const { user: _user, session: _session, ...stranger } = SAM
  expect(await replayed(closed, without({ 'frequency.absent': { over: '30d' } }), [], stranger)).toBe('newly_allowed')
  expect(await replayed(closed, without({ country: ['NL'] }), [], stranger)).toBe('not_comparable')
  const known = { ...SAM, device: { known: false, enrolled: false, kind: 'personal', site: null } } as const
  expect(await replayed(closed, without({ 'device.enrolled': true }), [], known)).toBe('newly_allowed')
  // what it belongs to is known, and has no clock
  const clocks = without({ time: { between: '08:00-18:00', zone: 'site' } })
  expect(await replayed(open, clocks, [], known)).toBe('newly_denied')
  expect(await replayed(open, clocks, undefined, known)).toBe('newly_denied')
})

test('a rule in report mode is not said to change what nobody looked for', async () => {
  const rule = { name: 'looks', mode: 'report', when: { country: ['NL'] }, deny: {} }
  const policies = policiesOf([rule, EVERYBODY])
  await store.receipts.add(SAM, decide(open, SAM), [])
  await store.receipts.add({ ...SAM, at: NINE + 7_200_000 }, decide(open, SAM), ['place'])
  const reported = createReported({ policies, since: 0 })
  for await (const page of store.receipts.since(0)) reported.add(page)
  expect(reported.end()[0]!.changes.total).toMatchObject({ openings: 2, newly_denied: 1, not_comparable: 1 })
})
