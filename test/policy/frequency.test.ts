/** Conditions on how often things happened, when somebody was last seen, and what others vouch for. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Facts } from '#policy'
import { moreThan } from '../../src/policy/history.ts'
import { judge, load, NINE, nine } from './house.ts'

const DAY = 86_400_000
const COUNTERS = ['sign_ins', 'failures', 'app_opens', 'prompts'] as const

function ask(condition: string, wanted: unknown, facts: Facts, others = {}) {
  const decision = judge([{ name: 'r', when: { [condition]: wanted }, deny: {} }], { at: NINE, ...facts }, others)
  return decision.trace[0]!.conditions[0]!
}

describe.each(COUNTERS)('frequency.%s', (counter) => {
  const often = (history: Facts['history']) =>
    ask(`frequency.${counter}`, { over: 10, within: '10m' }, { history }).result
  const told = (...counts: [within: string, count: number][]) => ({
    [counter]: counts.map(([within, count]) => ({ within, count })),
  })

  test.each([
    [told(['10m', 11]), true],
    [told(['10m', 10]), false],
    [told(['600s', 11]), true],
    [told(['1h', 50], ['10m', 3]), false],
    // another length answers where it can: what did not happen within an hour did not within ten minutes
    [told(['1h', 10]), false],
    [told(['1h', 11]), 'unknown'],
    [told(['5m', 11]), true],
    [told(['5m', 10]), 'unknown'],
    [told(['1h', 11], ['5m', 10]), 'unknown'],
    // known to be nothing
    [told(), false],
    [{ previous: null }, false],
    [{ previous: null, ...told(['10m', 11]) }, true],
    [{ previous: null, ...told(['1m', 3]) }, false],
    // not told
    [{}, 'unknown'],
    [undefined, 'unknown'],
    [{ previous: { at: 0 } }, 'unknown'],
  ])('over 10 within 10m of %j is %s', (history, result) => {
    expect(often(history as never)).toBe(result)
  })

  test('looks at no other counter', () => {
    const others = COUNTERS.filter((other) => other !== counter).map((other) => [other, [{ within: '10m', count: 99 }]])
    expect(often({ ...Object.fromEntries(others), ...told(['10m', 0]) })).toBe(false)
    expect(often(Object.fromEntries(others))).toBe('unknown')
  })

  test('tells the counts, and why it does not know', () => {
    const wanted = { over: 10, within: '10m' }
    expect(ask(`frequency.${counter}`, wanted, { history: told(['10m', 3]) }).seen).toEqual(['3 in 10m'])
    expect(ask(`frequency.${counter}`, wanted, {})).toMatchObject({ why: 'it is not known how often' })
    expect(ask(`frequency.${counter}`, { ...wanted, unknown: true }, {}).result).toBe(true)
  })

  test.each([
    { over: 10 },
    { within: '10m' },
    { over: 1.5, within: '10m' },
    { over: -1, within: '10m' },
    { over: '10', within: '10m' },
    { over: 10, within: '0s' },
    { over: 10, within: '32d' },
    { over: 10, within: 'ten minutes' },
    { over: 10, within: '10m', per: 'app' },
    10,
  ])('%j is refused', (wanted) => {
    const rules = [{ name: 'r', when: { [`frequency.${counter}`]: wanted }, deny: {} }]
    expect(load({ 'p.yaml': { policy: 'p', rules } }).problems).toHaveLength(1)
  })
})

test('counts over any windows never answer otherwise than the events themselves', () => {
  const minutes = fc.integer({ min: 1, max: 100 })
  fc.assert(
    fc.property(
      fc.array(minutes),
      fc.uniqueArray(minutes, { maxLength: 3 }),
      minutes,
      fc.nat(8),
      (events, windows, within, over) => {
        const really = (length: number) => events.filter((ago) => ago < length).length
        const counts = windows.map((length) => ({ within: `${length}m`, count: really(length) }))
        const said = moreThan(over, within * 60_000, counts)
        if (windows.length === 0) expect(said).toBe(false)
        else if (said !== 'unknown') expect(said).toBe(really(within) > over)
        if (windows.includes(within)) expect(said).toBe(really(within) > over)
      },
    ),
    { numRuns: 5000 },
  )
})

describe('frequency.absent', () => {
  const absent = (history: Facts['history'], over = '30d') => ask('frequency.absent', { over }, { history })

  test.each<[Facts['history'], unknown, unknown]>([
    [{ previous: { at: nine - 30 * DAY - 1 } }, true, '2592001s'],
    [{ previous: { at: nine - 30 * DAY } }, false, '30d'],
    [{ previous: [{ at: nine - DAY }, { at: nine - 90 * DAY }] }, false, '1d'],
    // whoever never was here was not seen for so long
    [{ previous: null }, true, 'never'],
    [{ previous: {} }, 'unknown', 'unknown'],
    [{}, 'unknown', 'unknown'],
    [undefined, 'unknown', 'unknown'],
    // a clock was set back
    [{ previous: { at: nine + DAY } }, 'unknown', 'unknown'],
    [{ previous: { at: nine + 60_000 } }, false, '0s'],
  ])('over 30d after %j is %s', (history, result, seen) => {
    expect(absent(history)).toMatchObject({ result, seen })
  })

  test.each([{ over: 30 }, { over: '30' }, {}, '30d'])('%j is refused', (wanted) => {
    const rules = [{ name: 'r', when: { 'frequency.absent': wanted }, deny: {} }]
    expect(load({ 'p.yaml': { policy: 'p', rules } }).problems).toHaveLength(1)
  })
})

test('of a program that asks for itself it is known that it has no past', () => {
  const program: Facts = { request: { kind: 'api' }, client: { id: 'orders' }, network: { country: 'NL' } }
  expect(ask('travel.speed', { over: 900 }, program).result).toBe(false)
  expect(ask('travel.new_country', { over: '90d' }, program).result).toBe(false)
  expect(ask('frequency.sign_ins', { over: 0, within: '5m' }, program).result).toBe(false)
  expect(ask('frequency.absent', { over: '30d' }, program).result).toBe(false)
  expect(ask('upstream.assurance', 'any', program).result).toBe(false)
  expect(ask('country', ['NL'], program).result).toBe(true)
})

describe('upstream.assurance', () => {
  const OWN = {
    's.yaml': {
      strengths: { floor: [['passkey'], ['badge', 'pin'], ['password']], both: [['password', 'totp']] },
    },
  }
  const vouched = (wanted: unknown, upstream: unknown) =>
    ask('upstream.assurance', wanted, { session: { upstream } } as Facts, OWN).result

  test.each([
    ['any', 'any', true],
    ['any', 'two-factors', true],
    ['any', 'floor', true],
    ['two-factors', 'two-factors', true],
    ['two-factors', 'any', false],
    // who maps what a provider says to these has looked that it is two factors
    ['two-factors', 'phishing-resistant', true],
    ['two-factors', 'hardware', true],
    ['two-factors', 'both', true],
    ['both', 'two-factors', false],
    ['phishing-resistant', 'hardware', true],
    ['phishing-resistant', 'two-factors', false],
    ['hardware', 'phishing-resistant', false],
    ['floor', 'hardware', true],
    ['floor', 'both', true],
    ['floor', 'any', false],
    [['two-factors', 'phishing-resistant'], 'hardware', true],
    [{ in: ['two-factors'] }, 'both', true],
  ])('at least %j where it is %s: %s', (wanted, assurance, result) => {
    expect(vouched(wanted, { assurance })).toBe(result)
  })

  test('is no where nobody vouches, and unknown where it is not told or names nothing that exists here', () => {
    expect(vouched('any', null)).toBe(false)
    expect(vouched('any', {})).toBe('unknown')
    expect(vouched('any', { assurance: 'moon' })).toBe('unknown')
    expect(ask('upstream.assurance', 'any', {}).result).toBe('unknown')
    expect(ask('upstream.assurance', { in: ['any'], unknown: false }, {}).result).toBe(false)
  })

  test('names a strength that exists', () => {
    const rules = [{ name: 'r', when: { 'upstream.assurance': 'two-factor' }, deny: {} }]
    const [problem] = load({ 'p.yaml': { policy: 'p', rules } }).problems
    expect(problem).toMatchObject({ code: 'unknown-strength', message: expect.stringContaining('`two-factors`') })
  })
})
