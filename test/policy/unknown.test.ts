import { describe, expect, test } from 'vitest'
import type { Facts } from '#policy'
import { given, judge } from './house.ts'

const T = { 'device.known': true }
const F = { 'device.known': false }
const U = { network: ['stores'] }
const facts: Facts = { ...given(['password', 1], ['totp', 1]), device: { known: true } }

const matched = (when: object) => judge([{ name: 'r', when, deny: {} }], facts).trace[0]!.matched

describe('three-valued logic', () => {
  const values = [
    [T, true],
    [F, false],
    [U, 'unknown'],
  ] as const
  const least = (a: unknown, b: unknown) =>
    a === false || b === false ? false : a === true && b === true ? true : 'unknown'
  const most = (a: unknown, b: unknown) =>
    a === true || b === true ? true : a === false && b === false ? false : 'unknown'
  const pairs = values.flatMap(([a, x]) => values.map(([b, y]) => [x, y, a, b] as const))

  test.each(pairs)('all of %s and %s', (x, y, a, b) => {
    expect(matched({ all: [a, b] })).toBe(least(x, y))
    expect(matched({ all: [b, a] })).toBe(least(x, y))
  })

  test.each(pairs)('any of %s and %s', (x, y, a, b) => {
    expect(matched({ any: [a, b] })).toBe(most(x, y))
    expect(matched({ any: [b, a] })).toBe(most(x, y))
  })

  test.each(pairs)('not any of %s and %s is all of the opposites', (x, y, a, b) => {
    expect(matched({ not: { any: [a, b] } })).toBe(matched({ all: [{ not: a }, { not: b }] }))
    expect(matched({ not: { all: [a, b] } })).toBe(matched({ any: [{ not: a }, { not: b }] }))
    expect(x === y ? matched({ not: { not: a } }) : x).toBe(x)
  })

  test('not of unknown is unknown', () => {
    expect(matched({ not: U })).toBe('unknown')
  })

  test('conditions side by side must all hold, and nest', () => {
    expect(matched({ ...T, ...U })).toBe('unknown')
    expect(matched({ ...F, ...U })).toBe(false)
    expect(matched({ any: [{ all: [U, { not: F }] }, { not: { any: [U, F] } }], ...T })).toBe('unknown')
    expect(matched({ any: [{ not: { all: [T, F] } }, U] })).toBe(true)
  })
})

describe('a rule whose match is unknown', () => {
  const allow = (terms: object) => ({ allow: terms })
  const rules = (unknown: object, then: object) => [
    { name: 'perhaps', when: U, ...unknown },
    { name: 'surely', ...then },
  ]

  test('denies when it would deny', () => {
    const decision = judge(rules({ deny: { say: 'No.' } }, allow({})), facts)
    expect(decision).toMatchObject({ outcome: 'deny', rule: 'perhaps', deny: { say: 'No.' } })
  })

  test('denies when what follows would deny', () => {
    expect(judge(rules(allow({}), { deny: {} }), facts)).toMatchObject({ outcome: 'deny', rule: 'surely' })
  })

  test('denies when nothing follows', () => {
    expect(judge([{ name: 'perhaps', when: U, allow: {} }], facts)).toMatchObject({ outcome: 'deny', rule: null })
  })

  test('adds its strength to that of what follows, whichever is stronger', () => {
    const both = [{ strength: 'two-factors' }, { strength: 'any' }] as const
    for (const [one, other] of [both, [both[1], both[0]]]) {
      const decision = judge(rules(allow(one!), allow(other!)), facts)
      expect(decision.required).toEqual({ strength: 'two-factors' })
      expect(decision.outcome).toBe('allow')
    }
  })

  test('asks for both strengths where neither holds the other', () => {
    const decision = judge(rules(allow({ strength: 'phishing-resistant' }), allow({ strength: 'two-factors' })), facts)
    expect(decision).toMatchObject({ outcome: 'challenge', missing: [['passkey']] })
    expect([decision.required!.strength, ...decision.required!.also!].sort()).toEqual([
      'phishing-resistant',
      'two-factors',
    ])
  })

  test('takes the shorter of each time, part by part', () => {
    const one = { strength: 'two-factors', within: '1h', session: { idle: '30m', max: '10h' } }
    const other = { within: '12h', session: { idle: '15m' } }
    for (const [a, b] of [[one, other] as const, [other, one] as const]) {
      const decision = judge(rules(allow(a), allow(b)), facts)
      expect(decision.required).toEqual({ strength: 'two-factors', within: '1h' })
      expect(decision.session).toEqual({ idle: '15m', max: '10h' })
    }
  })

  test('remembers a device only where both would, and for the shorter time', () => {
    const here: Facts = { ...facts, device: { known: true, kind: 'personal' } }
    const remember = (length: string) => allow({ strength: 'two-factors', remember_device: length })
    expect(judge(rules(remember('30d'), remember('7d')), here).remember_device).toBe('7d')
    expect(judge(rules(remember('30d'), allow({})), here).remember_device).toBeUndefined()
    expect(judge(rules(allow({}), remember('30d')), here).remember_device).toBeUndefined()
  })

  test('is named when it alone asks what holds in the end, else the rule that follows is', () => {
    expect(judge(rules(allow({ strength: 'two-factors' }), allow({})), facts).rule).toBe('perhaps')
    expect(judge(rules(allow({}), allow({ strength: 'two-factors' })), facts).rule).toBe('surely')
  })

  test('several of them all count', () => {
    const decision = judge(
      [
        { name: 'a', when: U, allow: { within: '2h' } },
        { name: 'b', when: { not: U }, allow: { strength: 'hardware' } },
        { name: 'c', when: T, allow: { strength: 'two-factors', within: '4h' } },
        { name: 'd', deny: {} },
      ],
      facts,
    )
    expect(decision.required).toEqual({ strength: 'hardware', also: ['two-factors'], within: '2h' })
    expect(decision.trace.map((entry) => [entry.rule, entry.matched])).toEqual([
      ['a', 'unknown'],
      ['b', 'unknown'],
      ['c', true],
    ])
  })

  test('says unknown and why in the trace', () => {
    const decision = judge(rules({ deny: {} }, allow({})), facts)
    expect(decision.trace[0]).toMatchObject({
      matched: 'unknown',
      conditions: [{ result: 'unknown', why: 'the address is not known' }],
    })
  })
})
