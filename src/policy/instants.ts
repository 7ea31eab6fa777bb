/** Points in time as facts tell them. */
import { z } from 'zod'
import type { Instant } from '#core/clock'

/** ISO 8601 with offset, or milliseconds since 1970. */
export type Time = string | number

export const time = z.union([
  z.iso.datetime({ offset: true, error: 'expected an instant like `2026-11-22T09:00:00Z`' }),
  z.number().min(-8.64e15).max(8.64e15),
])

/** Milliseconds since 1970, or undefined where the text or number is no instant. */
export function instant(time: Time | undefined): Instant | undefined {
  const at = typeof time === 'string' ? Date.parse(time) : time
  return typeof at === 'number' && Math.abs(at) <= 8.64e15 ? at : undefined
}
