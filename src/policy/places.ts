/** Places on Earth, as far as addresses have one. */

export interface Place {
  /** ISO 3166-1 alpha-2. `null`: known to be in none. */
  readonly country?: string | null | undefined
  /** Degrees, both or none. */
  readonly latitude?: number | undefined
  readonly longitude?: number | undefined
}

const EARTH_KM = 6371
const radians = (degrees: number) => (degrees * Math.PI) / 180

/** Half way around. */
export const FURTHEST_KM: number = Math.PI * EARTH_KM

/** By how many degrees the latitude changes for whoever goes so far south. */
export const degreesSouth = (km: number): number => (km / FURTHEST_KM) * 180

/** Kilometres along the surface (haversine); undefined where one of the two has no coordinates. */
export function distance(a: Place, b: Place): number | undefined {
  if (!isLocated(a) || !isLocated(b)) return undefined
  const north = Math.sin(radians(b.latitude - a.latitude) / 2)
  const east = Math.sin(radians(b.longitude - a.longitude) / 2)
  const h = north * north + Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * east * east
  // rounding can carry the antipodes beyond 1
  return 2 * EARTH_KM * Math.asin(Math.sqrt(Math.min(1, h)))
}

export const isLocated = (place: Place): place is Place & { readonly latitude: number; readonly longitude: number } =>
  place.latitude !== undefined && place.longitude !== undefined

/** What is known of one place from two sources; the first knows better, part by part. */
export function mergePlaces(better: Place | undefined, other: Place | undefined): Place {
  const country = better?.country ?? other?.country
  const at = better && isLocated(better) ? better : other
  return {
    ...(country === undefined ? {} : { country }),
    ...(at && isLocated(at) ? { latitude: at.latitude, longitude: at.longitude } : {}),
  }
}
