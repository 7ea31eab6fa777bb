/** Short-lived state on real Redis servers: the contract, alone and in a cluster. */
import { afterAll, beforeAll } from 'vitest'
import { silentLog } from '#core/log'
import { openStorage } from '#storage'
import { stateContract } from '../contracts/state.contract.ts'
import { type RedisCluster, type RedisServer, startCluster, startRedis } from '../support/redis.ts'

let single: RedisServer
let cluster: RedisCluster
beforeAll(async () => {
  ;[single, cluster] = await Promise.all([startRedis(), startCluster()])
}, 60_000)
afterAll(async () => {
  await Promise.all([single?.end(), cluster?.end()])
})

const places = [
  ['Redis', () => ({ url: single.url }), async () => void (await single.ask('FLUSHALL'))],
  [
    'a cluster of Redis',
    () => ({ url: cluster.url, replicas: 0 }),
    async () => void (await (await cluster.holder()).ask('FLUSHALL')),
  ],
] as const

for (const [name, place, empty] of places)
  stateContract(name, async (clock) => {
    const open = () => openStorage({ url: 'sqlite::memory:', state: place(), clock, log: silentLog, migrations: [] })
    const [mine, other] = [await open(), await open()]
    return {
      state: mine.state,
      other: other.state,
      close: async () => {
        await mine.close()
        await other.close()
        await empty()
      },
    }
  })
