/** What several rules ask is looked at once in a decision, and says the same to each. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ConditionTrace, decide, type Facts, type Policies } from '#policy'
import { policiesOf } from './house.ts'

describe('a condition that several rules ask', () => {
  const asks = (group: string, known: boolean) => ({ 'user.groups': [group], 'device.known': known })

  test('is looked at once in a decision, with a trace of each rule and without', () => {
    const policies = policiesOf([
      ...Array.from({ length: 5 }, (_, n) => ({ name: `r${n}`, when: asks('others', true), allow: {} })),
      { name: 'last', allow: {} },
    ])
    for (const trace of [true, false]) {
      let reads = 0
      const user = {
        get groups() {
          reads++
          return ['staff']
        },
      }
      const decision = decide(policies, { user, device: { known: true } }, { policy: 'p', trace })
      expect([decision.rule, reads]).toEqual(['last', 1])
      const seen = { condition: 'user.groups', wanted: ['others'], seen: ['staff'], result: false }
      expect(decision.trace.slice(0, -1).map(({ conditions }) => conditions)).toEqual(
        trace ? Array(5).fill([seen]) : [],
      )
    }
  })

  test('says in the baseline what it says there, and after a condition that failed what it said before', () => {
    const twice = (name: string, one: object, other: object) =>
      [one, other, one, other].map((when, n) => ({ name: `${name}${n}`, when, deny: {} }))
    const policies = policiesOf(
      [...twice('p', { 'user.groups': ['a'] }, { 'device.known': true }), { name: 'rest', allow: {} }],
      {
        'base.yaml': {
          policy: 'base',
          baseline: true,
          rules: [...twice('b', { 'device.known': false }, { 'user.groups': ['b'] }), { name: 'rest', allow: {} }],
        },
      },
    )
    const facts: Facts = { user: { groups: ['staff'] }, device: { known: false } }
    const { rule, trace } = decide(policies, facts, { policy: 'p' })
    expect(rule).toBe('b0')
    expect(trace.map((one) => `${one.rule} ${one.matched}`)).toEqual([
      ...['p0', 'p1', 'p2', 'p3'].map((name) => `${name} false`),
      'rest true',
      'b0 true',
    ])
    const report = { when: { 'user.groups': ['a'] }, mode: 'report', deny: {} }
    const reporting = policiesOf([
      { name: 'a', ...report },
      { name: 'b', ...report },
      { name: 'rest', allow: {} },
    ])
    const failed = decide(reporting, { user: { groups: 7 as never } }, { policy: 'p' }).trace.slice(0, 2)
    expect(failed.map(({ matched, conditions }) => [matched, results(conditions)])).toEqual(
      Array(2).fill(['error', ['error']]),
    )
  })

  test('comes to what it would if every rule wrote it in its own way', () => {
    const rule = fc.record({
      when: fc.array(
        fc.oneof(
          fc.record({ 'user.groups': fc.constantFrom(['a'], ['b'], ['a', 'c']) }),
          fc.record({ 'app.tags': fc.constantFrom(['s'], ['t']) }),
          fc.record({ not: fc.record({ 'user.groups': fc.constantFrom(['a'], ['b']) }) }),
        ),
        { minLength: 1, maxLength: 3 },
      ),
      join: fc.constantFrom('any', 'all'),
      allow: fc.boolean(),
    })
    type Written = { readonly [key: string]: readonly string[] | Written }
    /** Each list with a word of its own that nobody has. */
    const own = (when: Written, word: () => string): Written =>
      Object.fromEntries(
        Object.entries(when).map(([key, value]) => [
          key,
          Array.isArray(value) ? [...value, word()] : own(value as Written, word),
        ]),
      )
    const some = (words: string[]) => fc.option(fc.subarray(words), { nil: undefined })
    fc.assert(
      fc.property(
        fc.array(rule, { minLength: 2, maxLength: 8 }),
        fc.array(fc.tuple(some(['a', 'b', 'c']), some(['s', 't'])), { minLength: 5, maxLength: 5 }),
        (written, questions) => {
          let words = 0
          const rules = (change: (when: Written) => Written) =>
            written.map(({ when, join, allow }, n) => ({
              name: `r${n}`,
              when: { [join]: when.map((one) => change(one as unknown as Written)) },
              ...(allow ? { allow: {} } : { deny: {} }),
            }))
          const [shared, apart] = [
            policiesOf(rules((when) => when)),
            policiesOf(rules((when) => own(when, () => `own-${words++}`))),
          ]
          for (const [groups, tags] of questions) {
            const facts: Facts = { user: { ...(groups && { groups }) }, app: { ...(tags && { tags }) } }
            const tell = (policies: Policies) => {
              const { outcome, rule, trace } = decide(policies, facts, { policy: 'p' })
              const untold = decide(policies, facts, { policy: 'p', trace: false })
              expect([untold.outcome, untold.rule]).toEqual([outcome, rule])
              return [outcome, rule, trace.map(({ matched, conditions }) => [matched, results(conditions)])]
            }
            expect(tell(shared)).toEqual(tell(apart))
          }
        },
      ),
      { numRuns: 150 },
    )
  }, 120_000)
})

const results = (conditions: readonly ConditionTrace[]): unknown[] =>
  conditions.map(({ result, conditions: inner }) => (inner ? [result, results(inner)] : result))
