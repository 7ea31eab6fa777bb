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
  // one zone stands to itself always the same way: any week will do
  const length = zones.length > 1 ? DAYS_LOOKED_AT : 28
  const dates = Array.from({ length: length + 3 }, (_, day) => FROM + (day - 1) * DAY)
  const offsets = dates.map((at) => zones.map((zone) => zone.offset(at)))
  const days = new Map<string, Instant>()
  for (let day = 1; day <= length; day++) {
    // the day before, and two days on: no clock changes on this one
    if (String(offsets[day - 1]) !== String(offsets[day + 2])) continue
    const kind = `${day % 7} ${offsets[day]!.map((offset) => offset - offsets[day]![0]!)}`
    if (!days.has(kind)) days.set(kind, dates[day]!)
  }
  return [...days.values()].flatMap((at) => zones.flatMap((zone) => minutes.map((minute) => nextAt(zone, minute, at))))
}

/** The first instant from `at` on at which the clock shows that minute. */
const nextAt = (zone: TimeZone, minute: number, at: Instant): Instant =>
  at + ((minute - wallClock(zone, at).minute + 1440) % 1440) * MINUTE
