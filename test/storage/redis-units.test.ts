/** Units of work whose records and whose short-lived state lie in different stores: answered is what is safe in both. */
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { openStorage, type Storage, settled, together } from '#storage'
import { type RedisGroup, type RedisServer, startRedis, startSentinel } from '../support/redis.ts'
import { temporaryFolder } from './folder.ts'

const folder = temporaryFolder()
let alone: RedisServer
let group: RedisGroup
beforeAll(async () => {
  ;[alone, group] = await Promise.all([startRedis(), startSentinel({ replicas: 1 })])
})
afterAll(async () => {
  await Promise.all([alone?.end(), group?.end()])
})

let count = 0
const open = (url: string, replicas?: number) =>
  openStorage({
    url: `sqlite:${join(folder, `units-${count}.db`)}`,
    state: { url, replicas, sentinelPassword: 'watch' },
    clock: systemClock,
    log: silentLog,
    migrations: [],
  })
let storage: Storage
let other: Storage
beforeEach(async () => {
  ;[storage, other] = [await open(group.url), await open(group.url)]
})
afterEach(async () => {
  await storage.close()
  await other.close()
  count++
})
const waits = async () => {
  const said = await (await group.primary()).ask('INFO', 'commandstats')
  return Number(/cmdstat_wait:calls=(\d+)/.exec(said)?.[1] ?? 0)
}

test('many writes one after another are confirmed once, at the end of the unit, and each by itself without one', async () => {
  const ten = async () => {
    for (let i = 0; i < 10; i++) await storage.state.set(`k${i}`, 'v')
  }
  const before = await waits()
  await ten()
  const between = await waits()
  await together(async () => {
    await storage.state.set('first', 'v')
    await settled()
    await Promise.all(Array.from({ length: 10 }, (_, i) => storage.state.set(`k${i}`, 'w')))
  })
  expect([between - before, (await waits()) - between]).toEqual([10, 2])
})

test('what a unit has written is on a replica when it is answered', async () => {
  const replica = group.servers.find((server) => server.port !== (group.servers[0]?.port ?? 0))!
  for (let i = 0; i < 20; i++) {
    await together(() => storage.state.set('k', `${i}`))
    expect(await replica.ask('HGET', '{portico}:v:k', 'v')).toBe(`${i}`)
  }
})

test('a unit whose commit failed writes nothing more to state, and is refused', async () => {
  await sql`pragma max_page_count = 60`.execute(storage.records)
  const unit = together(async () => {
    await storage.state.set('before', 'v')
    await storage.durable.set('small', 'v')
    await storage.durable.set('large', 'x'.repeat(4_000_000)).catch(() => {})
    await expect(storage.state.set('after', 'v')).rejects.toMatchObject({ code: 'storage-unavailable' })
    return 'an answer that must not be sent'
  })
  await expect(unit).rejects.toMatchObject({ code: 'storage-unavailable' })
  expect(await other.state.get('before')).toBe('v')
  expect(await other.state.get('after')).toBeUndefined()
  expect(await other.durable.get('small')).toBeUndefined()
})

test('a unit that no replica confirms is refused, though its records are committed; and so is a write outside of one', async () => {
  const doubtful = await open(alone.url, 1)
  const unit = together(async () => {
    await doubtful.durable.set('record', 'v')
    await doubtful.state.set('mark', 'v')
    // it was executed, and is seen: only the answer waits
    expect(await doubtful.state.get('mark')).toBe('v')
    return 'an answer that must not be sent'
  })
  const refusal = { code: 'storage-unavailable', detail: 'only 0 of 1 replicas of Redis have confirmed a write' }
  await expect(unit).rejects.toMatchObject(refusal)
  expect(await doubtful.durable.get('record')).toBe('v')
  await expect(doubtful.state.take('mark')).rejects.toMatchObject(refusal)
  // refused, and spent all the same: whoever comes again is told so
  await expect(doubtful.state.take('mark')).rejects.toMatchObject(refusal)
  expect(await doubtful.state.get('mark')).toBeUndefined()
  await doubtful.close()
})

test('a unit that only reads waits for nobody', async () => {
  await storage.state.set('k', 'v')
  const before = await waits()
  expect(await together(() => storage.state.get('k'))).toBe('v')
  expect(await waits()).toBe(before)
})
