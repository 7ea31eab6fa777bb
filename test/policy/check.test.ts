/** What `policy check` says of policies that are sound as files. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { FactorKind } from '#factors'
import { checkPolicies, type HouseFacts, loadPolicies, type Policies } from '#policy'
import { FACTORS } from '../../src/factors/kinds/list.ts'
import { FINDINGS } from '../../src/policy/check/finding.ts'
import { findLockouts } from '../../src/policy/check/lockout.ts'
import { reachOf } from '../../src/policy/check/reach.ts'
import { createWorld } from '../../src/policy/check/world.ts'
import { givable, OWN_FACTORS } from '../../src/policy/factors.ts'
import { CHANGES } from '../../src/policy/suggest/change.ts'
import type { Draft } from '../../src/policy/when.ts'
import { policiesOf } from './house.ts'

const root = join(import.meta.dirname, '../..')
const OWN = {
  'account.yaml': { policy: 'account', rules: [{ name: 'everybody', allow: {} }] },
  'admin.yaml': {
    policy: 'administrators',
    rules: [{ name: 'all', when: { 'user.groups': ['administrators'] }, allow: {} }],
  },
}
const STRENGTHS = {
  's.yaml': { strengths: { floor: [['passkey'], ['badge', 'pin']], badges: [['badge', 'pin'], ['badge']] } },
}

/** Findings about a policy `p` of these rules, as `code message`. */
const check = (rules: unknown, more: Readonly<Record<string, unknown>> = {}, house?: HouseFacts) =>
  checkPolicies(policiesOf(rules, { ...OWN, ...STRENGTHS, ...more }), house).map(
    ({ code, message }) => `${code} ${message}`,
  )

const staff = { 'user.groups': ['staff'] }
const rule = (name: string, when?: object, verdict: object = { allow: {} }) => ({
  name,
  ...(when && { when }),
  ...verdict,
})

describe('a rule that never decides', () => {
  test('is unreachable where it has no say at all', () => {
    expect(check([rule('everybody'), rule('staff', staff)])).toEqual([
      'rule-unreachable `staff` never decides: whenever it matches, `everybody` has decided before',
    ])
  })

  test('is shadowed where only the unknown leaves it a say', () => {
    expect(check([rule('care or staff', { 'user.groups': ['staff', 'care'] }), rule('staff', staff)])).toEqual([
      'rule-shadowed `staff` never decides: whenever it matches, `care or staff` has decided before; only where a fact is unknown does it still make the answer stricter',
    ])
  })

  test('is told with the fewest rules that are the reason, not with every one before it', () => {
    const [found] = check([
      rule('care', { 'user.groups': ['care'] }),
      rule('in a store', { network: ['stores'], ...staff }),
      rule('outside of stores', { network: { outside: ['stores'] }, ...staff }),
      rule('staff at the office', { network: ['office'], ...staff }),
      rule('staff in both', { any: [{ network: ['stores'] }, { network: ['office'] }], ...staff }),
    ]).filter((line) => line.includes('`staff in both`'))
    expect(found).toContain('`in a store` or `outside of stores` has decided before')
  })

  test('never matches where its conditions exclude one another', () => {
    const [found] = check([rule('nowhere', { network: { in: ['stores'], outside: ['stores'] } }), rule('staff', staff)])
    expect(found).toMatch(/^rule-never-matches `nowhere` never matches/)
    expect(check([rule('two tiers', { all: [{ 'app.tier': ['a'] }, { 'app.tier': ['b'] }] })])[0]).toContain(
      'two tiers',
    )
    expect(
      check([
        rule('windows', {
          all: [
            { time: { days: 'mon-fri', zone: 'Europe/Amsterdam' } },
            { time: { days: 'sat-sun', zone: 'Europe/Amsterdam' } },
          ],
        }),
      ])[0],
    ).toContain('windows')
  })

  test('is none where a clock in another zone tells them apart', () => {
    const windows = [
      { time: { between: '08:00-12:00', zone: 'Europe/Amsterdam' } },
      { time: { between: '02:00-06:00', zone: 'America/New_York' } },
    ]
    // six hours apart they are the same four hours; for two weeks in March they are five
    expect(
      check([rule('both', { all: windows }), rule('one', windows[0])]).filter((line) => !line.startsWith('gap')),
    ).toEqual([])
  })

  test('is not shadowed by a rule that only reports, and a reporting one is told as such', () => {
    expect(check([{ ...rule('everybody'), mode: 'report' }, rule('staff', staff)])).toEqual([])
    expect(check([rule('everybody'), { ...rule('staff', staff), mode: 'report' }])).toEqual([
      'rule-unreachable `staff` is never reported: whenever it matches, `everybody` has decided before',
    ])
  })

  test('is told where it stands', () => {
    const file = 'policy: p\nrules:\n  - { name: everybody, allow: {} }\n  - name: staff\n    allow: {}\n'
    const found = checkPolicies(policiesOf([rule('x')], { ...OWN, 'p.yaml': file }))
    expect(found).toMatchObject([{ severity: 'warning', file: expect.stringMatching(/p\.yaml$/), line: 4, column: 5 }])
  })
})

