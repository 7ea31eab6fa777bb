/** PostgreSQL keeps every contract of the storage. */
import { type Clock, systemClock } from '#core/clock'
import { silentLog } from '#core/log'
import { type Migration, openStorage } from '#storage'
import { keptContract, notesMigration } from '../contracts/kept.contract.ts'
import { recordsContract, thingsMigration } from '../contracts/records.contract.ts'
import { stateContract } from '../contracts/state.contract.ts'
import { unitContract } from '../contracts/unit.contract.ts'
import { databases, fill } from './postgres.ts'

const here = databases()
const { next: finish } = here
const open = (migrations: readonly Migration[], clock: Clock = systemClock) =>
  openStorage({ url: here.url(), clock, log: silentLog, migrations })

recordsContract('PostgreSQL', () => open([thingsMigration]), finish)
unitContract('PostgreSQL', { commits: 'each', open: () => open([]), fill: () => fill(here), finish })
keptContract('PostgreSQL', {
  commits: 'each',
  open: (clock) => open([notesMigration], clock),
  fill: () => fill(here),
  finish,
})
stateContract('PostgreSQL', async (clock) => {
  const [mine, other] = [await open([], clock), await open([], clock)]
  return {
    state: mine.state,
    other: other.state,
    close: async () => {
      await mine.close()
      await other.close()
      await finish()
    },
  }
})
