/**
 * Counting within any length of time, in a bounded list. An event goes into a bucket of ten seconds; as buckets grow old
 * they are joined into wider ones, so that a list never holds more than some 360, whatever happens.
 *
 * INVARIANT: a count is never too low. A bucket counts as a whole as long as any of it may lie in the window, so what is
 * too much happened at most one bucket before it: 10 s for windows up to 10 minutes, 2 minutes up to 2 hours, 30 minutes
 * up to a day, 6 hours up to 31 days.
 */
import { hours, type Instant, type Millis, minutes, seconds } from '#core/clock'

/** `end` in units of ten seconds since 1970: the first moment after the bucket. Sorted, the oldest first. */
export type Bucket = readonly [end: number, count: number]

const UNIT = seconds(10)
/** How wide a bucket is whose end is so long ago. */
const STEPS: readonly (readonly [age: Millis, width: Millis])[] = [
  // joined, a bucket ends later than before and so is younger again: each step reaches further than what it promises
  [minutes(15), UNIT],
  [hours(3), minutes(2)],
  [hours(36), minutes(30)],
  [Number.POSITIVE_INFINITY, hours(6)],
]
/** No bucket reaches further beyond its last event. */
export const WIDEST: Millis = hours(6)
const MOST = 1_000_000

/** With one event more, now; without what is older than `keep`. */
export function addOne(buckets: readonly Bucket[], now: Instant, keep: Millis): Bucket[] {
  const current = Math.floor(now / UNIT) + 1
  const counts = new Map<number, number>()
  for (const [end, count] of [...buckets, [current, 1] as const]) {
    const joined = widened(end, current)
    if (joined * UNIT > now - keep) counts.set(joined, Math.min(MOST, (counts.get(joined) ?? 0) + count))
  }
  return [...counts].sort(([a], [b]) => a - b)
}

/** What two lists count together. */
export function together(one: readonly Bucket[], other: readonly Bucket[]): Bucket[] {
  const counts = new Map<number, number>()
  for (const [end, count] of [...one, ...other]) counts.set(end, Math.min(MOST, (counts.get(end) ?? 0) + count))
  return [...counts].sort(([a], [b]) => a - b)
}

/** How many events there were within the last `length`. */
export const countWithin = (buckets: readonly Bucket[], now: Instant, length: Millis): number =>
  buckets.reduce((sum, [end, count]) => (end * UNIT > now - length ? sum + count : sum), 0)

/** The end of the bucket of its age: later, never earlier, and the same again for a bucket that is joined already. */
function widened(end: number, current: number): number {
  const age = (current - end) * UNIT
  const width = STEPS.find(([most]) => age <= most)![1] / UNIT
  // what a clock that ran ahead has written happened just now, or it would count for as long as that clock was wrong
  return Math.min(current, Math.ceil(end / width) * width)
}
