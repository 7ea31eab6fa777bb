/** Short-lived state on real Redis servers, alone and in a cluster: every contract that SQLite keeps. */
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll } from 'vitest'
import { type Clock, systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { type Migration, openStorage, type Storage } from '#storage'
import { keptContract, notesMigration } from '../contracts/kept.contract.ts'
import { stateContract } from '../contracts/state.contract.ts'
import { unitContract } from '../contracts/unit.contract.ts'
import { type RedisCluster, type RedisServer, startCluster, startRedis } from '../support/redis.ts'
import { temporaryFolder } from './folder.ts'

const folder = temporaryFolder()
let single: RedisServer
let cluster: RedisCluster
beforeAll(async () => {
  ;[single, cluster] = await Promise.all([startRedis(), startCluster()])
})
afterAll(async () => {
  await Promise.all([single?.end(), cluster?.end()])
})

const places = [
  ['Redis', () => ({ url: single.url }), () => single.ask('FLUSHALL')],
  [
    'a cluster of Redis',
    () => ({ url: cluster.url, replicas: 0 }),
    async () => (await cluster.holder()).ask('FLUSHALL'),
  ],
] as const
let count = 0

for (const [name, place, empty] of places) {
  const open = (url: string, clock: Clock, migrations: readonly Migration[]) =>
    openStorage({ url, state: place(), clock, log: silentLog, migrations })
  const beside = (clock: Clock = systemClock, migrations: readonly Migration[] = []) =>
    open(`sqlite:${join(folder, `beside-${count}.db`)}`, clock, migrations)
  const fill = async (storage: Storage) => void (await sql`pragma max_page_count = 60`.execute(storage.records))
  const finish = async () => {
    count++
    await empty()
  }

  stateContract(name, async (clock) => {
    const [mine, other] = [await open('sqlite::memory:', clock, []), await open('sqlite::memory:', clock, [])]
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

  keptContract(`SQLite beside ${name}`, {
    open: (clock) => beside(clock, [notesMigration]),
    fill,
    finish,
    commits: 'each',
    stateApart: true,
  })

  unitContract(`SQLite beside ${name}`, { open: () => beside(), fill, finish, commits: 'together' })
}
