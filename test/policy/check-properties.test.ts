/** `policy check` against brute force: every situation of small worlds, judged one by one. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkPolicies, decide, type Facts, findPolicyErrors, type Policies, parseFacts, type Rule } from '#policy'
import { plainAddress } from '../../src/policy/address.ts'
import { FINDINGS } from '../../src/policy/check/finding.ts'
import { gapOf } from '../../src/policy/check/gaps.ts'
import { letsIn } from '../../src/policy/check/lockout.ts'
import { type Reach, reachOf } from '../../src/policy/check/reach.ts'
import { search } from '../../src/policy/check/search.ts'
import { createWorld } from '../../src/policy/check/world.ts'
import { time } from '../../src/policy/conditions/time.ts'
import { createScene } from '../../src/policy/scene.ts'
import { createSites } from '../../src/policy/sites.ts'
import { createStrengths } from '../../src/policy/strengths.ts'
import type { Truth } from '../../src/policy/truth.ts'
import { createZone, edgesOf, parseRange } from '../../src/policy/zones.ts'
import { load } from './house.ts'
import { FILES, isKnown, type SmallWorld, smallWorld, universeOf } from './small-worlds.ts'

const budget = () => ({ left: 1_000_000 })

/** Loads many small policies at once; `more` are further documents. */
function loaded(worlds: readonly SmallWorld[], more: Readonly<Record<string, unknown>> = {}): Policies {
  const documents = worlds.map(({ rules }, index) => [`p${index}.yaml`, { policy: `p${index}`, rules }] as const)
  const { policies, problems } = load({ ...FILES, ...Object.fromEntries(documents), ...more })
  expect(problems).toEqual([])
  return policies!
}

/** 50 policies a run; `check` gets each with its world. */
const each = (runs: number, check: (policies: Policies, index: number, world: SmallWorld) => void) =>
  fc.assert(
    fc.property(fc.array(smallWorld, { minLength: 50, maxLength: 50 }), (worlds) => {
      const policies = loaded(worlds)
      for (const [index, world] of worlds.entries()) check(policies, index, world)
    }),
    { numRuns: runs },
  )

/** What every rule answers. */
function rowOf(policies: Policies, rules: readonly Rule[], facts: Facts): Truth[] {
  const scene = createScene(facts, policies.sites)
  return rules.map(({ when }) => (when ? when(scene, []) : true))
}

describe('rules that never decide', () => {
  test('are found, and no others, and the rules that are named are the reason', () => {
    const kinds = { decides: 0, 'never-matches': 0, shadowed: 0, unsure: 0 }
    each(40, (policies, index, small) => {
      const policy = policies.find(`p${index}`)!
      const reach = reachOf(policy, createWorld(policies, policy.rules), budget())
      const all = universeOf(small.names).map((facts) => rowOf(policies, policy.rules, facts))
      for (const [at, rule] of policy.rules.entries()) {
        const earlier = policy.rules.flatMap(({ mode }, i) => (mode === 'enforce' && i < at ? [i] : []))
        const open = (row: Truth[], by: readonly number[]) => by.every((i) => row[i] !== true)
        const matching = all.filter((row) => row[at] === true)
        const counts = all.some((row) => row[at] !== false && open(row, earlier))
        const found = reach[at]!
        kinds[found.kind]++
        if (matching.some((row) => open(row, earlier)))
          expect(found, `${rule.name} of ${JSON.stringify(small.rules)}`).toEqual({ kind: 'decides' })
        else if (matching.length === 0)
          expect(found, `${rule.name} of ${JSON.stringify(small.rules)}`).toEqual({ kind: 'never-matches', counts })
        else {
          const { by, ...rest } = found as Extract<Reach, { kind: 'shadowed' }>
          expect(rest, `${rule.name} of ${JSON.stringify(small.rules)}`).toEqual({ kind: 'shadowed', counts })
          const named = by.map((one) => policy.rules.indexOf(one))
          expect(matching.some((row) => open(row, named))).toBe(false)
          for (const one of named) {
            const fewer = named.filter((other) => other !== one)
            expect(matching.some((row) => open(row, fewer))).toBe(true)
          }
        }
      }
    })
    // a check that never meets anything dead would prove nothing
    expect(kinds).toMatchObject({ unsure: 0, decides: expect.any(Number) })
    expect(Math.min(kinds['never-matches'], kinds.shadowed)).toBeGreaterThan(100)
  }, 120_000)
})

