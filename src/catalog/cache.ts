/** Registered apps in memory, so that an ordinary request reads nothing. */
import { createRecent } from '#core/recent'
import type { Kept, Soon } from '#storage'
import type { App } from './app.ts'

/** At least so many, and at most twice as many: 10,000 partners that all come again and again are read once. One takes some 8 KB. */
const CACHED = 12_000

export interface Cache {
  through(id: string, load: () => Promise<App | undefined>): Soon<App | undefined>
  forget(): void
}

/**
 * Apps in memory, thrown away as a whole when the version in the store has moved.
 * ATTACK: unknown ids are not remembered, and of known ones not more than `CACHED` says, so nobody can fill the memory.
 */
export function createCache(versions: Kept<number>): Cache {
  let apps = createRecent<string, App>(CACHED)
  let version: number | undefined
  // a load that began before the last `forget` must not be kept: it may have read the old row
  let generation = 0

  const forget = () => {
    apps = createRecent(CACHED)
    generation++
    version = undefined
  }
  async function keep(id: string, load: () => Promise<App | undefined>): Promise<App | undefined> {
    const began = generation
    const app = await load()
    if (app && began === generation) apps.set(id, app)
    return app
  }
  const asOf = (seen: number | undefined, id: string, load: () => Promise<App | undefined>) => {
    if (seen !== version) {
      forget()
      version = seen
    }
    return apps.get(id) ?? keep(id, load)
  }
  return {
    forget,
    through(id, load) {
      const seen = versions.known('')
      return seen === undefined ? versions.of('').then((now) => asOf(now, id, load)) : asOf(seen, id, load)
    },
  }
}
