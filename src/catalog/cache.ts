/** Registered apps in memory, so that an ordinary request reads nothing. */
import type { Kept } from '#storage'
import type { App } from './app.ts'

const MOST_CACHED = 5_000

export interface Cache {
  through(id: string, load: () => Promise<App | undefined>): Promise<App | undefined>
  forget(): void
}

/**
 * Apps in memory, thrown away as a whole when the version in the store has moved.
 * ATTACK: unknown ids are not remembered, and known ones are at most `MOST_CACHED`, so nobody can fill the memory.
 */
export function createCache(versions: Kept<number>): Cache {
  const apps = new Map<string, App>()
  let version: number | undefined
  // a load that began before the last `forget` must not be kept: it may have read the old row
  let generation = 0

  const forget = () => {
    apps.clear()
    generation++
    version = undefined
  }
  return {
    forget,
    async through(id, load) {
      const seen = versions.known('') ?? (await versions.of(''))
      if (seen !== version) {
        forget()
        version = seen
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
