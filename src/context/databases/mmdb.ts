/** A file in the MaxMind DB format, laid out like GeoIP2 City, GeoLite2 City or DB-IP City. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Instant } from '#core/clock'
import { type DatabaseKind, placeOf } from '../database.ts'

/** As far as we look; a file may hold anything. */
interface Found {
  readonly country?: { readonly iso_code?: unknown }
  readonly location?: { readonly latitude?: unknown; readonly longitude?: unknown }
}

export const mmdb: DatabaseKind = Object.freeze({
  name: 'mmdb',
  file: true,
  open(file: string) {
    // required by name, not imported above: most houses have no such file
    const { Reader } = createRequire(import.meta.url)('mmdb-lib') as typeof import('mmdb-lib')
    const reader = new Reader(readFileSync(file))
    return {
      madeAt: epochOf(reader.metadata.buildEpoch),
      find(address: string) {
        const found = reader.get(address) as Found | null
        return found ? placeOf(found.country?.iso_code, found.location?.latitude, found.location?.longitude) : undefined
      },
    }
  },
})

/** A file may hold anything. */
function epochOf(time: Date): Instant | undefined {
  const at = time.getTime()
  return Number.isSafeInteger(at) && at > 0 ? at : undefined
}
