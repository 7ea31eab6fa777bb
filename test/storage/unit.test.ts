import { join } from 'node:path'
import { sql } from 'kysely'
import { systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { openStorage } from '#storage'
import { unitContract } from '../contracts/unit.contract.ts'
import { temporaryFolder } from './folder.ts'

const folder = temporaryFolder()
let count = 0

unitContract('SQLite', {
  commits: 'together',
  open: () =>
    openStorage({
      url: `sqlite:${join(folder, `unit-${count}.db`)}`,
      clock: systemClock,
      log: silentLog,
      migrations: [],
    }),
  fill: async (storage) => void (await sql`pragma max_page_count = 60`.execute(storage.records)),
  finish: () => {
    count++
  },
})
