/** Quotas: never more within any window, each place free again in time, and the same over two openings of one storage. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { openQuotas, type Quotas, quotaHeaders } from '#context'
import { silentLog } from '#core/log'
import { openStorage, type Storage } from '#storage'

const folder = mkdtempSync(join(tmpdir(), 'portico-quotas-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const START = Date.UTC(2026, 10, 30, 9)
const MINUTE = 60_000

let now = START
const clock = { now: () => now }
const told: (string | undefined)[] = []
const audit = {
  record: async (_event: string, { app, reason }: { app?: string; reason?: string }) =>
    void told.push(`${app} ${reason}`),
}
let files = 0
let storages: Storage[]
let quotas: Quotas[]
const options = () => ({ url: `sqlite:${join(folder, `${files}.db`)}`, clock, log: silentLog, migrations: [] })
beforeEach(async () => {
  files++
  now = START
  told.length = 0
  storages = [await openStorage(options()), await openStorage(options())]
  quotas = storages.map(({ state }) => openQuotas({ state, clock, audit: audit as never }))
})
afterEach(async () => {
  for (const storage of storages) await storage.close()
})

test('of many at once over two openings exactly as many get in as the quota says, and one event tells of it', async () => {
  const quota = { most: 30, within: MINUTE }
  const before = await Promise.all(Array.from({ length: 20 }, (_, i) => quotas[i % 2]!.take('acme', 'tokens', quota)))
  expect(before.every(({ allowed }) => allowed)).toBe(true)
  const taken = await Promise.all(Array.from({ length: 50 }, (_, i) => quotas[i % 2]!.take('acme', 'tokens', quota)))
  expect(taken.filter(({ allowed }) => allowed)).toHaveLength(10)
  expect(taken.filter(({ allowed }) => !allowed).every(({ left, more }) => left === 0 && more >= 1 && more <= 61)).toBe(
    true,
  )
  expect(told).toEqual(['acme tokens'])
  // neither another partner nor another kind is concerned
  expect((await quotas[0]!.take('byte', 'tokens', quota)).left).toBe(29)
  expect((await quotas[0]!.take('acme', 'calls', quota)).left).toBe(29)
})

test('within no window, wherever it begins, there are more; and who waits as told gets in', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 8 }),
      fc.constantFrom(1000, 10_000, MINUTE),
      fc.array(fc.tuple(fc.nat(862), fc.integer({ min: 1, max: 6 })), { minLength: 5, maxLength: 25 }),
      async (most, within, steps) => {
        const name = `p${++files}`
        const admitted: number[] = []
        for (const [pause, count] of steps) {
          // nothing begins with a part of the window
          now += Math.floor((pause * within) / 431)
          const all = await Promise.all(
            Array.from({ length: count }, (_, i) => quotas[i % 2]!.take(name, 'calls', { most, within })),
          )
          for (const { allowed } of all) if (allowed) admitted.push(now)
          const refused = all.find(({ allowed }) => !allowed)
          if (!refused || pause % 5 > 0) continue
          now += refused.more * 1000
          expect((await quotas[0]!.take(name, 'calls', { most, within })).allowed, 'as promised').toBe(true)
          admitted.push(now)
        }
        for (const at of admitted)
          expect(admitted.filter((other) => other > at - within && other <= at).length).toBeLessThanOrEqual(most)
      },
    ),
    { numRuns: 60 },
  )
}, 60_000)

test('a quota that is changed counts what was before', async () => {
  for (let i = 0; i < 5; i++) await quotas[0]!.take('acme', 'tokens', { most: 10, within: MINUTE })
  expect(await quotas[1]!.take('acme', 'tokens', { most: 6, within: 2 * MINUTE })).toMatchObject({
    allowed: true,
    left: 0,
  })
  expect((await quotas[0]!.take('acme', 'tokens', { most: 6, within: 2 * MINUTE })).allowed).toBe(false)
})

test('what is answered says how many there are, and when there are more', async () => {
  const quota = { most: 2, within: MINUTE }
  const headers = async () => quotaHeaders(await quotas[0]!.take('acme', 'tokens', quota))
  const policy = '"tokens";q=2;w=60'
  expect(await headers()).toEqual({ 'ratelimit-policy': policy, ratelimit: '"tokens";r=1;t=61' })
  expect(await headers()).toEqual({ 'ratelimit-policy': policy, ratelimit: '"tokens";r=0;t=61' })
  now += 10_000
  expect(await headers()).toEqual({ 'ratelimit-policy': policy, ratelimit: '"tokens";r=0;t=51', 'retry-after': '51' })
})
