/** What holds for all policies and all facts. Small worlds, so that rules and facts meet often. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { COUNTERS, type Decision, decide, type Facts, type Signal } from '#policy'
import { createStrengths, meets } from '../../src/policy/strengths.ts'
import { NINE, nine, policiesOf } from './house.ts'

const CUSTOM = {
  's.yaml': { strengths: { floor: [['passkey'], ['badge', 'pin'], ['password']] } },
  'n.yaml': { networks: { home: { countries: ['NL', 'BE'] }, sites: { file: 'sites.csv' } } },
  'sites.csv': 'cidr,site,zone\n198.51.100.0/25,office,Europe/Amsterdam\n',
}
const STRENGTHS = ['any', 'two-factors', 'phishing-resistant', 'hardware', 'floor']
const DURATIONS = ['0s', '10m', '1h', '12h']
const hour = 3_600_000

const leaf = fc.constantFrom<object>(
  { 'user.groups': ['staff'] },
  { 'user.groups': { all: ['staff', 'care'] } },
  { 'user.groups': { none: ['care'] } },
  { 'user.organisation': { under: ['retail'] } },
  { 'user.attribute.grade': ['7'] },
  { 'app.tags': ['high-risk'] },
  { 'app.tier': ['critical'] },
  { network: ['stores'] },
  { network: { outside: ['stores', 'office'] } },
  { 'device.known': true },
  { 'device.kind': 'shared' },
  { 'session.age': { over: '8h' } },
  { 'request.kind': ['admin', 'account'] },
  { time: { days: 'mon-fri', between: '08:00-18:00', zone: 'Europe/Amsterdam' } },
  { time: { between: '08:00-18:00', zone: 'site' } },
  { network: ['home', 'office'] },
  { network: { outside: ['home'] } },
  { country: ['NL'] },
  { country: { outside: ['NL'] } },
  { 'device.platform': ['android'] },
  { 'travel.speed': { over: 900 } },
  { 'travel.distance': { over: 500 } },
  { 'travel.new_country': { over: '90d' } },
  { 'frequency.sign_ins': { over: 3, within: '5m' } },
  { 'frequency.failures': { over: 3, within: '1h' } },
  { 'frequency.app_opens': { over: 3, within: '5m' } },
  { 'frequency.prompts': { over: 3, within: '5m' } },
  { 'frequency.absent': { over: '30d' } },
  { 'upstream.assurance': ['two-factors'] },
)
const { when } = fc.letrec<{ when: object }>((tie) => ({
  when: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    leaf,
    fc.tuple(leaf, leaf).map(([a, b]) => ({ ...a, ...b })),
    fc.array(tie('when'), { minLength: 1, maxLength: 2 }).map((any) => ({ any })),
    fc.array(tie('when'), { minLength: 1, maxLength: 2 }).map((all) => ({ all })),
    tie('when').map((not) => ({ not })),
  ),
}))

const duration = fc.constantFrom(...DURATIONS)
const allow = fc.record(
  {
    strength: fc.constantFrom(...STRENGTHS),
    within: duration,
    remember_device: fc.constantFrom('1h', '30d'),
    session: fc.record({ idle: duration, max: fc.constantFrom('1h', '12h') }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
)
const rule = fc.tuple(
  fc.option(when, { nil: undefined }),
  fc.oneof(
    { weight: 3, arbitrary: allow.map((terms) => ({ allow: terms })) },
    { weight: 1, arbitrary: fc.constant({ deny: {} }) },
  ),
)
const rules = fc
  .array(rule, { minLength: 1, maxLength: 4 })
  .map((list) =>
    list.map(([condition, verdict], i) => ({ name: `r${i}`, ...(condition && { when: condition }), ...verdict })),
  )

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 4 })
const ago = fc.constantFrom(0, 5, 30, 300, 700).map((minutes) => nine - minutes * 60_000)
const proof = fc.record({
  factor: fc.constantFrom('password', 'passkey', 'totp', 'recovery-code', 'badge', 'pin'),
  at: maybe(ago),
  user_verified: maybe(fc.boolean()),
  hardware: maybe(fc.boolean()),
})
const PLACES = [
  {},
  { country: 'NL' },
  { country: null },
  { country: 'NL', latitude: 52.37, longitude: 4.9 },
  { country: 'US', latitude: 40.71, longitude: -74.01 },
]
const before = fc
  .record({ at: maybe(ago), place: fc.constantFrom(...PLACES) })
  .map(({ at, place }) => ({ at, ...place }))
const counts = maybe(
  fc.uniqueArray(fc.record({ within: fc.constantFrom('1m', '5m', '1h'), count: fc.nat(6) }), {
    selector: ({ within }) => within,
    maxLength: 2,
  }),
)
const history = fc
  .record({
    previous: maybe(fc.oneof(before, fc.constant(null), fc.array(before, { minLength: 1, maxLength: 2 }))),
    countries: maybe(fc.array(fc.record({ country: fc.constantFrom('NL', 'US'), at: maybe(ago) }), { maxLength: 2 })),
    sign_ins: counts,
    failures: counts,
    app_opens: counts,
    prompts: counts,
  })
  .map(consistent)

/** Somebody new has no counts, and the countries are at least that of the earliest sign-in. */
function consistent({ previous, countries, ...often }: Record<string, unknown>) {
  if (previous === null) return { previous }
  const [earliest] = [previous].flat().slice(-1) as { country?: string | null }[]
  const seen = earliest?.country && countries ? [...(countries as object[]), earliest] : countries
  return { previous, countries: seen, ...often }
}

