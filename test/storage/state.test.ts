import { join } from 'node:path'
import type { Clock } from '#core/clock'
import { silentLog } from '#core/log'
import { openStorage } from '#storage'
import { stateContract } from '../contracts/state.contract.ts'
import { temporaryFolder } from './folder.ts'

const folder = temporaryFolder()
let count = 0

const onFile = (which: 'state' | 'unsynced') => async (clock: Clock) => {
  const url = `sqlite:${join(folder, `state-${count++}.db`)}`
  const [mine, other] = [
    await openStorage({ url, clock, log: silentLog, migrations: [] }),
    await openStorage({ url, clock, log: silentLog, migrations: [] }),
  ]
  return {
    state: mine[which],
    other: other[which],
    close: async () => {
      await mine.close()
      await other.close()
    },
  }
}
stateContract('SQLite', onFile('state'))
stateContract('SQLite, without waiting for the disk', onFile('unsynced'))

stateContract('SQLite that dies with the process', async (clock) => {
  const storage = await openStorage({ url: 'sqlite::memory:', clock, log: silentLog, migrations: [] })
  return { state: storage.state, other: storage.state, close: storage.close }
})