describe('what is asked and cannot be done', () => {
  const allow = (terms: object) => [rule('staff', undefined, { allow: terms })]

  test('a strength for which nobody has the factors', () => {
    expect(check(allow({ strength: 'badges' }))).toEqual([
      'strength-unreachable `staff` asks for `badges`, which nobody can meet: this version has no `badge` and `pin`',
    ])
    expect(check(allow({ strength: 'floor' }))).toEqual([])
  })

  const api = { 'request.kind': ['api'] }
  test.each<[object, object, string?]>([
    [api, { strength: 'two-factors' }, '`two-factors`'],
    [api, { within: '1h' }, 'a fresh proof (`within`)'],
    [{ 'client.id': ['sync'] }, { within: '0s' }, 'a fresh proof (`within`)'],
    [{ any: [{ 'client.organisation': ['northwind'] }, api] }, { strength: 'hardware' }, '`hardware`'],
    [
      { not: { 'request.kind': ['app', 'sign-in', 'account', 'admin', 'helpdesk'] } },
      { within: '1h' },
      'a fresh proof',
    ],
    // programs can meet this one
    [api, { token: { max: '5m' } }],
    // and people may be meant by these
    [{ 'request.kind': ['api', 'app'] }, { strength: 'two-factors' }],
    [{ any: [{ 'client.id': ['sync'] }, staff] }, { strength: 'two-factors' }],
    [{ not: { 'client.id': ['sync'] } }, { strength: 'two-factors' }],
    [staff, { strength: 'two-factors' }],
    // one that matches nobody is told as such
    [{ all: [api, { 'request.kind': ['app'] }] }, { strength: 'two-factors' }],
  ])('programs have no factors: %j that allows %j', (when, terms, what) => {
    const found = check([rule('programs', when, { allow: terms }), rule('rest', { 'user.groups': ['x'] })])
    const told = found.filter((line) => line.startsWith('strength-unreachable'))
    expect(told).toEqual(what === undefined ? [] : [expect.stringContaining(`\`programs\` asks for ${what}`)])
  })

  test('the factors that can be given are those that have a kind', () => {
    // complete, or it would not compile
    const kinds: Record<FactorKind, true> = { password: true, passkey: true, totp: true, 'recovery-code': true }
    expect(OWN_FACTORS.filter(givable).sort()).toEqual(Object.keys(kinds).sort())
    expect(FACTORS).toHaveLength(Object.keys(kinds).length)
  })

  test.each([
    [{ strength: 'two-factors', within: '0s', remember_device: '30d' }, 'every factor fresh'],
    [{ strength: 'two-factors', remember_device: '0s' }, 'remembers for `0s`'],
    [{ strength: 'any', remember_device: '30d' }, '`two-factors` only'],
    [{ strength: 'hardware', remember_device: '30d' }, '`two-factors` only'],
  ])('remembering with %j', (terms, why) => {
    expect(check(allow(terms))).toEqual([expect.stringMatching(`^remember-without-effect .*${why}`)])
  })

  test('a session without length', () => {
    for (const session of [{ max: '0s' }, { idle: '0s' }])
      expect(check(allow({ session }))).toEqual([expect.stringMatching(/^session-ends-at-once /)])
    expect(check(allow({ strength: 'two-factors', remember_device: '30d', session: { max: '1h' } }))).toEqual([])
  })
})

