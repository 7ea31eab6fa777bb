/** People whose directory is down: what was declared stays open, and no policy makes more of it. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decide, type Facts } from '#policy'
import { judge, NINE, nine, policiesOf, problemsOf } from './house.ts'
import { CUSTOM, facts, rules } from './random.ts'

const HOUR = 3_600_000
const OUTAGE = { since: nine - HOUR, until: nine + HOUR, tiers: ['standard', 'low'] } as const
const EVERYBODY = [{ name: 'everybody', allow: {} }]
const user = { id: 'u1', groups: ['staff'], outage: OUTAGE } as const

const asked = (change: Partial<Facts> = {}) =>
  judge(EVERYBODY, {
    at: NINE,
    request: { kind: 'app' },
    user,
    app: { id: 'crm', tier: 'standard' },
    session: { started: NINE, authenticated: [{ factor: 'password', at: NINE }] },
    ...change,
  })

describe('somebody whose directory is down', () => {
  test('opens an app of a tier that was declared, and the trace says what was looked at', () => {
    expect(asked()).toMatchObject({
      outcome: 'allow',
      rule: 'everybody',
      trace: [
        {
          rule: 'directory-down',
          line: null,
          matched: false,
          conditions: [{ condition: 'user.outage', seen: { kind: 'app', tier: 'standard' }, result: false }],
        },
        { rule: 'everybody' },
      ],
    })
    expect(asked({ app: { tier: 'low' } }).outcome).toBe('allow')
  })

  test.each<[what: string, change: Partial<Facts>]>([
    ['an app of another tier', { app: { tier: 'critical' } }],
    ['an app of an unknown tier', { app: { id: 'crm' } }],
    ['an app that is not told', { app: {} }],
    ['the console', { request: { kind: 'admin' }, app: { tier: null } }],
    ['the helpdesk', { request: { kind: 'helpdesk' }, app: { tier: null } }],
    ['adding a factor', { request: { kind: 'account' }, app: { tier: null } }],
    ['the console, called an app of a low tier', { request: { kind: 'admin' } }],
    ['what is not told', { request: {} }],
    ['anything once the time is over', { at: nine + HOUR }],
    ['anything where nobody knows the time', { at: undefined }],
    ['anything where no tier was declared', { user: { ...user, outage: { until: nine + HOUR } } }],
    ['anything where no end was declared', { user: { ...user, outage: { tiers: ['standard'] } } }],
  ])('does not open %s', (_what, change) => {
    const decision = asked(change)
    expect(decision).toMatchObject({ outcome: 'deny', rule: 'directory-down', line: null, missing: [] })
    expect(decision.trace.map(({ rule }) => rule)).toEqual(['directory-down'])
  })

  test('opens everything to the last moment, and looks at pages that are no app', () => {
    expect(asked({ at: nine + HOUR - 1 }).outcome).toBe('allow')
    expect(asked({ app: { tier: null } }).outcome).toBe('allow')
  })

  test('is outside of an audience first', () => {
    expect(asked({ app: { tier: 'critical', audience: ['care'] } }).rule).toBe('audience')
  })
})

test('with an outage the outcome is never weaker than without, whatever the policy says', { timeout: 120_000 }, () => {
  const RANK = { allow: 0, challenge: 1, deny: 2 }
  const counted = { denied: 0, same: 0 }
  const outages = fc.record(
    {
      since: fc.constantFrom(nine - HOUR, NINE),
      until: fc.constantFrom(nine - 1, nine + HOUR),
      tiers: fc.subarray(['standard', 'critical', 'high']),
      verified: fc.constant(nine - HOUR),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(rules, fc.array(fc.tuple(facts, outages), { minLength: 40, maxLength: 40 }), (written, list) => {
      const policies = policiesOf(written, CUSTOM)
      for (const [given, outage] of list) {
        if (!given.user) continue
        const without = decide(policies, given, { policy: 'p' })
        const within = decide(policies, { ...given, user: { ...given.user, outage } }, { policy: 'p' })
        if (RANK[within.outcome] < RANK[without.outcome]) expect.fail(JSON.stringify([given, outage]))
        // either closed by that rule alone, or in everything what it was
        if (within.rule === 'directory-down') counted.denied++
        else {
          counted.same++
          const { trace: _, ...before } = without
          expect(within).toMatchObject(before)
          expect(within.trace.slice(1)).toEqual(without.trace)
        }
      }
    }),
    { numRuns: 250 },
  )
  expect(counted.denied).toBeGreaterThan(1000)
  expect(counted.same).toBeGreaterThan(50)
})

test('a rule of a file cannot take the name, and a test in a file may expect it', () => {
  expect(problemsOf({ 'p.yaml': { policy: 'p', rules: [{ name: 'directory-down', deny: {} }] } })).toEqual([
    expect.stringMatching(/ reserved-name$/),
  ])
  const given = { user: { groups: ['staff'], outage: { tiers: ['low'] } }, app: { tier: 'critical' } }
  const expected = { outcome: 'deny', rule: 'directory-down' }
  const tests = [{ name: 'closed', given, expect: expected }]
  expect(problemsOf({ 'p.yaml': { policy: 'p', rules: EVERYBODY, tests } })).toEqual([])
})
