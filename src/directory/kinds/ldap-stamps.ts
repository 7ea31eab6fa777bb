/**
 * Times that a server puts on its entries (`modifyTimestamp`, RFC 4512 §3.4.4), as it writes them and never by our clock.
 * Only the usual form is used, to the second and in UTC: `20261130065438Z`, with or without a fraction (RFC 4517 §3.3.13).
 */
import type { Instant, Millis } from '#core/clock'

/** 14 digits, which compare as text; undefined for any other form. */
export function readStamp(text: string | undefined): string | undefined {
  return text === undefined ? undefined : /^(\d{14})(?:[.,]\d+)?Z$/.exec(text)?.[1]
}

/** When that second began. */
export const stampAt = (stamp: string): Instant =>
  Date.parse(stamp.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/, '$1-$2-$3T$4:$5:$6Z'))

export const writeStamp = (stamp: string): string => `${stamp}Z`

export function shiftStamp(stamp: string, by: Millis): string {
  const [year, month, day, hour, minute, second] = [
    stamp.slice(0, 4),
    ...[4, 6, 8, 10, 12].map((at) => stamp.slice(at, at + 2)),
  ].map(Number)
  const at = Date.UTC(year!, month! - 1, day, hour, minute, second) + by
  return new Date(at).toISOString().slice(0, 19).replace(/\D/g, '')
}
