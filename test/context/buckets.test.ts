import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { days, hours, minutes, seconds } from '#core/clock'
import { addOne, type Bucket, countWithin } from '../../src/context/buckets.ts'

const START = Date.UTC(2026, 10, 23, 9)
const KEEP = days(31)

const counted = (events: readonly number[]) => events.reduce<Bucket[]>((buckets, at) => addOne(buckets, at, KEEP), [])
const really = (events: readonly number[], now: number, length: number) =>
  events.filter((at) => at > now - length).length

/** Any moments in some order of time, near each other and far apart. */
const events = fc
  .array(fc.oneof(fc.integer({ min: 0, max: seconds(60) }), fc.integer({ min: 0, max: hours(30) })), { maxLength: 60 })
  .map((gaps) => {
    let at = START
    return gaps.map((gap) => (at += gap))
  })
const length = fc.oneof(
  fc.integer({ min: 1, max: minutes(10) }),
  fc.integer({ min: 1, max: hours(2) }),
  fc.integer({ min: 1, max: days(31) }),
)

/** So much before the window may be counted with it. */
const slack = (window: number) =>
  window <= minutes(10) ? seconds(10) : window <= hours(2) ? minutes(2) : window <= days(1) ? minutes(30) : hours(6)

describe('counting in buckets', () => {
  test('never counts too few, and too many only from one bucket before the window', () => {
    fc.assert(
      fc.property(events, length, fc.integer({ min: 0, max: hours(40) }), (list, window, later) => {
        const now = (list.at(-1) ?? START) + later
        const count = countWithin(counted(list), now, window)
        expect(count).toBeGreaterThanOrEqual(really(list, now, window))
        expect(count).toBeLessThanOrEqual(really(list, now, window + slack(window)))
      }),
      { numRuns: 10_000 },
    )
  })

  test.each([
    [minutes(5), seconds(10)],
    [minutes(10), seconds(10)],
    [hours(1), minutes(2)],
    [days(1), minutes(30)],
    [days(30), hours(6)],
  ])('an event leaves a window of %i ms when it should, or at most %i ms later', (window, late) => {
    // others come behind it, so that its bucket is joined with older ones as time goes by
    let buckets = addOne([], START, KEEP)
    for (let at = START + window / 50; at < START + window; at += window / 50) buckets = addOne(buckets, at, KEEP)
    const others = countWithin(buckets, START + window - 1, window) - 1
    expect(countWithin(buckets, START + window - 1, window)).toBe(others + 1)
    expect(countWithin(buckets, START + window + late, window)).toBeLessThanOrEqual(others)
  })

  test('a flood of events makes no longer list than a trickle', () => {
    let buckets: Bucket[] = []
    let longest = 0
    for (let at = START; at < START + days(40); at += seconds(37)) {
      buckets = addOne(buckets, at, KEEP)
      longest = Math.max(longest, buckets.length)
    }
    expect(longest).toBeLessThanOrEqual(360)
    expect(JSON.stringify(buckets).length).toBeLessThan(8000)
    // and nothing is kept beyond what is asked for
    expect(buckets[0]![0] * seconds(10)).toBeGreaterThan(START + days(40) - KEEP - hours(6))
  })

  test('only what a window of that length needs is kept', () => {
    const buckets = [0, 1, 4, 5, 6].reduce<Bucket[]>(
      (list, minute) => addOne(list, START + minutes(minute), minutes(5)),
      [],
    )
    expect(countWithin(buckets, START + minutes(6), days(31))).toBe(4)
    expect(buckets.length).toBe(4)
  })

  test('what a clock that ran ahead has written counts, and grows old like anything else once the clock is right', () => {
    const ahead = addOne([], START + days(300), KEEP)
    expect(countWithin(ahead, START, minutes(5))).toBe(1)
    const written = addOne(ahead, START, KEEP)
    expect(countWithin(written, START, minutes(5))).toBe(2)
    expect(countWithin(written, START + minutes(6), minutes(5))).toBe(0)
  })

  test('a clock that is set back loses no event', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: hours(3) }), { minLength: 1, maxLength: 30 }), (moments) => {
        const buckets = counted(moments.map((at) => START + at))
        const now = START + moments.at(-1)!
        expect(countWithin(buckets, now, days(31))).toBe(moments.length)
      }),
      { numRuns: 500 },
    )
  })
})
