import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { type Counter, openHistory, type Past, trustedBy } from '#context'
import { days, hours, type Millis, minutes, seconds, systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { openStorage, type Storage } from '#storage'
import { emptyStorageUrl } from '../support/storage.ts'
import { watchedState } from '../support/watched-state.ts'

const START = Date.UTC(2026, 10, 23, 9)
const time = { now: START }
const clock = { now: () => time.now }
const folder = mkdtempSync(join(tmpdir(), 'portico-history-'))
let storage: Storage

beforeEach(async () => {
  time.now = START
  await storage?.close()
  storage = await openStorage({ url: await emptyStorageUrl(), clock, log: silentLog, migrations: [] })
})
afterAll(async () => {
  await storage.close()
  rmSync(folder, { recursive: true })
})

const kept = (counters: Partial<Record<Counter, Millis>>) => new Map(Object.entries(counters) as [Counter, Millis][])
const open = () => openHistory({ state: storage.state, clock })

/** How often, as a rule would see it now. */
async function often(history: ReturnType<typeof open>, person: string, counter: Counter, within: Millis) {
  const counts = await history.counts(person, time.now)
  return counts === 'unreadable' ? counts : counts(counter, within)
}

describe('counters', () => {
  test('belong to one person and one kind of thing, and count within any window', async () => {
    const history = open()
    const keep = kept({ sign_ins: hours(1), failures: hours(1) })
    await history.count('a', 'sign_ins', keep)
    time.now += minutes(10)
    await history.count('a', 'sign_ins', keep)
    await history.count('a', 'failures', keep)
    expect(await often(history, 'a', 'sign_ins', hours(1))).toBe(2)
    expect(await often(history, 'a', 'sign_ins', minutes(5))).toBe(1)
    expect(await often(history, 'a', 'failures', hours(1))).toBe(1)
    expect(await often(history, 'a', 'prompts', hours(1))).toBe(0)
    expect(await often(history, 'b', 'sign_ins', hours(1))).toBe(0)
  })

  test('are all read at once, and written in one row', async () => {
    const { state, calls } = watchedState(storage.state)
    const history = openHistory({ state, clock })
    const keep = kept({ sign_ins: hours(1), failures: hours(1) })
    await history.count('a', 'failures', keep)
    Object.assign(calls, { reads: 0, writes: 0 })
    const counts = await history.counts('a', time.now)
    expect([(counts as (c: Counter, w: Millis) => number)('failures', hours(1)), calls]).toEqual([
      1,
      { reads: 1, writes: 0 },
    ])
    await history.count('a', 'sign_ins', keep)
    expect(calls.writes).toBe(1)
  })

  test('that no rule looks at any more are dropped with the next one that is counted', async () => {
    const history = open()
    await history.count('a', 'failures', kept({ failures: hours(1) }))
    await history.count('a', 'sign_ins', kept({ sign_ins: hours(1) }))
    expect(await often(history, 'a', 'failures', hours(1))).toBe(0)
    expect(await storage.state.get('history-counts:a')).not.toContain('failures')
  })

  test('are gone when nothing happened for as long as the longest window and a bucket', async () => {
    const history = open()
    await history.count('a', 'failures', kept({ failures: minutes(10), sign_ins: hours(1) }))
    time.now += hours(1) + hours(6) - 1
    expect(await storage.state.get('history-counts:a')).toBeDefined()
    time.now += 1
    expect(await storage.state.get('history-counts:a')).toBeUndefined()
  })

  test('of a row that cannot be read are unknown, not none, until something is counted again', async () => {
    const history = open()
    for (const text of ['', '{', '[1]', '{"sign_ins":[["x",1]]}', '{"sign_ins":{}}', 'null']) {
      await storage.state.set('history-counts:a', text)
      expect(await history.counts('a', time.now), text).toBe('unreadable')
    }
    await history.count('a', 'sign_ins', kept({ sign_ins: hours(1) }))
    expect(await often(history, 'a', 'sign_ins', hours(1))).toBe(1)
  })

  test('lose none of 200 things that happen at once', async () => {
    const history = open()
    const keep = kept({ failures: hours(1) })
    await Promise.all(Array.from({ length: 200 }, () => history.count('a', 'failures', keep)))
    expect(await often(history, 'a', 'failures', hours(1))).toBe(200)
  })

  test('stay small under a flood: days of somebody trying every few seconds', async () => {
    const history = open()
    const keep = kept({ failures: days(31), sign_ins: days(31) })
    for (let i = 0; i < 6000; i++) {
      time.now += seconds(i % 2 ? 11 : 300)
      await history.count('a', 'failures', keep)
    }
    expect((await storage.state.get('history-counts:a'))!.length).toBeLessThan(6000)
    expect(await often(history, 'a', 'failures', days(31))).toBe(6000)
  })

  test('count over two processes', { timeout: 60_000 }, async () => {
    const file = join(folder, 'two.db')
    const shared = await openStorage({ url: `sqlite:${file}`, clock: systemClock, log: silentLog, migrations: [] })
    const started = [1, 2].map(() => {
      const program = join(import.meta.dirname, 'counting-process.ts')
      const child = spawn(process.execPath, [program, file], { stdio: ['pipe', 'pipe', 'inherit'] })
      return { child, lines: createInterface(child.stdout)[Symbol.asyncIterator](), ended: once(child, 'close') }
    })
    for (const { lines } of started) expect((await lines.next()).value).toBe('ready')
    for (const { child } of started) child.stdin.write('go\n')
    for (const { ended } of started) expect(await ended).toEqual([0, null])
    const counts = await openHistory({ state: shared.state, clock: systemClock }).counts('a', systemClock.now())
    expect((counts as (counter: Counter, within: Millis) => number)('failures', hours(1))).toBe(200)
    await shared.close()
  })
})

describe('the sign-ins before', () => {
  const from = (address: string, content: boolean, country?: string) => ({
    address,
    judged: [{ policy: 'p', content, ...(country ? { country } : {}) }],
  })
  const here = from('192.0.2.1', true)
  const there = from('203.0.113.9', false)
  const pastOf = async (history: ReturnType<typeof open>) => (await history.past('a')) as Past

  test('are none for somebody new', async () => {
    expect(await open().past('a')).toBeUndefined()
  })

  test('are the last one, and the last one that a policy had nothing against', async () => {
    const history = open()
    await history.signedIn('a', here)
    time.now += minutes(5)
    await history.signedIn('a', there)
    expect(await history.past('a')).toEqual({
      last: { at: START + minutes(5), address: there.address },
      trusted: { p: { at: START, address: here.address, countries: {} } },
    })
    time.now += minutes(5)
    await history.signedIn('a', from(there.address, true))
    const last = { at: START + minutes(10), address: there.address }
    expect(await history.past('a')).toEqual({ last, trusted: { p: { ...last, countries: {} } } })
    expect(await history.past('b')).toBeUndefined()
  })

  test('are trusted by each policy for itself', async () => {
    const history = open()
    const both = (address: string, p: boolean, q: boolean) => ({
      address,
      judged: [
        { policy: 'p', content: p },
        { policy: 'q', content: q },
      ],
    })
    await history.signedIn('a', both('192.0.2.1', true, true))
    time.now += minutes(5)
    await history.signedIn('a', both('203.0.113.9', true, false))
    const past = await pastOf(history)
    expect(trustedBy(past, 'p').address).toBe('203.0.113.9')
    expect(trustedBy(past, 'q').address).toBe('192.0.2.1')
    // one that is new here begins with what was trusted the longest ago, and so does one named like what all objects have
    for (const name of ['r', 'constructor', '__proto__', undefined])
      expect(trustedBy(past, name).address, name).toBe('192.0.2.1')
    time.now += minutes(5)
    await history.signedIn('a', { address: '198.51.100.1', judged: [{ policy: 'r', content: false }] })
    expect((await pastOf(history)).trusted).toEqual({
      r: { at: START, address: '192.0.2.1', countries: {} },
    })
  })

  test('that nobody judged are where the first rule on journeys begins', async () => {
    const history = open()
    await history.signedIn('a', { address: '192.0.2.1', judged: [] })
    expect(trustedBy(await pastOf(history), 'p').address).toBe('192.0.2.1')
    time.now += minutes(5)
    await history.signedIn('a', there)
    expect(trustedBy(await pastOf(history), 'p')).toEqual({ at: START, address: '192.0.2.1', countries: {} })
  })

  test('begin with the first one, whatever it was, or there would be nothing to compare with', async () => {
    const history = open()
    await history.signedIn('a', there)
    expect(trustedBy(await pastOf(history), 'p').address).toBe(there.address)
  })

  test('keep the last time of each country, and of very many only the latest', async () => {
    const history = open()
    const countriesOf = async () => trustedBy(await pastOf(history), 'p').countries
    await history.signedIn('a', from('192.0.2.1', true, 'NL'))
    time.now += days(1)
    await history.signedIn('a', from('192.0.2.1', true, 'BE'))
    await history.signedIn('a', from('192.0.2.1', true, 'NL'))
    await history.signedIn('a', here)
    // not one in which nobody let them pass
    await history.signedIn('a', from('192.0.2.1', false, 'US'))
    expect(await countriesOf()).toEqual({ NL: START + days(1), BE: START + days(1) })
    for (let i = 0; i < 100; i++) {
      time.now += minutes(1)
      const country = String.fromCharCode(65 + (i % 26), 65 + Math.floor(i / 26))
      await history.signedIn('a', from('192.0.2.1', true, country))
    }
    const countries = await countriesOf()
    expect(Object.keys(countries)).toHaveLength(40)
    expect(countries['NL']).toBeUndefined()
    expect(countries['VD']).toBe(time.now)
  })

  test('are kept for 400 days after the last one, and forgotten with the person', async () => {
    const history = open()
    await history.signedIn('a', here)
    time.now += days(400) - 1
    expect(await history.past('a')).toBeDefined()
    time.now += 1
    expect(await history.past('a')).toBeUndefined()
    await history.signedIn('a', here)
    await history.count('a', 'failures', kept({ failures: hours(1) }))
    await history.forget('a')
    expect(await history.past('a')).toBeUndefined()
    expect(await often(history, 'a', 'failures', hours(1))).toBe(0)
  })

  test('of a row that cannot be read are unknown, not none', async () => {
    const history = open()
    for (const text of ['', '{', '{}', '{"last":{"at":1}}', 'null', '7']) {
      await storage.state.set('history-past:a', text)
      expect(await history.past('a'), text).toBe('unreadable')
    }
  })
})

test('two people who become one are counted together, and measured from the later of both', async () => {
  const history = open()
  const all = kept({ sign_ins: hours(2), failures: hours(2) })
  const judged = (country: string) => [{ policy: 'travel', content: true, country }]
  await history.signedIn('kim', { address: '192.0.2.1', judged: judged('NL') })
  await history.count('kim', 'sign_ins', all)
  time.now += minutes(10)
  await history.signedIn('sam', { address: '192.0.2.2', judged: judged('DE') })
  await history.count('sam', 'sign_ins', all)
  await history.count('sam', 'failures', all)
  await history.move('sam', 'kim')
  await history.move('sam', 'kim')
  expect(await often(history, 'kim', 'sign_ins', hours(1))).toBe(2)
  expect(await often(history, 'kim', 'failures', hours(1))).toBe(1)
  expect(await often(history, 'kim', 'sign_ins', minutes(5))).toBe(1)
  expect(await history.past('sam')).toBeUndefined()
  expect(await history.past('kim')).toEqual({
    last: { at: START + minutes(10), address: '192.0.2.2' },
    trusted: {
      travel: { at: START + minutes(10), address: '192.0.2.2', countries: { NL: START, DE: START + minutes(10) } },
    },
  })
  expect(await often(history, 'sam', 'sign_ins', hours(1))).toBe(0)
})
