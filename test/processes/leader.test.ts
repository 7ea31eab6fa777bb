/** Who leads, with several that share one database: the times are the test's. */
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { openStorage, type Storage } from '#storage'
import { createLeader, HOLDS, type Leader, WATCHED } from '../../src/leader.ts'
import { emptyStorageUrl } from '../support/storage.ts'

let storage: Storage
beforeEach(async () => {
  const url = await emptyStorageUrl()
  storage = await openStorage({ url, clock: systemClock, log: silentLog, migrations: [] })
})
afterEach(() => storage.close())

let time = 0
/** `ahead`: each process counts from a start of its own. */
const one = (ahead = 0): Leader => createLeader({ state: storage.durable, log: silentLog, time: () => time + ahead })

test('whoever comes first leads, at once; whoever comes later does not', async () => {
  const [first, second] = [one(), one(500_000)]
  await first.beat()
  await second.beat()
  expect([first.leads(), second.leads()]).toEqual([true, false])
})

test('as long as it says so it leads, whatever the others count', async () => {
  const [first, second] = [one(), one(-500_000)]
  for (let i = 0; i < 50; i++) {
    await first.beat()
    await second.beat()
    expect([first.leads(), second.leads()]).toEqual([true, false])
    time += 2000
  }
})

test('one that dies is followed when its last word was watched for long enough, by one of several', async () => {
  const [first, second, third] = [one(), one(), one()]
  await first.beat()
  await Promise.all([second.beat(), third.beat()])
  time += WATCHED - 1
  await Promise.all([second.beat(), third.beat()])
  expect([second.leads(), third.leads()]).toEqual([false, false])
  time += 1
  await Promise.all([second.beat(), third.beat()])
  expect([second.leads(), third.leads()].filter(Boolean)).toHaveLength(1)
})

test('one that stood still does not take itself for the leader when it wakes, before it has looked at anything', async () => {
  const [first, second] = [one(), one()]
  await first.beat()
  await second.beat()
  time += HOLDS
  expect(first.leads()).toBe(false)
  time += WATCHED
  await second.beat()
  expect([first.leads(), second.leads()]).toEqual([false, true])
  await first.beat()
  expect([first.leads(), second.leads()]).toEqual([false, true])
})

test('who ends in order leaves it to the next, who does not wait', async () => {
  const [first, second] = [one(), one()]
  await first.beat()
  await second.beat()
  await first.stop()
  await second.beat()
  expect([first.leads(), second.leads()]).toEqual([false, true])
})

test('while the database does not answer nobody leads for long, and nothing is thrown', async () => {
  const { url } = { url: 'sqlite::memory:' }
  const other = await openStorage({ url, clock: systemClock, log: silentLog, migrations: [] })
  const leader = createLeader({ state: other.durable, log: silentLog, time: () => time })
  await leader.beat()
  expect(leader.leads()).toBe(true)
  await other.close()
  await leader.beat()
  time += HOLDS
  expect(leader.leads()).toBe(false)
  await leader.stop()
})

test('never two at once, whoever stands still for however long', async () => {
  const step = fc.record({ pass: fc.nat(9000), who: fc.subarray([0, 1, 2]) })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const all = [one(), one(7_777), one(-99_999)]
      for (const { pass, who } of steps) {
        time += pass
        await Promise.all(who.map((i) => all[i]!.beat()))
        expect(all.filter((each) => each.leads()).length).toBeLessThanOrEqual(1)
      }
      await Promise.all(all.map((each) => each.stop()))
    }),
    { numRuns: 60 },
  )
})
