/** The smallest change with which a request would pass. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Change, decide, type Facts, suggest } from '#policy'
import { candidates } from '../../src/policy/suggest/candidates.ts'
import { applyChanges, CHANGES } from '../../src/policy/suggest/change.ts'
import { given, NINE, nine, policiesOf } from './house.ts'

const staff = { 'user.groups': ['staff'] }
const rules = [
  {
    name: 'closed outside stores',
    when: { 'app.tags': ['high-risk'], network: { outside: ['stores', 'office'] } },
    deny: { say: 'Only in a store.' },
  },
  {
    name: 'high risk',
    when: { 'app.tags': ['high-risk'], ...staff },
    allow: { strength: 'two-factors', within: '8h' },
  },
  { name: 'tablet', when: { 'device.enrolled': true, 'device.kind': 'shared', ...staff }, allow: {} },
  {
    name: 'day',
    when: {
      time: { days: 'mon-fri', between: '10:00-18:00', zone: 'Europe/Amsterdam' },
      'device.known': true,
      ...staff,
    },
    allow: { strength: 'hardware' },
  },
]
const risky = { app: { tags: ['high-risk'] } }
const inStore = { network: { ip: '192.0.2.1' } }
const suggested = (facts: Facts, written: unknown = rules, enrolled?: string[]) =>
  suggest(policiesOf(written), facts, { policy: 'p', ...(enrolled && { enrolled }) })

describe('the smallest change', () => {
  test('is none where it passes', () => {
    expect(suggested({ ...given(['password', 5], ['totp', 5]), ...risky, ...inStore })).toBeUndefined()
  })

  test('is a factor that is missing, and first one that the person has', () => {
    const facts = { ...given(['password', 5]), ...risky, ...inStore }
    expect(suggested(facts)).toMatchObject({
      changes: [{ code: 'give-factor', factor: 'passkey' }],
      outcome: 'allow',
      instead: expect.arrayContaining([[{ code: 'give-factor', factor: 'totp' }]]),
    })
    expect(suggested(facts, rules, ['password', 'totp'])!.changes).toEqual([{ code: 'give-factor', factor: 'totp' }])
  })

  test('is a factor once more where it is too old', () => {
    const facts = { ...given(['password', 5], ['totp', 500]), ...risky, ...inStore }
    expect(suggested(facts)!.changes).toEqual([{ code: 'give-again', factor: 'totp' }])
  })

  test('is the place, named as in the rules and never as an address, whichever of several', () => {
    const outside = { ...given(['password', 5], ['totp', 5]), ...risky, network: { ip: '203.0.113.1' } }
    expect(suggested(outside)).toEqual({
      changes: [{ code: 'use-network', networks: ['stores', 'office'] }],
      outcome: 'allow',
      instead: [],
    })
  })

  test('is two where one is not enough, in the order in which they are done', () => {
    const outside = { ...given(['password', 5]), ...risky, network: { ip: '203.0.113.1' } }
    expect(suggested(outside)!.changes).toEqual([
      { code: 'use-network', networks: ['stores', 'office'] },
      { code: 'give-factor', factor: 'passkey' },
    ])
  })

  test('is another network where a rule is against this one', () => {
    const guest = [
      { name: 'no', when: { network: ['stores'] }, deny: {} },
      { name: 'yes', allow: {} },
    ]
    expect(suggested({ ...given(['password', 5]), ...inStore }, guest)!.changes).toEqual([{ code: 'leave-network' }])
  })

  test('is an enrolled device of the kind that a rule wants', () => {
    const facts = {
      ...given(['password', 5]),
      app: { tags: [] },
      device: { kind: 'personal' as const, enrolled: false },
    }
    const tablet = rules.slice(0, 3)
    expect(suggested(facts, tablet)).toMatchObject({ changes: [{ code: 'use-enrolled-device', kind: 'shared' }] })
  })

  test('is the next time at which it opens, and the known device with it', () => {
    const facts = {
      ...given(['password', 5]),
      session: { authenticated: [{ factor: 'passkey', at: nine, hardware: true }] },
    }
    const late = { ...facts, at: '2026-11-20T19:00:00Z', device: { known: true } }
    // Friday evening: it opens on Monday at ten, which is nine in UTC
    expect(suggested(late, rules.slice(3))!.changes).toEqual([
      { code: 'come-back-later', time: '2026-11-23T09:00:00.000Z' },
    ])
    expect(suggested({ ...late, device: { known: false } }, rules.slice(3))!.changes).toEqual([
      { code: 'come-back-later', time: '2026-11-23T09:00:00.000Z' },
      { code: 'use-known-device' },
    ])
  })

  test('names with a time only the networks that are open then', () => {
    const open = (name: string, network: string, between: string) => ({
      name,
      when: { network: [network], time: { between, zone: 'UTC' } },
      allow: {},
    })
    const shifts = [open('early', 'stores', '10:00-11:00'), open('late', 'office', '11:00-12:00')]
    expect(suggested({ ...given(['password', 5]), network: { ip: '203.0.113.1' } }, shifts)!.changes).toEqual([
      { code: 'come-back-later', time: '2026-11-23T10:00:00.000Z' },
      { code: 'use-network', networks: ['stores'] },
    ])
  })

  test('is a hardware key only where nothing easier does', () => {
    const key = [{ name: 'key', allow: { strength: 'hardware' } }]
    expect(suggested(given(['passkey', 5]), key)!.changes).toEqual([
      { code: 'give-again', factor: 'passkey', hardware: true },
    ])
  })

  test('is to sign in again where the session is too old', () => {
    const fresh = [
      { name: 'old', when: { 'session.age': { over: '8h' } }, deny: {} },
      { name: 'yes', allow: {} },
    ]
    expect(suggested(given(['password', 5]), fresh)!.changes).toEqual([{ code: 'sign-in-again' }])
  })

  test('is a group last of all, also one of those for which the app is', () => {
    const facts = { ...given(['password', 5]), app: { audience: ['care', 'office'] } }
    expect(suggested(facts, [{ name: 'everybody', allow: {} }])!.changes).toEqual([
      { code: 'ask-group', groups: ['care', 'office'] },
    ])
    const either = [
      { name: 'care or store', when: { any: [{ 'user.groups': ['care'] }, { network: ['stores'] }] }, allow: {} },
    ]
    expect(suggested(given(['password', 5]), either)).toMatchObject({
      changes: [{ code: 'use-network', networks: ['stores'] }],
      instead: [[{ code: 'ask-group', groups: ['care'] }]],
    })
  })

  test('leads nobody who has not signed in further than to the sign-in', () => {
    expect(suggested({ ...risky, network: { ip: '203.0.113.1' } })).toMatchObject({
      changes: [{ code: 'use-network' }],
      outcome: 'challenge',
    })
    expect(suggested({ ...risky, ...inStore })).toBeUndefined()
  })

  test('is none where nothing of the list helps', () => {
    expect(suggested(given(['password', 5]), [{ name: 'no', deny: {} }])).toBeUndefined()
    // a directory that is down: one group more does not make the others known
    expect(
      suggested({ ...given(['password', 5]), user: { id: 'u1' } }, [{ name: 'staff', when: staff, allow: {} }]),
    ).toBeUndefined()
  })
})

const word = fc.constantFrom
const leaf = word<object>(
  { 'user.groups': ['staff'] },
  { 'user.groups': { all: ['staff', 'care'] } },
  { 'user.groups': { none: ['care'] } },
  { 'app.tags': ['high-risk'] },
  { network: ['stores'] },
  { network: { outside: ['stores', 'office'] } },
  { 'device.known': true },
  { 'device.enrolled': true },
  { 'device.kind': 'shared' },
  { 'device.site': ['s1'] },
  { 'device.platform': ['ios', 'android'] },
  { 'session.age': { over: '8h' } },
  { 'request.kind': ['admin'] },
  { time: { days: 'mon-fri', between: '08:00-18:00', zone: 'Europe/Amsterdam' } },
  { time: { between: '22:00-06:00', zone: 'America/New_York' } },
)
const { when } = fc.letrec<{ when: object }>((tie) => ({
  when: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    leaf,
    fc.tuple(leaf, leaf).map(([a, b]) => ({ ...a, ...b })),
    fc.array(tie('when'), { minLength: 1, maxLength: 2 }).map((any) => ({ any })),
    tie('when').map((not) => ({ not })),
  ),
}))
const duration = word('0s', '10m', '1h', '12h')
const verdict = fc.oneof(
  fc
    .record(
      {
        strength: word('any', 'two-factors', 'phishing-resistant', 'hardware', 'floor'),
        within: duration,
        session: fc.record({ max: word('1h', '12h') }),
      },
      { requiredKeys: [] },
    )
    .map((allow) => ({ allow })),
  fc.constant({ deny: {} }),
)
const written = fc
  .array(fc.tuple(fc.option(when, { nil: undefined, freq: 4 }), verdict), { minLength: 1, maxLength: 4 })
  .map((list) =>
    list.map(([condition, says], i) => ({ name: `r${i}`, ...(condition && { when: condition }), ...says })),
  )

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 5 })
const ago = word(0, 5, 30, 300, 700).map((minutes) => nine - minutes * 60_000)
const facts = fc.record({
  at: maybe(word(NINE, nine + 15 * 3_600_000)),
  request: maybe(fc.record({ kind: maybe(word('app', 'admin')), started: maybe(ago) })),
  user: fc.option(fc.record({ groups: maybe(fc.subarray(['staff', 'care'])) }), { nil: undefined, freq: 10 }),
  app: maybe(
    fc.record({ tags: maybe(fc.subarray(['high-risk'])), audience: maybe(fc.subarray(['staff', 'shop', '*'])) }),
  ),
  network: maybe(fc.record({ ip: maybe(word('192.0.2.1', '198.51.100.9', '203.0.113.1')) })),
  device: maybe(
    fc.record({
      known: maybe(fc.boolean()),
      enrolled: maybe(fc.boolean()),
      kind: maybe(word('personal', 'shared')),
      site: maybe(word('s1', 's2')),
      platform: maybe(word('ios', 'windows')),
    }),
  ),
  session: maybe(
    fc.record({
      started: maybe(ago),
      authenticated: maybe(
        fc.array(
          fc.record({
            factor: word('password', 'passkey', 'totp', 'badge'),
            at: maybe(ago),
            user_verified: maybe(fc.boolean()),
          }),
          { maxLength: 3 },
        ),
      ),
    }),
  ),
}) as fc.Arbitrary<Facts>

test('applying what is suggested flips the outcome, and where nothing is, no change of the list does', () => {
  const base = {
    'base.yaml': {
      policy: 'base',
      baseline: true,
      rules: [
        { name: 'no shared', when: { 'device.kind': 'shared' }, allow: { strength: 'two-factors' } },
        { name: 'rest', allow: {} },
      ],
    },
  }
  const seen = { allow: 0, challenge: 0, pair: 0, none: 0 }
  const codes = new Set<string>()
  fc.assert(
    fc.property(
      written,
      fc.boolean(),
      fc.array(facts, { minLength: 40, maxLength: 40 }),
      (list, withBase, situations) => {
        const strengths = { 's.yaml': { strengths: { floor: [['passkey'], ['badge', 'pin'], ['password']] } } }
        const policies = policiesOf(list, { ...strengths, ...(withBase ? base : {}) })
        const after = (one: Facts, changes: readonly Change[]) =>
          decide(policies, applyChanges(policies, one, changes), { policy: 'p' }).outcome
        for (const one of situations) {
          const now = decide(policies, one, { policy: 'p' }).outcome
          const found = suggest(policies, one, { policy: 'p' })
          if (now === 'allow') {
            expect(found).toBeUndefined()
            continue
          }
          const singles = candidates(policies, one, { policy: 'p' }).map((change) => after(one, [change]))
          if (!found) {
            seen.none++
            expect(singles).not.toContain('allow')
            if (now === 'deny') expect(singles).not.toContain('challenge')
            continue
          }
          seen[found.outcome as 'allow']++
          if (found.changes.length === 2) seen.pair++
          expect(found.outcome).not.toBe(now)
          // never two where one does
          if (found.changes.length === 2 || found.outcome === 'challenge') expect(singles).not.toContain('allow')
          for (const changes of [found.changes, ...found.instead].flatMap(oneByOne)) {
            expect(after(one, changes), JSON.stringify([changes, one, list])).toBe(found.outcome)
            for (const { code } of changes) codes.add(code)
          }
        }
      },
    ),
    { numRuns: 130 },
  )
  expect(Math.min(seen.challenge, seen.pair, seen.none)).toBeGreaterThan(50)
  expect([...codes].sort()).toEqual([...CHANGES].sort())
}, 120_000)

/** The same changes for each of the networks or groups that are named. */
const oneByOne = (changes: readonly Change[]): Change[][] =>
  changes.reduce<Change[][]>(
    (all, change) =>
      all.flatMap((some) =>
        (change.code === 'use-network'
          ? change.networks.map((network): Change => ({ ...change, networks: [network] }))
          : change.code === 'ask-group'
            ? change.groups.map((group): Change => ({ ...change, groups: [group] }))
            : [change]
        ).map((one) => some.concat(one)),
      ),
    [[]],
  )
