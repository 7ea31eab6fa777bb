import { join } from 'node:path'
import { silentLog } from '#core/log'
import { openStorage } from '#storage'
import { stateContract } from '../contracts/state.contract.ts'
import { temporaryFolder } from './folder.ts'

const folder = temporaryFolder()
let count = 0

stateContract('SQLite', async (clock) => {
  const url = `sqlite:${join(folder, `state-${count++}.db`)}`
  const [mine, other] = [
    await openStorage({ url, clock, log: silentLog, migrations: [] }),
    await openStorage({ url, clock, log: silentLog, migrations: [] }),
  ]
  return {
    state: mine.state,
    other: other.state,
    close: async () => {
      await mine.close()
      await other.close()
    },
  }
})

stateContract('SQLite that dies with the process', async (clock) => {
  const storage = await openStorage({ url: 'sqlite::memory:', clock, log: silentLog, migrations: [] })
  return { state: storage.state, other: storage.state, close: storage.close }
})
