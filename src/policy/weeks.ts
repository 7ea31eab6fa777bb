/** Instants that stand for all others, as far as clocks in several zones can tell them apart. */
import type { Instant } from '#core/clock'
import { type TimeZone, wallClock } from './wall-clock.ts'

const MINUTE = 60_000
const DAY = 86_400_000
/** A Monday. Summer times of later years follow the same rules, so four years show every combination of offsets. */
const FROM = Date.UTC(2026, 0, 5)
const DAYS_LOOKED_AT = 4 * 365

/**
 * For each way in which the clocks of these zones stand to one another during the year, the instants of a week at which
 * one of them shows one of these minutes of the day. In between no clock passes any of them.
 */
export function weeksOf(zones: readonly TimeZone[], minutes: readonly number[]): Instant[] {
  const days = new Map<string, Instant>()
  // one zone stands to itself always the same way: any week will do
  for (let day = 0; day < (zones.length > 1 ? DAYS_LOOKED_AT : 28); day++) {
    const at = FROM + day * DAY
    if (zones.some((zone) => zone.offset(at - DAY) !== zone.offset(at + 2 * DAY))) continue
    const kind = `${day % 7} ${zones.map((zone) => zone.offset(at) - zones[0]!.offset(at)).join(' ')}`
    if (!days.has(kind)) days.set(kind, at)
  }
  return [...days.values()].flatMap((at) => zones.flatMap((zone) => minutes.map((minute) => nextAt(zone, minute, at))))
}

/** The first instant from `at` on at which the clock shows that minute. */
const nextAt = (zone: TimeZone, minute: number, at: Instant): Instant =>
  at + ((minute - wallClock(zone, at).minute + 1440) % 1440) * MINUTE
