/** The database that comes with a package: no file to get, no account, and as old as the package. */
import { createRequire } from 'node:module'
import { type DatabaseKind, placeOf } from '../database.ts'

interface Found {
  readonly country: string
  readonly ll: readonly [latitude: number | null, longitude: number | null]
}

export const geoipLite: DatabaseKind = Object.freeze({
  name: 'geoip-lite',
  file: false,
  open() {
    // required by name, not imported above: to load it takes a tenth of a second and 116 MB for good
    const lite = createRequire(import.meta.url)('geoip-lite') as { lookup(address: string): Found | null }
    return {
      find(address: string) {
        const found = lite.lookup(address)
        return found ? placeOf(found.country, ...found.ll) : undefined
      },
    }
  },
})
