/** Two answers at once: what docs/policy.md publishes as a table is what the code does, and the laws it obeys. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { Decision, Facts } from '#policy'
import { stricter, type Terms, type Verdict } from '../../src/policy/terms.ts'
import { given, judge, policiesOf } from './house.ts'

const DURATIONS = ['0s', '10m', '1h', '12h']
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 4 })

describe('the stricter of two', () => {
  const short = fc.constantFrom(...DURATIONS).map((text) => ({ ms: DURATIONS.indexOf(text), text }))
  const terms: fc.Arbitrary<Terms> = fc
    .record({
      strengths: fc.integer({ min: 1, max: 31 }),
      within: maybe(short),
      fresh: fc.constantFrom(true as const, undefined),
      remember: maybe(short),
      idle: maybe(short),
      max: maybe(short),
      token: maybe(short),
      scopes: maybe(fc.subarray(['a', 'b', 'c'])),
      ends: fc.subarray(['04:00 UTC', '22:00 UTC', '22:00 Europe/Amsterdam'] as const),
    })
    .map(({ strengths, ends, ...parts }) => ({
      strengths,
      ends: ends.map((text) => ({ text }) as Terms['ends'][number]),
      ...Object.fromEntries(Object.entries(parts).filter(([, part]) => part)),
    }))
  const verdict: fc.Arbitrary<Verdict> = fc.oneof(
    { weight: 6, arbitrary: terms },
    { weight: 1, arbitrary: fc.constant('deny' as const) },
  )
  /** The order of two ends is none. */
  const inOrder = (one: Verdict): Verdict =>
    one === 'deny' ? one : { ...one, ends: one.ends.toSorted((x, y) => (x.text < y.text ? -1 : 1)) }
  const both = (a: Verdict, b: Verdict) => inOrder(stricter(a, b))
  const plain = (one: Verdict) => both(one, one === 'deny' ? one : { ...one })
  /** What `b` says on top of `a` changes nothing. */
  const notWeaker = (a: Verdict, b: Verdict): boolean => isDeepStrictEqual(both(a, b), plain(a))

  test('is commutative, associative and the same with itself', () => {
    fc.assert(
      fc.property(verdict, verdict, verdict, (a, b, c) => {
        expect(both(a, b)).toEqual(both(b, a))
        expect(both(stricter(a, b), c)).toEqual(both(a, stricter(b, c)))
        expect(plain(plain(a))).toEqual(plain(a))
      }),
      { numRuns: 10_000 },
    )
  })

  test('is not weaker than either, and growing one side never weakens it', () => {
    fc.assert(
      fc.property(verdict, verdict, verdict, (a, b, c) => {
        expect(notWeaker(stricter(a, b), a) && notWeaker(stricter(a, b), b)).toBe(true)
        expect(notWeaker(stricter(stricter(a, c), b), stricter(a, b))).toBe(true)
      }),
      { numRuns: 10_000 },
    )
  })
})

const page = readFileSync(join(import.meta.dirname, '../../docs/policy.md'), 'utf8')
const [, rows] = /\| part \| one says \|.*\n\| ---.*\n((?:\|.*\n)+)/.exec(page)!
const table = rows!
  .trim()
  .split('\n')
  .map((line) => line.split('|').slice(1, -1))
  .map(([part, one, other, both]) => [part!.trim(), quoted(one!), quoted(other!), quoted(both!)] as const)
function quoted(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, inside]) => inside!)
}

/** A verdict as the loader makes it of what a cell says. */
function verdictOf(text: string): Verdict {
  const written = parse(text)
  const rule = written.allow || written.deny ? written : { allow: written }
  return policiesOf([{ name: 'r', ...rule }]).find('p')!.rules[0]!.verdict
}

/** What several texts say one beside the other: a cell may need two, where one cannot be written in one rule. */
function together(texts: readonly string[]): Verdict {
  const all = texts.map(verdictOf)
  if (all.includes('deny')) return 'deny'
  const terms = all as Terms[]
  return {
    ...Object.assign({}, ...terms),
    strengths: terms.reduce((set, one) => set | one.strengths, 0),
    ends: terms.flatMap((one) => one.ends),
  }
}

/** Zones are functions, and the order of two ends is none. */
const plainly = (verdict: Verdict) =>
  verdict === 'deny' ? verdict : { ...verdict, ends: verdict.ends.map(({ text }) => text).sort() }

describe('the table of docs/policy.md', () => {
  test('has a row for every part', () => {
    const parts = table.map(([part]) => part).join(' ')
    for (const part of ['deny', '`strength`', '`within`', '`session`', '`remember_device`', '`scopes`', '`token`'])
      expect(parts).toContain(part)
  })

  test.each(table)('%s', (_, [one], [other], both) => {
    const [a, b] = [verdictOf(one!), verdictOf(other!)]
    expect(plainly(stricter(a, b))).toEqual(plainly(together(both)))
    expect(plainly(stricter(b, a))).toEqual(plainly(together(both)))
  })

  test.each(table)(
    '%s, where the other is the baseline, and where the match of a rule is unknown',
    (_, [one], [other]) => {
      const rule = (name: string, text: string, more: object = {}) => {
        const written = parse(text)
        return { name, ...more, ...(written.allow || written.deny ? written : { allow: written }) }
      }
      const parts = (decision: Decision) => {
        const { outcome, required, session, remember_device: remember, scopes, token } = decision
        return { outcome, required, session, remember, scopes, token }
      }
      const facts: Facts = { ...given(['password', 5]), device: { kind: 'personal' } }
      const base = { 'b.yaml': { policy: 'b', baseline: true, rules: [rule('b', other!)] } }
      const perhaps = { when: { network: ['stores'] } }
      const both = parts(judge([rule('a', one!)], facts, base))
      expect(parts(judge([rule('a', one!, perhaps), rule('b', other!)], facts))).toEqual(both)
      expect(parts(judge([rule('b', other!, perhaps), rule('a', one!)], facts))).toEqual(both)
    },
  )
})
