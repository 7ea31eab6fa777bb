/** Local time in a named zone, right on the days on which clocks change. */
import type { Instant, Millis } from '#core/clock'

const DAY = 86_400_000
/** No zone changes its clock within a quarter of an hour of UTC, only between two. */
const QUARTER = 900_000

export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const

export interface WallClock {
  /** Monday is 0. */
  readonly day: number
  /** Minutes since local midnight, with fractions. */
  readonly minute: number
}

export interface TimeZone {
  readonly name: string
  /** Local time minus UTC at that instant. */
  offset(at: Instant): Millis
}

const MOST_OPENED = 1000
const MOST_OFFSETS = 1000
/** By name, also what is none: to open one takes as long as to read a hundred lines, and thousands of them name the same few. */
const opened = new Map<string, TimeZone | undefined>()

/** The zone of an IANA name, or undefined where there is none. Offsets like `+02:00` are not zones: they know no summer. */
export function openTimeZone(name: string): TimeZone | undefined {
  const known = opened.get(name)
  if (known || opened.has(name) || !/^[A-Za-z][\w+/-]{0,63}$/.test(name)) return known
  if (opened.size >= MOST_OPENED) opened.clear()
  const zone = createTimeZone(name)
  opened.set(name, zone)
  return zone
}

function createTimeZone(name: string): TimeZone | undefined {
  let format: Intl.DateTimeFormat
  try {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  } catch {
    return undefined
  }
  const offsets = new Map<number, Millis>()
  function work(at: Instant): Millis {
    const whole = Math.floor(at / 1000) * 1000
    const part: Record<string, number> = {}
    for (const { type, value } of format.formatToParts(whole)) part[type] = Number(value)
    return (
      Date.UTC(part['year']!, part['month']! - 1, part['day']!, part['hour']!, part['minute']!, part['second']!) - whole
    )
  }
  return {
    name,
    offset(at) {
      const quarter = Math.floor(at / QUARTER)
      const known = offsets.get(quarter)
      if (known !== undefined) return known
      const offset = work(at)
      if (offsets.size >= MOST_OFFSETS) offsets.clear()
      offsets.set(quarter, offset)
      return offset
    },
  }
}

export function wallClock(zone: TimeZone, at: Instant): WallClock {
  const local = at + zone.offset(at)
  const days = Math.floor(local / DAY)
  // 1970-01-01 was a Thursday
  return { day: (((days + 3) % 7) + 7) % 7, minute: (local - days * DAY) / 60_000 }
}

/** `22:00` in a zone, every day. */
export interface DailyEnd {
  readonly zone: TimeZone
  readonly minute: number
  readonly text: string
}

/** The last such moment at or before `at`, and the next one after it. */
export function around(end: DailyEnd, at: Instant): { last: Instant; next: Instant } {
  const today = Math.floor((at + end.zone.offset(at)) / DAY)
  const moments = [-1, 0, 1].map((days) => moment(end, today + days))
  return { last: moments.findLast((m) => m <= at)!, next: moments.find((m) => m > at)! }
}

/** A time that a clock change skips comes as long after it as it would have without; of one that comes twice the first counts. */
function moment({ zone, minute }: DailyEnd, day: number): Instant {
  const local = day * DAY + minute * 60_000
  const [early, late] = [local - zone.offset(local - DAY), local - zone.offset(local + DAY)]
  return early + zone.offset(early) === local
    ? early
    : late + zone.offset(late) === local
      ? late
      : Math.max(early, late)
}

/** Minutes since midnight of `HH:MM`; `24:00` is the end of the day. */
export function parseMinute(text: string): number | undefined {
  const match = /^([01]\d|2[0-4]):([0-5]\d)$/.exec(text)
  const minute = match ? Number(match[1]) * 60 + Number(match[2]) : Number.NaN
  return minute <= 1440 ? minute : undefined
}