const facts: fc.Arbitrary<Facts> = fc.record({
  at: maybe(fc.constantFrom(NINE, nine + 12 * hour)),
  request: maybe(fc.record({ kind: maybe(fc.constantFrom('app', 'admin')), started: maybe(ago) })),
  user: fc.option(
    fc.record({
      groups: maybe(fc.subarray(['staff', 'care'])),
      organisation: maybe(fc.constantFrom('retail/nl', 'partners', null)),
      attributes: maybe(fc.constantFrom({}, { grade: '7' })),
    }),
    { nil: undefined, freq: 12 },
  ),
  app: maybe(
    fc.record({
      tags: maybe(fc.subarray(['high-risk', 'store'])),
      tier: maybe(fc.constantFrom('critical', 'standard')),
    }),
  ),
  network: maybe(
    fc
      .record({
        ip: maybe(fc.constantFrom('192.0.2.1', '198.51.100.9', '203.0.113.1', '::ffff:192.0.2.1')),
        place: fc.constantFrom(...PLACES),
      })
      .map(({ ip, place }) => ({ ip, ...place })),
  ),
  history: maybe(history),
  device: maybe(
    fc.record({
      known: maybe(fc.boolean()),
      platform: maybe(fc.constantFrom('android', 'windows')),
      kind: maybe(fc.constantFrom('personal', 'shared')),
      trusted_since: maybe(ago),
    }),
  ),
  session: maybe(
    fc.record({
      started: maybe(ago),
      authenticated: maybe(fc.array(proof, { maxLength: 3 })),
      upstream: maybe(fc.constantFrom(null, {}, { assurance: 'any' }, { assurance: 'hardware' })),
    }),
  ),
}) as fc.Arbitrary<Facts>

/** 250 policies × 40 facts: 10,000 cases for each property. */
const POLICIES = 250
const each = (check: (facts: Facts, judge: (facts: Facts) => Decision, written: object[]) => void) =>
  fc.assert(
    fc.property(rules, fc.array(facts, { minLength: 40, maxLength: 40 }), (written, list) => {
      const policies = policiesOf(written, CUSTOM)
      for (const one of list) check(one, (given) => decide(policies, given, { policy: 'p' }), written)
    }),
    { numRuns: POLICIES },
  )

const RANK = { allow: 0, challenge: 1, deny: 2 }
const table = createStrengths(new Map([['floor', [['passkey'], ['badge', 'pin'], ['password']]]]))
const setOf = ({ required }: Decision) =>
  [required!.strength, ...(required!.also ?? [])].reduce((set, name) => set | table.find(name)!.bit, 0)
