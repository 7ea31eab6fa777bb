/** When the server syncs by itself. */
import type { Directory, Settings } from '#config'
import { type Clock, hours, type Instant } from '#core/clock'
import { parseDuration } from '#core/duration'
import type { Log } from '#core/log'
import { randomNumber } from '#core/random'
import { Refusal } from '#core/refusal'
import type { Store } from './store.ts'
import type { SyncSettings, Syncs } from './sync.ts'

type Synced = Extract<Directory, { kind: 'ldap' }>

const canSync = (directory: Directory): directory is Synced => directory.kind === 'ldap'

/** By id, for those that can be synced. */
export const syncSettings = (directories: Settings['directories']): ReadonlyMap<string, SyncSettings> =>
  new Map(
    directories
      .filter(canSync)
      .map((one) => [one.id, { mostGone: one.sync_most_gone, fullEvery: parseDuration(one.sync_full) ?? hours(24) }]),
  )

interface Parts {
  readonly store: Store
  readonly directories: Settings['directories']
  readonly sync: Syncs['sync']
  readonly clock: Clock
  readonly log: Log
}

/** What others did, or what will be tried again, is nothing to wake anybody for. */
const USUAL = new Set(['sync-running', 'sync-stopped', 'directory-unavailable'])

export function createSchedule({ store, directories, sync, clock, log }: Parts) {
  const notBefore = new Map<string, Instant>()

  /** By when the last run ended, whichever process ran it; up to a tenth later, so that processes take turns. */
  async function isDue(id: string, every: number): Promise<boolean> {
    const now = clock.now()
    if (now < (notBefore.get(id) ?? 0)) return false
    const row = await store.db
      .selectFrom('directory_syncs')
      .select(['ended_at', 'open'])
      .where('directory', '=', id)
      .executeTakeFirst()
    const last = row?.ended_at
    // one that was broken off goes on at once
    const next = last == null || row?.open === 1 ? now : Number(last) + every
    if (next <= now) return true
    notBefore.set(id, next + (every / 10) * ((randomNumber() % 1000) / 1000))
    return false
  }

  return async (signal: AbortSignal): Promise<void> => {
    for (const directory of directories.filter(canSync)) {
      const every = directory.sync === undefined ? undefined : parseDuration(directory.sync)
      const { id } = directory
      if (every === undefined || signal.aborted) continue
      try {
        if (!(await isDue(id, every))) continue
        // whether it ends well or not: a directory that is down is not asked again and again
        notBefore.set(id, clock.now() + every)
        await sync(id, { signal }, 'system')
      } catch (error) {
        const usual = error instanceof Refusal && USUAL.has(error.code)
        const fields = { directory: id, code: error instanceof Refusal ? error.code : 'internal' }
        if (usual) log.warn('directory-sync-put-off', fields)
        else log.error('directory-sync-failed', fields, error)
      }
    }
  }
}
