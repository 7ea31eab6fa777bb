/** Conditions on journeys: this place against those of the sign-ins before. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Facts } from '#policy'
import { distance } from '../../src/policy/places.ts'
import { judge, load, NINE, nine } from './house.ts'

type Previous = NonNullable<Facts['history']>['previous']

const HOUR = 3_600_000
const DAY = 24 * HOUR
const AMSTERDAM = { country: 'NL', latitude: 52.37, longitude: 4.9 }
const UTRECHT = { country: 'NL', latitude: 52.09, longitude: 5.12 }
const LONDON = { country: 'GB', latitude: 51.51, longitude: -0.13 }
const NEW_YORK = { country: 'US', latitude: 40.71, longitude: -74.01 }
const AUCKLAND = { country: 'NZ', latitude: -36.85, longitude: 174.76 }

const at = (place: object, hoursAgo: number) => ({ at: nine - hoursAgo * HOUR, ...place })

function ask(
  condition: string,
  wanted: unknown,
  network: object | undefined,
  history: Facts['history'],
  now: Facts['at'] = NINE,
) {
  const facts = { at: now, ...(network ? { network } : {}), ...(history ? { history } : {}) } as Facts
  return judge([{ name: 'r', when: { [condition]: wanted }, deny: {} }], facts).trace[0]!.conditions[0]!
}
const speed = (over: number, here: object | undefined, previous: Previous, now?: Facts['at']) =>
  ask('travel.speed', { over }, here, previous === undefined ? {} : { previous }, now)

describe('distance', () => {
  test.each([
    [AMSTERDAM, AMSTERDAM, 0],
    [AMSTERDAM, UTRECHT, 35],
    [LONDON, NEW_YORK, 5570],
    [NEW_YORK, LONDON, 5570],
    [AMSTERDAM, AUCKLAND, 18_100],
    [{ latitude: 0, longitude: 179.5 }, { latitude: 0, longitude: -179.5 }, 111],
    [{ latitude: 90, longitude: 0 }, { latitude: 90, longitude: 120 }, 0],
    [{ latitude: 90, longitude: 0 }, { latitude: -90, longitude: 0 }, 20_015],
  ])('from %j to %j is %i km, to one in a hundred', (from, to, km) => {
    expect(Math.abs(distance(from, to)! - km)).toBeLessThanOrEqual(Math.max(1, km / 100))
  })

  test('is the same both ways, never more than half around the Earth, and known where both places are', () => {
    const place = fc.record({
      latitude: fc.double({ min: -90, max: 90, noNaN: true }),
      longitude: fc.double({ min: -180, max: 180, noNaN: true }),
    })
    fc.assert(
      fc.property(place, place, (a, b) => {
        expect(distance(a, b)).toBeCloseTo(distance(b, a)!, 6)
        expect(distance(a, b)).toBeGreaterThanOrEqual(0)
        expect(distance(a, b)).toBeLessThanOrEqual(20_016)
      }),
      { numRuns: 2000 },
    )
    expect(distance({ latitude: 1 }, AMSTERDAM)).toBeUndefined()
    expect(distance(AMSTERDAM, { country: 'NL' })).toBeUndefined()
  })
})

describe('travel.speed', () => {
  test.each<[object, Previous, unknown]>([
    [NEW_YORK, at(LONDON, 1), true],
    [NEW_YORK, at(LONDON, 6), true],
    [NEW_YORK, at(LONDON, 6.5), false],
    [UTRECHT, at(AMSTERDAM, 1), false],
    [AMSTERDAM, at(AMSTERDAM, 0), false],
    // nobody is in two places in the same second
    [UTRECHT, at(AMSTERDAM, 0), true],
    // a first sign-in is no journey
    [NEW_YORK, null, false],
    // what is not known is not "no"
    [NEW_YORK, undefined, 'unknown'],
    [{}, at(LONDON, 1), 'unknown'],
    [{ country: 'US' }, at(LONDON, 1), 'unknown'],
    [NEW_YORK, at({ country: 'GB' }, 1), 'unknown'],
    [NEW_YORK, at({}, 1), 'unknown'],
    [NEW_YORK, LONDON, 'unknown'],
    // of several the fastest counts, and one that is not known may be it
    [NEW_YORK, [at(NEW_YORK, 0.1), at(LONDON, 1)], true],
    [NEW_YORK, [at(NEW_YORK, 0.1), at(LONDON, 48)], false],
    [NEW_YORK, [at(NEW_YORK, 0.1), at({}, 48)], 'unknown'],
    [NEW_YORK, [at({}, 0.1), at(LONDON, 1)], true],
  ])('over 900 km/h to %j from %j is %s', (here, previous, result) => {
    expect(speed(900, here, previous).result).toBe(result)
  })

  test('is unknown where a clock was set back behind the sign-in before, but whoever stayed has not travelled', () => {
    expect(speed(900, NEW_YORK, at(LONDON, -1)).result).toBe('unknown')
    expect(speed(900, LONDON, at(LONDON, -1)).result).toBe(false)
    expect(ask('travel.speed', { over: 900 }, NEW_YORK, { previous: at(LONDON, 1) }, 'never' as never).result).toBe(
      'unknown',
    )
    // the clocks of two processes may differ by minutes
    expect(speed(900, LONDON, at(LONDON, -4 / 60)).result).toBe(false)
    expect(speed(900, NEW_YORK, at(LONDON, -4 / 60)).result).toBe(true)
  })

  test('tells how fast, and takes what is unknown as the file says', () => {
    expect(speed(900, NEW_YORK, at(LONDON, 1))).toMatchObject({ seen: [expect.stringMatching(/^5\d{3} km\/h$/)] })
    const told = ask('travel.speed', { over: 900, unknown: false }, {}, { previous: at(LONDON, 1) })
    expect(told).toMatchObject({
      result: false,
      seen: ['unknown'],
      why: expect.stringContaining('takes that as false'),
    })
  })
})

describe('travel.distance', () => {
  test.each<[number, object, Previous, unknown]>([
    [500, NEW_YORK, at(LONDON, 1000), true],
    [6000, NEW_YORK, at(LONDON, 1), false],
    [0, AMSTERDAM, at(AMSTERDAM, 1), false],
    [500, NEW_YORK, LONDON, true],
    [500, NEW_YORK, null, false],
    [500, {}, at(LONDON, 1), 'unknown'],
    [500, NEW_YORK, [at(NEW_YORK, 0), at(LONDON, 1000)], true],
  ])('over %i km to %j from %j is %s', (over, here, previous, result) => {
    expect(ask('travel.distance', { over }, here, { previous }).result).toBe(result)
  })
})

describe('travel.new_country', () => {
  const seen = (...list: [country: string, daysAgo: number][]) =>
    list.map(([country, daysAgo]) => ({ country, at: nine - daysAgo * DAY }))
  const previous = at(AMSTERDAM, 2)

  test.each<[object, Facts['history'], unknown]>([
    [LONDON, { previous, countries: seen(['NL', 2]) }, true],
    [LONDON, { previous, countries: seen(['NL', 2], ['GB', 89]) }, false],
    [LONDON, { previous, countries: seen(['NL', 2], ['GB', 90]) }, false],
    [LONDON, { previous, countries: seen(['NL', 2], ['GB', 91]) }, true],
    [LONDON, { previous, countries: [] }, true],
    [LONDON, { previous, countries: [{ country: 'GB' }] }, 'unknown'],
    // a first sign-in is no journey
    [LONDON, { previous: null }, false],
    [{}, { previous: null }, false],
    // without the list, the sign-ins before know their own countries only
    [AMSTERDAM, { previous }, false],
    [LONDON, { previous }, 'unknown'],
    [AMSTERDAM, { previous: at(AMSTERDAM, 100 * 24) }, 'unknown'],
    // and of several only the earliest, which was looked at
    [AMSTERDAM, { previous: [at(LONDON, 1), previous] }, false],
    [LONDON, { previous: [at(LONDON, 1), previous] }, 'unknown'],
    [LONDON, {}, 'unknown'],
    [LONDON, { countries: seen(['GB', 1]) }, false],
    [{}, { previous, countries: seen(['NL', 2]) }, 'unknown'],
    [{ country: null }, { previous, countries: seen(['NL', 2]) }, false],
  ])('not within 90 days: %j after %j is %s', (here, history, result) => {
    for (const over of ['90d', 90]) expect(ask('travel.new_country', { over }, here, history).result).toBe(result)
  })
})

test.each([
  ['travel.speed', {}],
  ['travel.speed', { over: '900' }],
  ['travel.speed', { over: -1 }],
  ['travel.speed', { over: 900, within: '1h' }],
  ['travel.distance', 500],
  ['travel.new_country', { over: 0 }],
  ['travel.new_country', { over: '90' }],
  ['travel.new_country', { over: 1.5 }],
  ['travel.new_country', true],
])('%s: %j is refused', (condition, wanted) => {
  const rules = [{ name: 'r', when: { [condition]: wanted }, deny: {} }]
  expect(load({ 'p.yaml': { policy: 'p', rules } }).problems.length).toBe(1)
})