const length = (text: string | undefined) => (text === undefined ? Number.POSITIVE_INFINITY : DURATIONS.indexOf(text))

/** Every set of facts that lacks exactly one leaf or branch of these. */
function* lacking(value: object): Generator<object> {
  for (const [key, inner] of Object.entries(value)) {
    if (inner === undefined) continue
    const { [key as keyof typeof value]: _, ...rest } = value as Record<string, unknown>
    yield rest
    if (typeof inner === 'object' && inner !== null && !Array.isArray(inner) && key !== 'attributes')
      for (const less of lacking(inner)) yield { ...value, [key]: less }
  }
}

/** What `poorer` allows and `full` does not. */
function loosened(full: Decision, poorer: Decision, nobody: boolean): string | undefined {
  if (full.outcome !== 'allow' && poorer.outcome === 'allow') return 'lets in'
  // nobody is asked to sign in first, even where the answer will be no
  if (nobody) return undefined
  if (RANK[poorer.outcome] < RANK[full.outcome]) return 'outcome'
  if (poorer.outcome === 'deny') return undefined
  const [strict, loose] = [
    { every: setOf(poorer), one: 0 },
    { every: setOf(full), one: 0 },
  ]
  for (let factors = 0; factors < 64; factors++) {
    if (meets(table, strict, factors) && !meets(table, loose, factors)) return 'strength'
  }
  if (length(poorer.required!.within) > length(full.required!.within)) return 'within'
  if (length(poorer.session?.idle) > length(full.session?.idle)) return 'idle'
  return poorer.remember_device && !full.remember_device ? 'remember' : undefined
}

/** Facts, and how the conditions that look at them begin. What everybody looks at (time, factors, person) is not here. */
const NAMED_BY: Readonly<Record<string, readonly string[]>> = {
  'user.groups': ['user.groups'],
  'user.organisation': ['user.organisation'],
  'user.attributes': ['user.attribute'],
  'app.tags': ['app.tags'],
  'app.tier': ['app.tier'],
  'network.ip': ['network', 'time'],
  'network.country': ['network', 'country', 'travel.'],
  'network.latitude': ['travel.'],
  'network.longitude': ['travel.'],
  'device.known': ['device.known'],
  'device.platform': ['device.platform'],
  'request.kind': ['request.kind'],
  'session.started': ['session.age'],
  'session.upstream': ['upstream.'],
  'history.previous': ['travel.', 'frequency.'],
  'history.countries': ['travel.new_country'],
  'history.sign_ins': ['frequency.sign_ins'],
  'history.failures': ['frequency.failures'],
  'history.app_opens': ['frequency.app_opens'],
  'history.prompts': ['frequency.prompts'],
}
/** The same for signals: what has to be gathered for it, whoever names it. */
const NEEDED_AS: Readonly<Record<string, readonly Signal[]>> = {
  'network.country': ['place', 'travel'],
  'network.latitude': ['travel'],
  'network.longitude': ['travel'],
  'device.platform': ['platform'],
  'session.upstream': ['upstream'],
  'history.previous': ['travel', 'absence', ...COUNTERS],
  'history.countries': ['countries'],
  ...Object.fromEntries(COUNTERS.map((counter) => [`history.${counter}`, [counter]])),
}
/** Another policy that needs all of it is no reason for this one. */
const EVERYTHING = {
  policy: 'q',
  rules: [
    { name: 'q', when: { country: ['NL'], 'travel.new_country': { over: '1d' }, 'device.platform': 'ios' }, allow: {} },
  ],
}
type Branches = Record<string, Record<string, unknown> | undefined>

const factAt = (facts: Facts, path: string) => {
  const [branch = '', leaf = ''] = path.split('.')
  return (facts as Branches)[branch]?.[leaf]
}

/** Within branches that are there: whether somebody signed in is no small thing. */
function withFact(facts: Facts, path: string, value: unknown): Facts {
  const [branch = '', leaf = ''] = path.split('.')
  const there = (facts as Branches)[branch]
  return there ? ({ ...facts, [branch]: { ...there, [leaf]: value } } as Facts) : facts
}