describe('a gap', () => {
  test('is told in words, with the same people let in and refused', () => {
    expect(check([rule('in a store', { network: ['stores'], 'device.known': true, ...staff })])).toEqual([
      expect.stringMatching(
        /^gap `in a store` lets in somebody in `staff`, but no rule decides about them from outside of all networks that are named, on a known device: /,
      ),
    ])
  })

  test('is closed by a rule that denies, or that lets the same people in elsewhere', () => {
    const first = rule('in a store', { network: ['stores'], ...staff })
    expect(check([first, rule('elsewhere', staff)])).toEqual([])
    expect(check([first, rule('no', undefined, { deny: {} })])).toEqual([])
    expect(check([first, rule('care', { 'user.groups': ['care'] })])).toHaveLength(1)
  })

  test('is nothing to tell where people are let in nowhere', () => {
    expect(
      check([rule('care', { 'user.groups': ['care'] }), rule('elsewhere', { network: ['stores'] }, { deny: {} })]),
    ).toEqual([])
  })

  test('is told once for rules that leave the same one', () => {
    const found = check([
      rule('stores', { network: ['stores'], ...staff }),
      rule('office', { network: ['office'], ...staff }),
      rule('nights', {
        time: { between: '22:00-06:00', zone: 'Europe/Amsterdam' },
        'session.age': { over: '8h' },
        'user.groups': ['care'],
      }),
    ])
    expect(found.map((line) => line.split(',')[0])).toEqual([
      'gap `stores` lets in somebody in `staff`',
      'gap `nights` lets in somebody in `care`',
    ])
    expect(found[1]).toMatch(/on mon \d\d:\d\d UTC|with a session that is/)
  })
})

describe('entrances of the gateway itself', () => {
  const without = (name: string) => ({ [name]: 'networks: {}\n' })
  const nobody = { groups: [], apps: [] }

  test('that have no policy are told, and are an error for a gateway that exists', () => {
    const policies = policiesOf([rule('staff', staff)], {
      'account.yaml': OWN['account.yaml'],
      ...without('admin.yaml'),
    })
    expect(checkPolicies(policies)).toMatchObject([{ code: 'entrance-without-policy', severity: 'warning' }])
    expect(checkPolicies(policies, nobody).filter(({ severity }) => severity === 'error')).toMatchObject([
      { message: 'there is no policy `administrators`, so nobody can reach the console' },
    ])
  })

  test.each([
    ['denies them', [rule('no', { 'user.groups': ['administrators'] }, { deny: {} }), rule('rest')]],
    ['never mentions them', [rule('staff', { 'user.groups': { in: ['staff'] }, 'request.kind': ['helpdesk'] })]],
    ['asks what nobody has', [rule('all', undefined, { allow: { strength: 'badges' } })]],
    ['lets only others in', [rule('others', { 'user.groups': { none: ['administrators'] } })]],
  ])('are closed where the policy %s', (_, rules) => {
    const found = checkPolicies(
      policiesOf([rule('x')], { ...OWN, ...STRENGTHS, 'admin.yaml': { policy: 'administrators', rules } }),
    )
    expect(found.filter(({ severity }) => severity === 'error')).toMatchObject([
      { code: 'administrators-locked-out', message: expect.stringContaining('reach the console') },
    ])
  })

  test('are closed where the baseline denies, and the page for changes is an entrance of its own', () => {
    const base = {
      policy: 'base',
      baseline: true,
      rules: [rule('no changes', { 'request.kind': ['account'] }, { deny: {} }), rule('rest')],
    }
    const found = checkPolicies(policiesOf([rule('x')], { ...OWN, 'base.yaml': base }))
    expect(found.map(({ code, message }) => `${code} ${message}`)).toEqual([
      'administrators-locked-out `account` never lets a member of `administrators` change how they sign in (`request.kind: account`), whatever they give',
    ])
  })

  test('are open where only one place, device and hour lets them in', () => {
    const when = {
      'user.groups': ['administrators'],
      network: ['office'],
      'device.enrolled': true,
      time: { days: 'sun', between: '03:00-03:30', zone: 'Asia/Kathmandu' },
    }
    const admin = {
      policy: 'administrators',
      rules: [rule('narrow', when, { allow: { strength: 'hardware', within: '0s' } })],
    }
    const found = checkPolicies(policiesOf([rule('x')], { ...OWN, 'admin.yaml': admin }))
    expect(found.map(({ code }) => code)).toEqual(['gap'])
  })
})

