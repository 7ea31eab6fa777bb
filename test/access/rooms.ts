/** The rooms through which people sign in and open apps, on memory storage and with a clock of the test's. */
import { accessMigrations, openAccess, openLivePolicies } from '#access'
import { auditMigrations, createAudit } from '#audit'
import { openHistory, openPlaces } from '#context'
import type { Clock } from '#core/clock'
import { silentLog } from '#core/log'
import type { Person } from '#directory'
import { openDevices, openSessions, sessionsMigrations } from '#sessions'
import { openStorage } from '#storage'
import { inFolder } from '../policy/house.ts'
import { emptyStorageUrl } from '../support/storage.ts'

/** People whose directories always answer. */
export const NO_OUTAGES = {
  standing: async (person: Person) => ({ person }),
  tiersWhileDown: () => [],
}

export async function openRooms(options: {
  readonly clock: Clock
  /** As `inFolder` takes them. */
  readonly policies: Readonly<Record<string, unknown>>
  readonly defaults: { readonly idle: number; readonly max: number }
  readonly people: readonly string[]
}) {
  const { clock, defaults } = options
  const migrations = [...auditMigrations, ...sessionsMigrations, ...accessMigrations]
  const storage = await openStorage({ url: await emptyStorageUrl(), clock, log: silentLog, migrations })
  const audit = createAudit({ storage, clock, log: silentLog })
  const sessions = openSessions({ storage, clock, log: silentLog, audit, defaults })
  const devices = openDevices({ storage, clock, audit })
  const policies = await inFolder(options.policies, (folder) => openLivePolicies({ folder, log: silentLog }))
  const person = (id: string) =>
    ({ id, username: id, directory: 'staff', groups: ['staff'], attributes: {}, disabled: false }) as unknown as Person
  const history = openHistory({ state: storage.state, clock })
  const access = openAccess({
    storage,
    keys: { derive: () => Buffer.alloc(32, 7) },
    clock,
    log: silentLog,
    people: { ...NO_OUTAGES, byId: async (id) => (options.people.includes(id) ? person(id) : undefined) },
    sessions,
    devices,
    policies,
    // no database: what a place is stands in the files of sites
    places: openPlaces({ log: silentLog }),
    history,
  })
  return {
    access,
    history,
    sessions,
    devices,
    async close() {
      policies.close()
      await storage.close()
    },
  }
}
