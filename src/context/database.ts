/** What tells where addresses are. */

import type { Instant } from '#core/clock'

export interface Place {
  /** ISO 3166-1 alpha-2. */
  readonly country?: string
  /** Degrees, both or none. */
  readonly latitude?: number
  readonly longitude?: number
}

export interface Database {
  /** Of an address in its shortest form; undefined where it is not in there. May throw for what is damaged. */
  find(address: string): Place | undefined
  /** When it was made, where it says so. */
  readonly madeAt?: Instant | undefined
}

export interface DatabaseKind {
  readonly name: string
  /** Reads a file that the operator names; the one that does not comes with its package. */
  readonly file: boolean
  /** Reads everything into memory. Throws where that cannot be done. */
  open(file: string): Database
}

/** What a database says, as far as it makes sense: whatever else it holds is not known rather than somewhere. */
export function placeOf(country: unknown, latitude: unknown, longitude: unknown): Place | undefined {
  const named = typeof country === 'string' && /^[A-Z]{2}$/.test(country)
  // 0° 0° is where databases put what they cannot place; there is only sea
  const located = within(latitude, 90) && within(longitude, 180) && !(latitude === 0 && longitude === 0)
  if (!named && !located) return undefined
  return { ...(named ? { country } : {}), ...(located ? { latitude, longitude } : {}) }
}

const within = (value: unknown, most: number): value is number => typeof value === 'number' && Math.abs(value) <= most
