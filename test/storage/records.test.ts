import { join } from 'node:path'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { openStorage } from '#storage'
import { recordsContract, thingsMigration } from '../contracts/records.contract.ts'
import { temporaryFolder } from './folder.ts'

const folder = temporaryFolder()
let count = 0

recordsContract(
  'SQLite',
  () =>
    openStorage({
      url: `sqlite:${join(folder, `records-${count}.db`)}`,
      clock: systemClock,
      log: silentLog,
      migrations: [thingsMigration],
    }),
  () => {
    count++
  },
)
