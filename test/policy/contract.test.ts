/** Partners are judged by their contract before any rule, and no policy makes more of it. */
import { describe, expect, test } from 'vitest'
import type { Facts } from '#policy'
import { judge, NINE, nine, policiesOf, problemsOf } from './house.ts'

const EVERYBODY = [{ name: 'everybody', allow: {} }]
const NETWORKS = ['203.0.113.0/24', '2001:db8:7::/48', '198.51.100.7']
const asked = (partner: NonNullable<Facts['app']>['partner'], ip?: string, change: Partial<Facts> = {}) =>
  judge(EVERYBODY, {
    at: NINE,
    request: { kind: 'api' },
    client: { id: 'acme', authentication: 'private_key_jwt' },
    app: { id: 'acme', partner },
    ...(ip === undefined ? {} : { network: { ip } }),
    ...change,
  })

describe('a partner', () => {
  test.each([
    ['203.0.113.0', 'allow'],
    ['203.0.113.255', 'allow'],
    ['203.0.114.0', 'deny'],
    ['::ffff:203.0.113.9', 'allow'],
    ['::ffff:203.0.114.9', 'deny'],
    ['2001:db8:7:ffff::1', 'allow'],
    ['2001:db8:8::1', 'deny'],
    ['198.51.100.7', 'allow'],
    ['198.51.100.8', 'deny'],
    [undefined, 'deny'],
  ])('from %s: %s', (ip, outcome) => {
    const decision = asked({ networks: NETWORKS }, ip)
    expect(decision.outcome).toBe(outcome)
    const [first] = decision.trace
    expect(first).toMatchObject({
      ...{ rule: 'partner-networks', line: null },
      matched: ip === undefined ? 'unknown' : outcome === 'deny',
      conditions: [{ condition: 'network', wanted: { outside: NETWORKS } }],
    })
    if (outcome === 'deny') expect(decision).toMatchObject({ rule: 'partner-networks', line: null, missing: [] })
  })

  test('gets in to the last moment of its contract', () => {
    expect(asked({ ends: nine + 1 }).outcome).toBe('allow')
    expect(asked({ ends: nine })).toMatchObject({ outcome: 'deny', rule: 'partner-ended', line: null })
    expect(asked({ ends: nine + 1 }, undefined, { at: undefined })).toMatchObject({
      outcome: 'deny',
      rule: 'partner-ended',
    })
  })

  test('without networks may be anywhere, and what is none of a partner’s is not looked at', () => {
    expect(asked({}, '192.0.2.1')).toMatchObject({ outcome: 'allow', trace: [{ rule: 'everybody' }] })
    expect(asked(undefined, '192.0.2.1')).toMatchObject({ outcome: 'allow', trace: [{ rule: 'everybody' }] })
  })

  test('with networks that cannot be read is outside of them', () => {
    expect(asked({ networks: ['anywhere'] }, '192.0.2.1').rule).toBe('partner-networks')
  })
})

test('rules of files cannot take these names, and tests in files may expect them', () => {
  for (const name of ['partner-networks', 'partner-ended'])
    expect(problemsOf({ 'p.yaml': { policy: 'p', rules: [{ name, deny: {} }] } })).toEqual([
      expect.stringMatching(/ reserved-name$/),
    ])
  const given = { app: { partner: { networks: NETWORKS } }, network: { ip: '192.0.2.1' } }
  const tests = [{ name: 'closed', given, expect: { outcome: 'deny', rule: 'partner-networks' } }]
  expect(problemsOf({ 'p.yaml': { policy: 'p', rules: EVERYBODY, tests } })).toEqual([])
  expect(policiesOf(EVERYBODY).names).toHaveLength(1)
})
