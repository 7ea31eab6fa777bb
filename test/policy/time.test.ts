import { describe, expect, test } from 'vitest'
import { judge } from './house.ts'

function holds(wanted: object, at: string | undefined): unknown {
  const facts = at === undefined ? {} : { at }
  return judge([{ name: 'r', when: { time: wanted }, deny: {} }], facts).trace[0]!.conditions[0]!.result
}

const AMSTERDAM = 'Europe/Amsterdam'
const week = (between: string, days: unknown = 'mon-fri') => ({ days, between, zone: AMSTERDAM })

describe('time', () => {
  test.each([
    // Monday, winter: UTC+1
    ['2026-11-23T06:59:59Z', false],
    ['2026-11-23T07:00:00Z', true],
    ['2026-11-23T16:59:59.999Z', true],
    ['2026-11-23T17:00:00Z', false],
    // Saturday and Sunday
    ['2026-11-21T10:00:00Z', false],
    ['2026-11-22T10:00:00Z', false],
    // Friday, summer: UTC+2
    ['2026-07-17T06:00:00Z', true],
    ['2026-07-17T05:59:00Z', false],
  ])('08:00-18:00 on weekdays: %s is %s', (at, result) => {
    expect(holds(week('08:00-18:00'), at)).toBe(result)
  })

  test('is unknown when the time is', () => {
    expect(holds(week('08:00-18:00'), undefined)).toBe('unknown')
  })

  test.each([
    ['2026-11-27T20:59:00Z', false, 'Friday 21:59'],
    ['2026-11-27T21:00:00Z', true, 'Friday 22:00'],
    ['2026-11-28T04:59:00Z', true, 'Saturday 05:59, opened on Friday'],
    ['2026-11-28T05:00:00Z', false, 'Saturday 06:00'],
    ['2026-11-28T22:00:00Z', false, 'Saturday 23:00, no window opens'],
    ['2026-11-27T02:00:00Z', false, 'Friday 03:00, would belong to Thursday'],
  ])('a window over midnight belongs to the day on which it opened: %s is %s', (at, result) => {
    expect(holds(week('22:00-06:00', ['fri']), at)).toBe(result)
  })

  test('a window over midnight from Sunday reaches into Monday', () => {
    expect(holds(week('22:00-06:00', 'sun'), '2026-11-23T03:00:00Z')).toBe(true)
    expect(holds(week('22:00-06:00', 'mon'), '2026-11-23T03:00:00Z')).toBe(false)
  })

  // 29 March 2026: 02:00 becomes 03:00. 25 October 2026: 03:00 becomes 02:00.
  test.each([
    ['01:30-03:30', '2026-03-29T00:59:00Z', true, 'before the spring change, 01:59'],
    ['01:30-03:30', '2026-03-29T01:00:00Z', true, 'right after it, 03:00'],
    ['01:30-03:30', '2026-03-29T01:30:00Z', false, '03:30'],
    ['02:15-02:45', '2026-03-29T01:20:00Z', false, 'a window that the change skips never opens'],
    ['02:30-04:00', '2026-03-29T01:00:00Z', true, 'a window that begins in the gap is open after it'],
    ['02:00-03:00', '2026-10-25T00:30:00Z', true, '02:30 for the first time'],
    ['02:00-03:00', '2026-10-25T01:30:00Z', true, '02:30 for the second time'],
    ['02:00-03:00', '2026-10-25T02:00:00Z', false, '03:00'],
    ['22:00-06:00', '2026-10-25T04:59:00Z', true, 'the long night ends at 06:00 on the wall'],
    ['22:00-06:00', '2026-10-25T05:00:00Z', false, 'and not before'],
    ['22:00-06:00', '2026-03-29T03:59:00Z', true, 'so does the short one'],
    ['22:00-06:00', '2026-03-29T04:00:00Z', false, 'and not later'],
  ])('%s at %s is %s: %s', (between, at, result) => {
    expect(holds(week(between, 'mon-sun'), at)).toBe(result)
  })

  test.each([
    ['sat-mon', '2026-11-22T12:00:00Z', true],
    ['sat-mon', '2026-11-24T12:00:00Z', false],
    [['mon', 'wed-thu'], '2026-11-25T12:00:00Z', true],
    [['mon', 'wed-thu'], '2026-11-24T12:00:00Z', false],
  ])('days %j alone take the whole day: %s is %s', (days, at, result) => {
    expect(holds({ days, zone: AMSTERDAM }, at)).toBe(result)
  })

  test('the day is that of the zone, not that of UTC', () => {
    expect(holds({ days: 'mon', zone: 'Pacific/Auckland' }, '2026-11-22T12:00:00Z')).toBe(true)
    expect(holds({ days: 'mon', zone: 'America/New_York' }, '2026-11-24T03:00:00Z')).toBe(true)
  })

  test('24:00 is the end of the day', () => {
    expect(holds(week('18:00-24:00'), '2026-11-23T22:59:00Z')).toBe(true)
    expect(holds(week('18:00-24:00'), '2026-11-23T23:00:00Z')).toBe(false)
  })

  test('the trace tells the time on the wall', () => {
    const decision = judge([{ name: 'r', when: { time: week('08:00-18:00') }, deny: {} }], {
      at: '2026-11-23T07:05:00Z',
    })
    expect(decision.trace[0]!.conditions[0]!.seen).toBe('mon 08:05')
  })
})