describe('against the database', () => {
  const house = { groups: ['staff', 'administrators'], apps: [{ id: 'crm', policy: 'p' }] }

  test('groups and apps that do not exist are told where they are named', () => {
    const file =
      'policy: p\nrules:\n  - name: r\n    when:\n      user.groups: [stuff]\n      app.id: [crn]\n      client.id: [crm]\n    allow: {}\n'
    expect(checkPolicies(policiesOf([], { ...OWN, 'p.yaml': file }), house)).toMatchObject([
      {
        code: 'unknown-group',
        line: 5,
        column: 7,
        severity: 'warning',
        message: '`stuff` is a group that nobody is in; did you mean `staff`?',
      },
      { code: 'unknown-app', line: 6, column: 7, message: '`crn` is no app that is registered; did you mean `crm`?' },
    ])
  })

  test('an app whose policy does not exist is an error, a policy of nothing a notice', () => {
    const apps = [{ id: 'crm', policy: 'gone' }]
    expect(checkPolicies(policiesOf([rule('staff', staff)], OWN), { ...house, apps })).toMatchObject([
      {
        code: 'app-without-policy',
        severity: 'error',
        message: expect.stringContaining('app `crm` names the policy `gone`'),
      },
      { code: 'policy-unused', severity: 'notice' },
    ])
    const base = { 'b.yaml': { policy: 'base', baseline: true, rules: [rule('all')] } }
    expect(check([rule('staff', staff)], base, house)).toEqual([])
    expect(check([rule('staff', staff)], {}, { ...house, apps: [] })).toEqual([])
  })
})

describe('what cannot be known', () => {
  test('too many combinations are told, and are not "fine"', () => {
    // both sides of `all` want one of sixteen groups, and no two lists agree, so nothing can be left out
    const lists = Array.from({ length: 16 }, (_, i) => [`g${i}`, `g${(i * 5 + 3) % 16}`, `g${(i * 7 + 5) % 16}`])
    const all = lists.map((list) => ({ 'user.groups': list }))
    const hard = [
      rule('puzzle', {
        all: [...all, { not: { all: [...all, { any: lists.map((list) => ({ 'user.groups': { all: list } })) }] } }],
      }),
      rule('same', {
        all: [...all, { not: { all: [...all, { any: lists.map((list) => ({ 'user.groups': { all: list } })) }] } }],
      }),
    ]
    expect(check(hard)).toEqual([
      'too-many-combinations `p` has too many combinations to be sure that `same` ever decide',
    ])
  })

  test('a condition that cannot be tried out may answer anything, so nothing is called dead because of it', () => {
    const rules = [
      rule('known', { 'device.known': true }),
      rule('new', { 'device.known': false }),
      rule('known again', { 'device.known': true }),
      rule('neither', { all: [{ 'device.known': true }, { not: { 'device.known': true } }] }),
    ]
    const policies = withoutSamples(policiesOf(rules, OWN), 'device.known')
    const policy = policies.find('p')!
    const kinds = reachOf(policy, createWorld(policies, policy.rules), { left: 10_000 }).map(({ kind }) => kind)
    expect(kinds).toEqual(['decides', 'decides', 'shadowed', 'never-matches'])
    expect(checkPolicies(policies).map(({ code }) => code)).toContain('condition-untried')
  })

  test('whether such a condition opens an entrance is not claimed', () => {
    const admin = { policy: 'administrators', rules: [rule('known', { 'device.known': true })] }
    const policies = withoutSamples(policiesOf([rule('x')], { ...OWN, 'admin.yaml': admin }), 'device.known')
    expect(findLockouts(policies, true, { left: 10_000 })).toMatchObject([
      { code: 'condition-untried', severity: 'warning' },
    ])
  })
})