describe('gaps', () => {
  test('are found wherever somebody who is let in is refused elsewhere without a rule, and nowhere else', () => {
    const seen = { gap: 0, none: 0 }
    each(40, (policies, index, small) => {
      const policy = policies.find(`p${index}`)!
      const world = createWorld(policies, policy.rules)
      const known = universeOf(small.names)
        .filter((facts) => isKnown(facts, small.names))
        .map((facts) => ({ facts, row: rowOf(policies, policy.rules, facts) }))
      const people = Map.groupBy(known, ({ facts: { user, app, request } }) => JSON.stringify([user, app, request]))
      const enforced = policy.rules.flatMap(({ mode }, i) => (mode === 'enforce' ? [i] : []))
      for (const [at, rule] of policy.rules.entries()) {
        if (rule.mode === 'report' || rule.verdict === 'deny') continue
        const gap = gapOf(rule, policy, world, budget())
        const real = [...people.values()].some(
          (places) =>
            places.some(({ row }) => enforced.every((i) => i > at || (row[i] === true) === (i === at))) &&
            places.some(({ row }) => enforced.every((i) => row[i] !== true)),
        )
        expect(typeof gap === 'object' ? 'gap' : gap, `${rule.name} of ${JSON.stringify(small.rules)}`).toBe(
          real ? 'gap' : 'none',
        )
        seen[real ? 'gap' : 'none']++
        if (typeof gap !== 'object') continue
        const judged = (facts: Facts) => decide(policies, facts, { policy: policy.name })
        expect(judged(gap.inside).trace.at(-1)).toMatchObject({ rule: rule.name, matched: true })
        expect(judged(gap.elsewhere)).toMatchObject({ outcome: 'deny', rule: null })
        expect(gap.elsewhere.user).toEqual(gap.inside.user)
      }
    })
    expect(Math.min(seen.gap, seen.none)).toBeGreaterThan(100)
  }, 120_000)
})

describe('an entrance that no administrator can pass', () => {
  /** Every situation of an administrator at the console who has just given everything there is. */
  const administrators = (names: readonly string[]): Facts[] =>
    universeOf(names)
      .filter(({ user, request }) => {
        const right = !names.includes('groups') || user?.groups?.includes('administrators')
        return right && (!names.includes('request') || request?.kind === 'admin')
      })
      .map((facts) => {
        const at = names.includes('time') || names.includes('age') ? facts.at : Date.UTC(2026, 0, 19)
        const factors = ['passkey', 'password', 'totp', 'recovery-code']
        const authenticated = factors.map((factor) => ({ factor, at, user_verified: true, hardware: true }))
        return {
          ...facts,
          at,
          user: { groups: ['administrators'], ...facts.user },
          request: { kind: 'admin' },
          session: { ...facts.session, authenticated },
        }
      })

  test('is found, and no other', () => {
    const seen = { open: 0, closed: 0 }
    each(40, (policies, index, small) => {
      const policy = policies.find(`p${index}`)!
      const found = letsIn(policies, policy, 'admin', budget())
      const open = administrators(small.names).some(
        (facts) => decide(policies, facts, { policy: policy.name }).outcome === 'allow',
      )
      expect(typeof found === 'object' ? 'open' : found, JSON.stringify(small.rules)).toBe(open ? 'open' : 'none')
      seen[open ? 'open' : 'closed']++
    })
    expect(Math.min(seen.open, seen.closed)).toBeGreaterThan(200)
  }, 120_000)

  test('is found where the baseline closes it', () => {
    fc.assert(
      fc.property(smallWorld, fc.nat(3), ({ rules, names }, at) => {
        const split = Math.min(at, rules.length - 1)
        const base = { policy: 'base', baseline: true, rules: rules.slice(split) }
        const policies = loaded([{ names, rules: [...rules.slice(0, split), ...rules.slice(0, 1)].map(named) }], {
          'base.yaml': base,
        })
        const found = letsIn(policies, policies.find('p0')!, 'admin', budget())
        const open = administrators(names).some(
          (facts) => decide(policies, facts, { policy: 'p0' }).outcome === 'allow',
        )
        expect(typeof found === 'object' ? 'open' : found).toBe(open ? 'open' : 'none')
      }),
      { numRuns: 300 },
    )
  }, 120_000)

  const named = (rule: object, index: number) => ({ ...rule, name: `own ${index}` })
})

test('whatever conditions answer in some situation, they answer to facts that the check makes, and these are facts', () => {
  each(40, (policies, index, small) => {
    const { rules } = policies.find(`p${index}`)!
    const world = createWorld(policies, rules)
    const universe = universeOf(small.names)
    for (const facts of universe.filter((_, i) => i % Math.ceil(universe.length / 5) === index % 3)) {
      const row = rowOf(policies, rules, facts)
      const requirements = rules.map((rule, i) => ({
        needs: world.needs(rule),
        holds: (situation: Facts) => world.judge(rule, situation) === row[i],
      }))
      const found = search({ variables: world.variables, requirements, budget: budget() })
      expect(found, `${JSON.stringify(facts)} of ${JSON.stringify(small.rules)}`).toBeTypeOf('object')
      const { situation } = found as { situation: Facts }
      expect(rowOf(policies, rules, situation)).toEqual(row)
      expect(parseFacts(situation, 'made').problems).toEqual([])
    }
  })
}, 120_000)

