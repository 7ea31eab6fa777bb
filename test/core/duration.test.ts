import fc from 'fast-check'
import { expect, test } from 'vitest'
import { days, hours, minutes, seconds } from '#core/clock'
import { formatDuration, parseDuration } from '#core/duration'

test('a duration is a whole number and one unit', () => {
  expect(parseDuration('0s')).toBe(0)
  expect(parseDuration('90s')).toBe(seconds(90))
  expect(parseDuration('15m')).toBe(minutes(15))
  expect(parseDuration('12h')).toBe(hours(12))
  expect(parseDuration('30d')).toBe(days(30))
})

test.each(['', ' 1h', '1h ', '1', 'h', '1.5h', '-1h', '+1h', '1H', '1h30m', '1w', '1 h', '1e3s', '1234567890s', '１h'])(
  'not a duration: "%s"',
  (text) => expect(parseDuration(text)).toBeUndefined(),
)

test('more than 100 years is no duration, so that every end is still a date', () => {
  expect(parseDuration('36525d')).toBe(days(36_525))
  expect(parseDuration('36526d')).toBeUndefined()
  expect(parseDuration('999999999d')).toBeUndefined()
  expect(() => new Date(Date.UTC(2026, 0) + parseDuration('36525d')!).toISOString()).not.toThrow()
})

test('a length of time is written in the largest unit that divides it', () => {
  expect(formatDuration(0)).toBe('0s')
  expect(formatDuration(minutes(90))).toBe('90m')
  expect(formatDuration(hours(24))).toBe('1d')
  expect(formatDuration(seconds(61))).toBe('61s')
  // never less than it is: a wait that is told must be long enough
  expect(formatDuration(1)).toBe('1s')
})

test('what is written is read back as the same length', () => {
  const length = fc.integer({ min: 0, max: 999_999_999 }).map(seconds)
  fc.assert(fc.property(length, (ms) => parseDuration(formatDuration(ms)) === ms))
})

test('reading a random text never throws and answers whole milliseconds', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const length = parseDuration(text)
      return length === undefined || (Number.isSafeInteger(length) && length >= 0)
    }),
  )
})
