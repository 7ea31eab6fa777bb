/** What decisions say about tokens. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decide, type Facts } from '#policy'
import { given, judge, policiesOf } from './house.ts'
import { CUSTOM, DURATIONS, facts, rules } from './random.ts'

const rule = (name: string, allow: object, more: object = {}) => ({ name, ...more, allow })
/** Not known of these facts whether it holds. */
const perhaps = { when: { network: ['stores'] } }
const program: Facts = { request: { kind: 'api' }, client: { id: 'sync' } }
const person = given(['password', 5])

describe('a decision', () => {
  test.each([
    ['a program', program],
    ['somebody who is let in', person],
    ['somebody who is asked for more', given()],
  ])('about %s tells what the rule says of scopes and of the life of tokens', (_, asking) => {
    const allow = { scopes: ['write', 'read', 'write'], token: { max: '90s' } }
    const decision = judge([rule('r', allow)], asking)
    expect(decision).toMatchObject({ scopes: ['read', 'write'], token: { max: '90s' } })
    expect(Object.keys(judge([rule('r', {})], asking))).not.toContain('scopes')
    expect(Object.keys(judge([rule('r', { token: {} })], asking))).not.toContain('token')
  })

  test('that denies, or asks a stranger to sign in, tells neither', () => {
    const limited = rule('r', { scopes: ['read'], token: { max: '5m' } })
    for (const decision of [
      judge([{ name: 'no', deny: {} }, limited], person),
      judge([limited], { request: { kind: 'app' } }),
    ]) {
      expect(decision.outcome).not.toBe('allow')
      expect(decision.scopes).toBeUndefined()
      expect(decision.token).toBeUndefined()
    }
  })

  test('by two rules, since it is not known which one, has the scopes of both lists and the shorter life', () => {
    const [one, other] = [
      { scopes: ['a', 'b'], token: { max: '5m' } },
      { scopes: ['c', 'b'], token: { max: '1h' } },
    ]
    for (const [a, b] of [[one, other] as const, [other, one] as const])
      for (const asking of [program, person])
        expect(judge([rule('a', a, perhaps), rule('b', b)], asking)).toMatchObject({
          scopes: ['b'],
          token: { max: '5m' },
        })
    const apart = judge([rule('a', { scopes: ['a'] }, perhaps), rule('b', { scopes: ['b'] })], program)
    expect(apart.scopes).toEqual([])
  })

  test('names the rule that alone would have said the same of tokens', () => {
    const by = (a: object, b: object) => judge([rule('a', a, perhaps), rule('b', b)], program).rule
    expect(by({ scopes: ['a'] }, { scopes: ['a', 'b'] })).toBe('a')
    expect(by({ scopes: ['a', 'b'] }, { scopes: ['a'] })).toBe('b')
    expect(by({ scopes: [] }, {})).toBe('a')
    expect(by({}, { scopes: [] })).toBe('b')
    expect(by({ token: { max: '5m' } }, { token: { max: '6m' } })).toBe('a')
    expect(by({ token: { max: '6m' } }, { token: { max: '5m' } })).toBe('b')
  })

  test('keeps what the rule says when an app asks for more than the policy', () => {
    const asking = { ...person, request: { wanted: { max_age: 60, strength: ['two-factors'] } } }
    expect(judge([rule('r', { scopes: ['read'], token: { max: '5m' } })], asking)).toMatchObject({
      outcome: 'challenge',
      scopes: ['read'],
      token: { max: '5m' },
    })
  })

  test('has nothing of a rule that only reports', () => {
    const silent = rule('silent', { scopes: [], token: { max: '1s' } }, { mode: 'report' })
    const decision = judge([silent, rule('r', {})], program)
    expect([decision.scopes, decision.token, decision.reported.length]).toEqual([undefined, undefined, 1])
  })
})

describe('where nobody can tell which rule decides', () => {
  const files = (...base: object[]) => ({
    'q.yaml': { policy: 'q', rules: [rule('free', {})] },
    ...(base.length > 0 && { 'b.yaml': { policy: 'b', baseline: true, rules: base } }),
  })
  const several = [
    rule('one', { scopes: ['a', 'b'], token: { max: '1h' } }, perhaps),
    { name: 'no', when: { country: ['NL'] }, deny: {} },
    rule('two', { scopes: ['c', 'b'] }),
    rule('three', { token: { max: '20m' } }),
  ]

  test('the strictest of all rules holds, of the policy and of the baseline', () => {
    const alone = policiesOf(several, files())
    expect(alone.tokenLimitsOf('p')).toEqual({ scopes: ['b'], token: { max: '20m' } })
    expect(alone.tokenLimitsOf('q')).toBeUndefined()
    const both = policiesOf(several, files(rule('base', { scopes: ['x'], token: { max: '5m' } }), rule('more', {})))
    expect(both.tokenLimitsOf('p')).toEqual({ scopes: [], token: { max: '5m' } })
    expect(both.tokenLimitsOf('q')).toEqual({ scopes: ['x'], token: { max: '5m' } })
  })

  test('rules that only report have no say, and a policy that does not exist says nothing', () => {
    const silent = policiesOf([rule('silent', { token: { max: '1s' } }, { mode: 'report' }), rule('r', {})])
    expect(silent.tokenLimitsOf('p')).toBeUndefined()
    for (const name of ['none', undefined]) expect(policiesOf(several).tokenLimitsOf(name)).toBeUndefined()
  })

  test('it is never weaker than what any decision says', () => {
    let [limited, decided] = [0, 0]
    fc.assert(
      fc.property(rules, rules, fc.array(facts, { minLength: 40, maxLength: 40 }), (own, base, list) => {
        const baseline = { policy: 'b', baseline: true, rules: base }
        const policies = policiesOf(own, { ...CUSTOM, 'b.yaml': baseline })
        const strictest = policies.tokenLimitsOf('p')
        for (const one of list) {
          const { scopes, token } = decide(policies, one, { policy: 'p' })
          if (scopes) expect(scopes).toEqual(expect.arrayContaining([...strictest!.scopes!]))
          if (token) expect(lengthOf(strictest!.token!.max)).toBeLessThanOrEqual(lengthOf(token.max))
          if (scopes?.length || token) limited++
          decided++
        }
      }),
      { numRuns: 250 },
    )
    expect(decided).toBe(10_000)
    expect(limited).toBeGreaterThan(500)
  })
})

const lengthOf = (text: string) => DURATIONS.indexOf(text)
