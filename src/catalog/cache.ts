/** Registered apps in memory, so that an ordinary request reads nothing. */
import type { Clock, Instant } from '#core/clock'
import type { App } from './app.ts'

/** How long another process's change may go unseen. */
const LOOK_AGAIN_AFTER = 500
const MOST_CACHED = 5_000

export interface Cache {
  through(id: string, load: () => Promise<App | undefined>): Promise<App | undefined>
  forget(): void
}

/**
 * Apps in memory, thrown away as a whole when the version in the store has moved.
 * ATTACK: unknown ids are not remembered, and known ones are at most `MOST_CACHED`, so nobody can fill the memory.
 */
export function createCache(clock: Clock, readVersion: () => Promise<number>): Cache {
  const apps = new Map<string, App>()
  let version: number | undefined
  let lookedAt: Instant | undefined
  let looking: Promise<void> | undefined
  // a load that began before the last `forget` must not be kept: it may have read the old row
  let generation = 0

  const forget = () => {
    apps.clear()
    generation++
    version = undefined
    lookedAt = undefined
    looking = undefined
  }
  const look = async (): Promise<void> => {
    const now = clock.now()
    const began = generation
    const seen = await readVersion()
    if (began !== generation) return
    if (seen !== version) {
      forget()
      version = seen
    }
    lookedAt = now
    looking = undefined
  }
  const fresh = () => {
    if (lookedAt === undefined) return false
    const age = clock.now() - lookedAt
    return age >= 0 && age < LOOK_AGAIN_AFTER
  }
  return {
    forget,
    async through(id, load) {
      if (!fresh()) {
        looking ??= look().catch((error) => {
          looking = undefined
          throw error
        })
        await looking
      }
      const known = apps.get(id)
      if (known) return known
      const began = generation
      const app = await load()
      if (app && began === generation) {
        if (apps.size >= MOST_CACHED) apps.delete(apps.keys().next().value!)
        apps.set(id, app)
      }
      return app
    },
  }
}
