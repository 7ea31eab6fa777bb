import { expect, test } from 'vitest'
import { type Clock, days, hours, minutes, seconds, stopwatch, systemClock } from '#core/clock'

test('lengths of time are milliseconds', () => {
  expect([seconds(1), minutes(1), hours(1), days(1)]).toEqual([1000, 60_000, 3_600_000, 86_400_000])
})

test('the clock of the system tells the time of the machine, and cannot be changed by who holds it', () => {
  const before = Date.now()
  const told = systemClock.now()
  expect(told).toBeGreaterThanOrEqual(before)
  expect(told).toBeLessThanOrEqual(Date.now())
  expect(() => {
    ;(systemClock as { now: Clock['now'] }).now = () => 0
  }).toThrow(TypeError)
})

test('the stopwatch never runs backwards', () => {
  let last = stopwatch()
  for (let i = 0; i < 1000; i++) {
    const now = stopwatch()
    expect(now).toBeGreaterThanOrEqual(last)
    last = now
  }
})
