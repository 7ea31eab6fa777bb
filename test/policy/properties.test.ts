/** What holds for all policies and all facts. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { COUNTERS, type Decision, decide, type Facts, type Signal } from '#policy'
import { createStrengths, meets } from '../../src/policy/strengths.ts'
import { NINE, nine, policiesOf } from './house.ts'
import { CUSTOM, DURATIONS, facts, rules, when } from './random.ts'

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
function loosened(full: Decision, poorer: Decision, nobody: boolean, timed = true): string | undefined {
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
  if (length(poorer.session?.max) > length(full.session?.max)) return 'max'
  // of no time nobody can tell the next end
  const ends = full.session?.ends
  if (ends && timed && !(Date.parse(poorer.session?.ends ?? '') <= Date.parse(ends))) return 'ends'
  if (length(poorer.token?.max) > length(full.token?.max)) return 'token'
  if (full.scopes && !poorer.scopes?.every((scope) => full.scopes!.includes(scope))) return 'scopes'
  return poorer.remember_device && !full.remember_device ? 'remember' : undefined
}

/** Facts, and how the conditions that look at them begin. What everybody looks at (time, factors, person) is not here. */
const NAMED_BY: Readonly<Record<string, readonly string[]>> = {
  'user.groups': ['user.groups'],
  'user.organisation': ['user.organisation'],
  'user.attributes': ['user.attribute'],
  'app.tags': ['app.tags'],
  'app.tier': ['app.tier'],
  'app.probed': ['app.probed'],
  'network.ip': ['network', 'time'],
  'network.country': ['network', 'country', 'travel.'],
  'network.latitude': ['travel.'],
  'network.longitude': ['travel.'],
  'device.known': ['device.known'],
  'device.platform': ['device.platform'],
  'request.kind': ['request.kind'],
  // what another provider vouches for without a time counts from there where a session may only last so long
  'session.started': ['session.age', 'max', 'ends'],
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
  test('whether the way is written down or not, the answer is the same', () => {
    fc.assert(
      fc.property(
        rules,
        rules,
        fc.array(facts, { minLength: 40, maxLength: 40 }),
        fc.boolean(),
        (own, other, list, taken) => {
          const written = [{ name: 'taken', when: { network: { in: ['stores'], unknown: taken } }, deny: {} }, ...own]
          const policies = policiesOf(written, {
            ...CUSTOM,
            'base.yaml': { policy: 'b', baseline: true, rules: other },
          })
          for (const one of list) {
            const told = decide(policies, one, { policy: 'p' })
            expect(decide(policies, one, { policy: 'p', trace: false })).toEqual({ ...told, trace: [] })
          }
        },
      ),
      { numRuns: POLICIES },
    )
  })

  test('taking a fact away never loosens the result', () => {
    each((given, judge) => {
      const full = judge(given)
      for (const less of lacking(given) as Generator<Facts>) {
        const poorer = judge(less)
        const broken = loosened(full, poorer, less.user === undefined, less.at !== undefined)
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
          const parts = ({ policy: _, rule: __, line: ___, reported: ____, trace: _____, ...rest }: Decision) =>
            JSON.stringify({ ...rest, versions: undefined })
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