describe('for all policies and facts', { timeout: 120_000 }, () => {
  test('taking a fact away never loosens the result', () => {
    each((given, judge) => {
      const full = judge(given)
      for (const less of lacking(given) as Generator<Facts>) {
        const poorer = judge(less)
        const broken = loosened(full, poorer, less.user === undefined)
        if (broken) expect.fail(`${broken}: ${JSON.stringify(less)}`)
      }
    })
  })

  test('deciding again gives the same, also from facts that went through JSON', () => {
    each((given, judge) => {
      const first = JSON.stringify(judge(given))
      expect(JSON.stringify(judge(given))).toBe(first)
      expect(JSON.stringify(judge(JSON.parse(JSON.stringify(given))))).toBe(first)
    })
  })

  test('giving what is missing, whichever alternative, turns a challenge into yes', () => {
    each((given, judge) => {
      const full = { ...given, at: NINE, request: { ...given.request, started: nine } }
      const decision = judge(full)
      if (decision.outcome !== 'challenge' || full.user === undefined) return
      expect(decision.missing.length).toBeGreaterThan(0)
      for (const combination of decision.missing) {
        const more = combination.map((factor) => ({ factor, at: nine, user_verified: true, hardware: true }))
        const session = { ...full.session, authenticated: [...(full.session?.authenticated ?? []), ...more] }
        expect(judge({ ...full, session }).outcome).toBe('allow')
        const fewer = { ...session, authenticated: session.authenticated.slice(0, -1) }
        expect(judge({ ...full, session: fewer }).outcome).toBe('challenge')
      }
    })
  })

  test('nobody is let in without a rule that allows, a person and their factors', () => {
    each((given, judge, written) => {
      const decision = judge(given)
      if (decision.outcome !== 'allow') return
      expect(given.user).toBeDefined()
      expect(decision.satisfied_by.length).toBeGreaterThan(0)
      expect(decision.missing).toEqual([])
      expect(written.find((one) => (one as { name: string }).name === decision.rule)).toHaveProperty('allow')
    })
  })

  test('rules in report mode change nothing but the record', () => {
    fc.assert(
      fc.property(
        rules,
        rules,
        fc.nat(4),
        fc.array(facts, { minLength: 20, maxLength: 20 }),
        (written, reports, at, list) => {
          const place = at % (written.length + 1)
          const silent = reports.map((one, i) => ({ ...one, name: `report ${i}`, mode: 'report' }))
          const plain = policiesOf(written, CUSTOM)
          const watched = policiesOf([...written.slice(0, place), ...silent, ...written.slice(place)], CUSTOM)
          for (const given of list) {
            const strip = ({ reported: _, trace, versions: __, line: ___, ...rest }: Decision) => ({
              ...rest,
              rules: trace.filter((one) => !one.mode).map((one) => [one.rule, one.matched]),
            })
            expect(strip(decide(watched, given, { policy: 'p' }))).toEqual(strip(decide(plain, given, { policy: 'p' })))
          }
        },
      ),
      { numRuns: 50 },
    )
  })

  test('what a request wants never loosens the result', () => {
    each((given, judge) => {
      const plain = judge(given)
      for (const wanted of [
        { strength: ['any'] },
        { strength: ['floor', 'two-factors'] },
        { max_age: 600 },
        { fresh: true },
        { strength: ['moon'] },
      ]) {
        const more = judge({ ...given, request: { ...given.request, wanted } })
        expect(RANK[more.outcome]).toBeGreaterThanOrEqual(RANK[plain.outcome])
      }
    })
  })

  test('changing facts that no condition names changes nothing', () => {
    let changed = 0
    fc.assert(
      fc.property(rules, fc.array(fc.tuple(facts, facts), { minLength: 40, maxLength: 40 }), (written, pairs) => {
        const policies = policiesOf(written, CUSTOM)
        const text = JSON.stringify(written)
        const unnamed = Object.entries(NAMED_BY).filter(([, names]) => !names.some((name) => text.includes(`"${name}`)))
        for (const [given, other] of pairs) {
          const swapped = unnamed.reduce((all, [path]) => withFact(all, path, factAt(other, path)), given)
          if (JSON.stringify(swapped) !== JSON.stringify(given)) changed++
          const [before, after] = [given, swapped].map((one) => decide(policies, one, { policy: 'p' }))
          if (JSON.stringify(before) !== JSON.stringify(after)) expect.fail(JSON.stringify([given, swapped]))
        }
      }),
      { numRuns: 2 * POLICIES },
    )
    expect(changed).toBeGreaterThan(10_000)
  })

  test('changing facts that the policy does not say it needs changes nothing, so they need not be gathered', () => {
    let changed = 0
    fc.assert(
      fc.property(rules, fc.array(fc.tuple(facts, facts), { minLength: 40, maxLength: 40 }), (written, pairs) => {
        const policies = policiesOf(written, { ...CUSTOM, 'q.yaml': EVERYTHING })
        const needs = policies.needsOf('p')
        const needless = Object.entries(NEEDED_AS)
          .filter(([, signals]) => !signals.some((signal) => needs.has(signal)))
          .map(([path]) => path)
        for (const [given, other] of pairs) {
          const swapped = needless.reduce((all, path) => withFact(all, path, factAt(other, path)), given)
          if (JSON.stringify(swapped) !== JSON.stringify(given)) changed++
          const [before, after] = [given, swapped].map((one) => decide(policies, one, { policy: 'p' }))
          if (JSON.stringify(before) !== JSON.stringify(after)) expect.fail(JSON.stringify([given, swapped]))
        }
      }),
      { numRuns: 2 * POLICIES },
    )
    expect(changed).toBeGreaterThan(10_000)
  })

  test('a baseline never loosens the result, and it does not matter which of two policies is the baseline', () => {
    let stricter = 0
    fc.assert(
      fc.property(rules, rules, fc.array(facts, { minLength: 40, maxLength: 40 }), (written, common, list) => {
        const both = (one: object[], other: object[]) =>
          policiesOf(one, { ...CUSTOM, 'b.yaml': { policy: 'b', baseline: true, rules: other } })
        const [alone, merged, swapped] = [policiesOf(written, CUSTOM), both(written, common), both(common, written)]
        for (const given of list) {
          const [plain, one, other] = [alone, merged, swapped].map((all) => decide(all, given, { policy: 'p' }))
          const broken = loosened(plain!, one!, false)
          if (broken) expect.fail(`${broken}: ${JSON.stringify(given)}`)
          if (RANK[one!.outcome] > RANK[plain!.outcome]) stricter++
          const parts = ({ outcome, required, satisfied_by, missing, session, remember_device }: Decision) =>
            JSON.stringify([outcome, required, satisfied_by, missing, session, remember_device])
          expect(parts(other!)).toBe(parts(one!))
        }
      }),
      { numRuns: POLICIES },
    )
    expect(stricter).toBeGreaterThan(500)
  })

  test('not, any and all follow the laws of three-valued logic', () => {
    fc.assert(
      fc.property(when, when, fc.array(facts, { minLength: 20, maxLength: 20 }), (a, b, list) => {
        const laws = [
          [{ not: { not: a } }, a],
          [{ not: { all: [a, b] } }, { any: [{ not: a }, { not: b }] }],
          [{ not: { any: [a, b] } }, { all: [{ not: a }, { not: b }] }],
          [{ any: [a, b] }, { any: [b, a] }],
          [{ all: [a, b] }, { all: [b, a] }],
          [{ any: [a, { all: [a, b] }] }, a],
          [{ all: [a, { any: [a, b] }] }, a],
        ]
        const policies = policiesOf(
          laws.flat().map((condition, i) => ({ name: `r${i}`, when: condition, mode: 'report', deny: {} })),
          CUSTOM,
        )
        for (const given of list) {
          const said = decide(policies, given, { policy: 'p' }).trace.map((one) => one.matched)
          for (let i = 0; i < said.length; i += 2) expect(said[i]).toBe(said[i + 1])
        }
      }),
      { numRuns: 500 },
    )
  })
})
