/** Where addresses are. INVARIANT: what cannot be found is not known; it never throws, and never says "nowhere". */
import type { Instant } from '#core/clock'
import type { Log } from '#core/log'
import { normaliseAddress } from '#http'
import type { Database, Place } from './database.ts'
import { DATABASES } from './databases/list.ts'

export interface Places {
  /** Undefined where it is not known: not in the database, or there is no database that can be read. */
  find(address: string): Place | undefined
  /** When the database was made; undefined where it does not say, or cannot be read. */
  madeAt(): Instant | undefined
}

/**
 * `file`: an MMDB file; without it the database that comes along. Nothing is loaded before the first question, and what
 * was loaded stays until the process ends.
 */
export function openPlaces({ file, log }: { readonly file?: string | undefined; readonly log: Log }): Places {
  const kind = DATABASES.find((one) => one.file === (file !== undefined))!
  let database: Database | 'none' | undefined
  let complained = false

  function open(): Database | 'none' {
    try {
      return kind.open(file ?? '')
    } catch (cause) {
      log.error('places-unavailable', { database: kind.name }, cause)
      return 'none'
    }
  }

  return Object.freeze({
    madeAt() {
      database ??= open()
      return database === 'none' ? undefined : database.madeAt
    },
    find(address: string) {
      const plain = normaliseAddress(address)
      if (plain === undefined) return undefined
      database ??= open()
      if (database === 'none') return undefined
      try {
        return database.find(plain)
      } catch (cause) {
        // once: it would be a line for every request
        if (!complained) log.error('places-damaged', { database: kind.name }, cause)
        complained = true
        return undefined
      }
    },
  })
}