/** The same policies, as if a condition had no samples. */
function withoutSamples(policies: Policies, name: string): Policies {
  const strip = (draft: Draft): Draft => {
    if (draft.join === 'not') return { ...draft, part: strip(draft.part) }
    if (draft.join !== 'condition') return { ...draft, parts: draft.parts.map(strip) }
    const { samples, ...condition } = draft.condition
    return condition.name === name ? { ...draft, condition } : draft
  }
  const list = policies.list.map((policy) => ({
    ...policy,
    rules: policy.rules.map((one) => ({ ...one, ...(one.draft && { draft: strip(one.draft) }) })),
  }))
  return { ...policies, list, find: (wanted) => list.find((policy) => policy.name === wanted) }
}

test('the shipped policies have no finding', () => {
  const { policies } = loadPolicies(join(root, 'policies'))
  expect(checkPolicies(policies!)).toEqual([])
})

test('two hundred rules over fifty groups and seven thousand sites are not too many combinations', () => {
  const sites = Array.from({ length: 7000 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24,site ${i}`).join('\n')
  const groups = (i: number) => [`g${i % 50}`, `g${(i * 7) % 50}`]
  const rules = Array.from({ length: 200 }, (_, i) =>
    rule(`r${i}`, { 'user.groups': groups(i), 'app.tags': [`t${i}`], network: [i % 2 ? 'sites' : 'office'] }),
  )
  const files = {
    'sites.yaml': { networks: { sites: { file: 'sites.csv' } } },
    'sites.csv': `cidr,site\n${sites}\n`,
  }
  const last = rule('last again', { 'user.groups': groups(199), 'app.tags': ['t199'], network: ['sites'] })
  const found = check([...rules, rule('rest', undefined, { deny: {} }), last], files)
  expect(found.map((line) => line.slice(0, 50))).toEqual(['rule-unreachable `last again` never decides: whene'])
})

test('docs/policy.md has every finding with its severity, and every change, and no other', () => {
  const page = readFileSync(join(root, 'docs/policy.md'), 'utf8')
  const rowsOf = (heading: string) =>
    [
      ...page
        .split(`## ${heading}`)[1]!
        .split('\n## ')[0]!
        .matchAll(/^\| `([a-z-]+)` \| (\w+)/gm),
    ].map(([, code, first]) => [code, first])
  expect(rowsOf('What check finds').sort()).toEqual(Object.entries(FINDINGS).sort())
  expect(rowsOf('The smallest change that would pass').map(([code]) => code)).toEqual(CHANGES)
})

test('of an entrance with thousands of rules nothing is tried out, for a server asks this between two requests', () => {
  const closed = (count: number) => {
    const rules = Array.from({ length: count }, (_, n) => ({
      name: `r${n}`,
      when: { 'user.groups': { none: ['administrators'] } },
      allow: {},
    }))
    const budget = { left: 100_000 }
    const policies = policiesOf([{ name: 'all', allow: {} }], {
      ...OWN,
      'admin.yaml': { policy: 'administrators', rules },
    })
    const codes = findLockouts(policies, true, budget).map(({ code }) => code)
    return { codes, tried: budget.left < 99_900 }
  }
  expect(closed(30)).toEqual({ codes: ['administrators-locked-out'], tried: true })
  expect(closed(2001)).toEqual({ codes: ['too-many-combinations'], tried: false })
})
