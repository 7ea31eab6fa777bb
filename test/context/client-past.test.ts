/** What a program did before: learned over all processes, bounded, and never better than it is. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ClientPasts, openClientPasts } from '#context'
import { silentLog } from '#core/log'
import { openStorage, type Storage } from '#storage'

const folder = mkdtempSync(join(tmpdir(), 'portico-client-past-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const START = Date.UTC(2026, 10, 30, 9)
const SECOND = 1000
const HOUR = 3600 * SECOND
const DAY = 24 * HOUR
const HOME = '203.0.113.9'
const AWAY = '198.51.100.7'

let now = START
const clock = { now: () => now }
let told: string[] = []
const audit = {
  record: async (event: string, { app, reason, count }: Record<string, unknown>) =>
    void told.push([event, app, reason, count].filter((part) => part !== undefined).join(' ')),
}
let files = 0
let storages: Storage[]
let pasts: ClientPasts[]
const options = () => ({ url: `sqlite:${join(folder, `${files}.db`)}`, clock, log: silentLog, migrations: [] })
beforeEach(async () => {
  files++
  now = START
  told = []
  storages = [await openStorage(options()), await openStorage(options())]
  pasts = storages.map(({ state }) => openClientPasts({ state, clock, audit: audit as never }))
})
afterEach(async () => {
  for (const storage of storages) await storage.close()
})
const letIn = (address = HOME, letIn = true, of = 0) => pasts[of]!.asked('acme', { address, letIn })
const facts = (address = HOME, of = 1) => pasts[of]!.of('acme', address)
const learned = async () => {
  await letIn()
  now += DAY
}

describe('a network', () => {
  test('is not known to be known or new before a day of its past is there', async () => {
    expect(await facts()).toEqual({ failures: 0 })
    await letIn()
    now += DAY - 1
    expect(await facts()).toEqual({ failures: 0 })
    now += 1
    expect(await facts()).toMatchObject({ network_known: true })
    expect(await facts(AWAY)).toMatchObject({ network_known: false })
  })

  test('is its neighbourhood: /24, and /64 of IPv6', async () => {
    await letIn('2001:db8::1')
    await learned()
    expect(await facts('203.0.113.200')).toMatchObject({ network_known: true })
    expect(await facts('203.0.114.9')).toMatchObject({ network_known: false })
    expect(await facts('2001:db8::ffff')).toMatchObject({ network_known: true })
    expect(await facts('2001:db8:0:1::1')).toMatchObject({ network_known: false })
  })

  test('does not become known by asking, nor at once by what a rule let in', async () => {
    await learned()
    for (let i = 0; i < 5; i++) {
      await letIn(AWAY, false)
      now += 11 * SECOND
    }
    now += 2 * DAY
    expect(await facts(AWAY)).toMatchObject({ network_known: false })
    await letIn(AWAY)
    now += DAY - 1
    await letIn(AWAY)
    expect(await facts(AWAY)).toMatchObject({ network_known: false })
    now += 1
    expect(await facts(AWAY)).toMatchObject({ network_known: true })
  })

  test('is told of once a day, let in or not', async () => {
    await learned()
    await letIn(AWAY, false)
    await letIn(AWAY, true, 1)
    await letIn()
    expect(told).toEqual(['client-network-new acme 198.51.100.0/24'])
  })

  test('that nobody knows is neither', async () => {
    await learned()
    expect(await facts('unknown')).toEqual({ volume: expect.any(Number) })
    await letIn('unknown')
    expect(await pasts[0]!.show('acme')).toMatchObject({ networks: [{ network: '203.0.113.0/24', since: START }] })
  })
})

describe('failures', () => {
  const fail = async (times: number, address = AWAY) => {
    for (let i = 0; i < times; i++) await pasts[i % 2]!.failed('acme', address)
  }

  test('count in a row over all processes, from their network only', async () => {
    await learned()
    await fail(7)
    expect([(await facts(AWAY)).failures, (await facts()).failures]).toEqual([7, 0])
    expect(told).toEqual(['client-failing acme 198.51.100.0/24 5'])
    await letIn(AWAY, false)
    expect((await facts(AWAY)).failures).toBe(7)
    await letIn(AWAY)
    expect((await facts(AWAY)).failures).toBe(0)
  })

  test('are over an hour after the last one', async () => {
    await fail(3)
    now += HOUR - 1
    expect((await facts(AWAY)).failures).toBe(3)
    now += 1
    expect((await facts(AWAY)).failures).toBe(0)
  })

  test('from more networks than are kept are not known, rather than none', async () => {
    await fail(9)
    for (let i = 0; i < 40; i++) await fail(1, `192.0.${i}.1`)
    expect(await facts(AWAY)).not.toHaveProperty('failures')
    now += HOUR
    expect((await facts(AWAY)).failures).toBe(0)
  })
})

describe('volume', () => {
  test('is beside the busiest hour, or ten; written together, and told of far beyond', async () => {
    for (let i = 0; i < 40; i++) await letIn()
    now += 11 * SECOND
    await letIn()
    now += DAY
    expect((await facts()).volume).toBe(0)
    for (let i = 0; i < 82; i++) await letIn()
    expect((await facts(HOME, 0)).volume).toBe(2)
    now += 11 * SECOND
    await letIn()
    expect((await facts()).volume).toBeCloseTo(83 / 41, 1)
    for (let i = 0; i < 200; i++) await letIn()
    now += 11 * SECOND
    await letIn()
    expect(told).toEqual([expect.stringMatching(/^client-volume-unusual acme 2\d\d$/)])
    expect(await pasts[1]!.show('acme')).toMatchObject({ busiest: 41 })
  })

  test('calls are none of it', async () => {
    await learned()
    for (let i = 0; i < 50; i++) await pasts[0]!.asked('acme', { address: HOME, letIn: true, counts: false })
    now += 11 * SECOND
    await pasts[0]!.asked('acme', { address: HOME, letIn: true, counts: false })
    expect((await facts()).volume).toBe(0)
  })
})

test('a row that somebody has flipped bytes in is not known, and begun anew', async () => {
  await learned()
  await storages[0]!.state.set('client-past:acme', '{"networks": 1}')
  expect(await facts()).toEqual({ failures: 0 })
  await letIn()
  now += DAY
  expect(await facts()).toMatchObject({ network_known: true })
})

test('a row stays small, whatever happens', async () => {
  const address = fc.ipV4()
  const act = fc.record({
    address,
    kind: fc.constantFrom('in', 'out', 'failed'),
    later: fc.integer({ min: 0, max: DAY }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 150, maxLength: 200 }), async (acts) => {
      for (const { address, kind, later } of acts) {
        now += later
        if (kind === 'failed') await pasts[0]!.failed('acme', address)
        else await letIn(address, kind === 'in')
      }
      const row = (await storages[0]!.state.get('client-past:acme')) ?? ''
      expect(row.length).toBeLessThan(16_000)
    }),
    { numRuns: 5 },
  )
})
