/** When a value is gone, as every driver counts it. */
import type { Instant, Millis } from '#core/clock'

/** The first moment without it; null where it stays. Throws `RangeError` for a life that is no number. */
export function endOf(now: Instant, ttl: Millis | undefined): Instant | null {
  if (ttl === undefined) return null
  if (!Number.isFinite(ttl)) throw new RangeError('ttl must be a finite number of milliseconds')
  return Math.ceil(now + ttl)
}