test('every finding stands at a rule or a policy, with a code of the list, whatever the policies are', () => {
  const odd = ['__proto__', 'constructor', 'a:b', 'a', 'a%3Ab', ' ', 'é']
  const attribute = fc.constantFrom(...odd)
  const house = {
    groups: ['staff'],
    apps: [
      { id: 'a', policy: 'p0' },
      { id: 'b', policy: 'gone' },
    ],
  }
  const strange = fc.tuple(attribute, attribute, attribute).map(([name, word, other]) => ({
    names: [],
    rules: [
      { name: 'one', when: { [`user.attribute.${name}`]: [word, other], 'user.groups': [word] }, allow: {} },
      { name: 'two', when: { [`user.attribute.${other}`]: { in: [word], exists: true }, 'app.id': [name] }, deny: {} },
      { name: 'three', when: { [`user.attribute.${name}`]: [word] }, allow: {} },
    ],
  }))
  fc.assert(
    fc.property(fc.array(fc.oneof(smallWorld, strange), { minLength: 10, maxLength: 10 }), (worlds) => {
      const policies = loaded(worlds)
      for (const { severity, code, message, file, line, column } of checkPolicies(policies, house)) {
        expect(FINDINGS).toHaveProperty(code)
        expect(['error', 'warning', 'notice']).toContain(severity)
        expect(message).toMatch(/^\S.*[^.]$/)
        expect([file.startsWith(policies.folder), line, column > 0]).toEqual([true, 1, true])
      }
      expect(checkPolicies(policies, house)).toEqual(checkPolicies(policies, house))
      const errors = checkPolicies(policies, house).filter(({ severity }) => severity === 'error')
      expect(findPolicyErrors(policies, house.apps)).toEqual(errors)
      expect(errors.map(({ code }) => code)).toContain('app-without-policy')
    }),
    { numRuns: 40 },
  )
}, 60_000)

describe('what is tried instead of everything', () => {
  const byte = fc.constantFrom(0, 1, 127, 128, 255)
  const v4 = fc.tuple(byte, byte, byte, byte).map((parts) => parts.join('.'))
  const v6 = fc
    .array(fc.constantFrom('0', '1', 'ffff', '8000', 'db8'), { minLength: 8, maxLength: 8 })
    .map((parts) => parts.join(':'))
  const ranges = fc.array(
    fc.oneof(fc.tuple(v4, fc.integer({ min: 0, max: 32 })), fc.tuple(v6, fc.integer({ min: 0, max: 128 }))),
    { minLength: 1, maxLength: 4 },
  )

  test('every address lies in the same networks as one of the edges', () => {
    fc.assert(
      fc.property(
        fc.array(ranges, { minLength: 1, maxLength: 3 }),
        fc.array(fc.oneof(v4, v6), { minLength: 20, maxLength: 20 }),
        (lists, addresses) => {
          const zones = lists.map((list, index) =>
            createZone(
              `z${index}`,
              list.flatMap(([address, bits]) => parseRange(`${address}/${bits}`) ?? []),
            ),
          )
          const inside = (address: string) => zones.map((zone) => zone.contains(plainAddress(address)!)).join()
          const tried = new Set(['0.0.0.0', '::', ...zones.flatMap(edgesOf)].map(inside))
          for (const address of addresses) expect(tried).toContain(inside(address))
        },
      ),
      { numRuns: 600 },
    )
  })

  const hour = fc.integer({ min: 0, max: 95 }).map((quarter) => {
    const two = (n: number) => String(n).padStart(2, '0')
    return `${two(Math.floor(quarter / 4))}:${two((quarter % 4) * 15)}`
  })
  const window = fc
    .record({
      days: fc.constantFrom('mon-fri', 'sat', 'sun-tue', ['wed', 'fri']),
      between: fc.tuple(hour, hour).filter(([from, to]) => from !== to),
      zone: fc.constantFrom('Europe/Amsterdam', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'UTC'),
    })
    .map(({ between, ...rest }) => ({ ...rest, between: between.join('-') }))

  test('at every instant the clocks on the walls answer as at one of those that are tried', () => {
    fc.assert(
      fc.property(
        fc.array(window, { minLength: 1, maxLength: 3 }),
        fc.array(fc.integer({ min: Date.UTC(2026, 1, 1), max: Date.UTC(2029, 11, 1) }), {
          minLength: 100,
          maxLength: 100,
        }),
        (windows, instants) => {
          const wanted = windows.map((one) => time.wanted.parse(one))
          const sites = createSites([])
          const strengths = createStrengths(new Map())
          const setting = { zones: new Map(), rest: '', sites, strengths, wanted: () => [] }
          const tests = wanted.map((one) => time.prepare(one, setting))
          const answer = (at: number) => {
            const scene = createScene({ at }, sites)
            return tests.map((one) => one.holds(one.see(scene)!, scene)).join()
          }
          const [sample] = time.samples!(wanted, setting)!
          const tried = new Set(('values' in sample! ? sample.values(0) : []).map((at) => answer(at as number)))
          for (const at of instants) expect(tried, new Date(at).toISOString()).toContain(answer(at))
        },
      ),
      { numRuns: 100 },
    )
  }, 60_000)
})
