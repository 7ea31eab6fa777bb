/** `policy check` tries enough: places, sites and their clocks, journeys, counts, and what others vouch for. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkPolicies, type Facts, loadPolicies, type Policies, parseFacts, type Rule } from '#policy'
import { search } from '../../src/policy/check/search.ts'
import { createWorld } from '../../src/policy/check/world.ts'
import { createScene } from '../../src/policy/scene.ts'
import { inFolder, NETWORKS, nine, policiesOf } from './house.ts'

const PLAIN = { networks: { ...NETWORKS.networks, home: { countries: ['NL', 'BE'] } } }
const SITES =
  'cidr,site,country,zone\n10.0.1.0/24,nl,NL,Europe/Amsterdam\n10.0.2.0/24,us,US,America/New_York\n10.0.3.0/24,no,,\n'
const LOCATED = 'cidr,site,latitude,longitude\n10.0.1.0/24,nl,52.1,5.1\n10.0.2.0/24,us,40.7,-74\n'
const files = (csv: string | undefined) => ({
  'networks.yaml': PLAIN,
  ...(csv && { 'branches.yaml': { networks: { branches: { file: 'branches.csv' } } }, 'branches.csv': csv }),
})

/** What may stand together in the rules of one policy. */
const PLACE = [
  { country: ['NL'] },
  { country: { outside: ['NL', 'BE'] } },
  { country: ['unknown', 'US'] },
  { country: { in: ['DE'], unknown: true } },
  { network: ['home'] },
  { network: { in: ['stores'], outside: ['home'] } },
  { network: ['office'] },
]
const PAST = [
  { 'travel.speed': { over: 900 } },
  { 'travel.speed': { over: 100 } },
  { 'travel.speed': { over: 0 } },
  { 'travel.distance': { over: 500 } },
  { 'travel.distance': { over: 5000, unknown: false } },
  { 'frequency.absent': { over: '30d' } },
  { 'frequency.absent': { over: '1h' } },
  { 'frequency.sign_ins': { over: 3, within: '5m' } },
  { 'session.age': { over: '8h' } },
]
const OFTEN = [
  { 'frequency.sign_ins': { over: 3, within: '5m' } },
  { 'frequency.sign_ins': { over: 10, within: '5m' } },
  { 'frequency.sign_ins': { over: 3, within: '1h' } },
  { 'frequency.failures': { over: 3, within: '1h' } },
  { 'frequency.absent': { over: '30d' } },
]
const COUNTRIES = [
  { 'travel.new_country': { over: 30 } },
  { 'travel.new_country': { over: '90d' } },
  { country: ['NL'] },
  ...OFTEN.slice(0, 1),
]
const CLOCKS = [
  { time: { between: '08:00-18:00', zone: 'site' } },
  { time: { days: 'mon-fri', zone: 'site' } },
  { time: { between: '12:00-20:00', zone: 'Europe/Amsterdam' } },
  { 'device.site': ['nl', 'elsewhere'] },
  { network: ['stores'] },
]
const VOUCHED = [
  { 'upstream.assurance': ['two-factors'] },
  { 'upstream.assurance': ['any', 'hardware'] },
  { 'session.age': { over: '8h' } },
  { 'user.groups': ['staff'] },
]

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 4 })
const country = fc.constantFrom('NL', 'BE', 'US', 'DE', 'FR')
const minute = 60_000
const ago = fc
  .constantFrom(0, 1, 9, 61, 300, 600, 30 * 1440, 31 * 1440, 100 * 1440)
  .map((minutes) => nine - minutes * minute)
const spot = fc.constantFrom([52, 5], [52.5, 5], [48, 2], [40, -74], [-52, -175])
const located = <T extends object>(rest: fc.Arbitrary<T>) =>
  fc.tuple(rest, maybe(spot)).map(([one, at]) => ({ ...one, ...(at && { latitude: at[0], longitude: at[1] }) }))
const past = located(fc.record({ at: ago, country }, { requiredKeys: [] }))
const counts = fc
  .array(fc.record({ within: fc.constantFrom('1m', '5m', '10m', '1h'), count: fc.constantFrom(0, 3, 4, 11) }), {
    maxLength: 3,
  })
  // what happened in a window happened in every longer one
  .map((list) =>
    list
      .toSorted((a, b) => a.count - b.count)
      .map((one, i, all) => ({
        ...one,
        within: all.map(({ within }) => within).sort((a, b) => length(a) - length(b))[i]!,
      })),
  )
const length = (text: string) => ({ '1m': 1, '5m': 5, '10m': 10, '1h': 60 })[text]!
const facts = fc.record({
  at: maybe(fc.integer({ min: 0, max: 14 * 24 }).map((hour) => nine + hour * 60 * minute)),
  user: fc.record({ groups: maybe(fc.subarray(['staff'])) }),
  network: maybe(
    located(
      fc.record(
        {
          ip: fc.constantFrom('192.0.2.1', '198.51.100.9', '203.0.113.1', '10.0.1.7', '10.0.2.7', '10.0.3.7'),
          country: fc.option(country),
        },
        { requiredKeys: [] },
      ),
    ),
  ),
  device: maybe(fc.record({ site: maybe(fc.constantFrom('nl', 'us', 'no', 'elsewhere', null)) })),
  session: maybe(
    fc.record({
      started: maybe(ago),
      upstream: maybe(fc.option(fc.record({ assurance: maybe(fc.constantFrom('any', 'two-factors', 'hardware')) }))),
    }),
  ),
  history: maybe(
    fc.record({
      previous: maybe(fc.oneof(fc.constant(null), past, fc.array(past, { minLength: 1, maxLength: 4 }))),
      countries: maybe(fc.array(fc.record({ country, at: maybe(ago) }), { maxLength: 3 })),
      sign_ins: maybe(counts),
      failures: maybe(counts),
    }),
  ),
}) as fc.Arbitrary<Facts>

const rulesOf = (leaves: readonly object[]) => {
  const leaf = fc.constantFrom(...leaves)
  const when = fc.oneof(
    leaf,
    leaf,
    fc.tuple(leaf, leaf).map((any) => ({ any })),
    fc.tuple(leaf, leaf).map(([a, b]) => ({ all: [a, { not: b }] })),
  )
  return fc
    .array(when, { minLength: 2, maxLength: 4 })
    .map((list) => list.map((condition, i) => ({ name: `r${i}`, when: condition, allow: {} })))
}

const rowOf = (policies: Policies, rules: readonly Rule[], one: Facts) => {
  const scene = createScene(one, policies.sites)
  return rules.map(({ when }) => when!(scene, []))
}

/** Whatever the rules answer to any facts, they answer to facts that the check makes. */
function tried(leaves: readonly object[], csv: string | undefined, runs = 120) {
  fc.assert(
    fc.property(rulesOf(leaves), fc.array(facts, { minLength: 20, maxLength: 20 }), (written, list) => {
      const policies = policiesOf(written, files(csv))
      const { rules } = policies.find('p')!
      const world = createWorld(policies, rules)
      expect(world.free).toEqual([])
      for (const one of list) {
        const row = rowOf(policies, rules, one)
        const requirements = rules.map((rule, i) => ({
          needs: world.needs(rule),
          holds: (situation: Facts) => world.judge(rule, situation) === row[i],
        }))
        const found = search({ variables: world.variables, requirements, budget: { left: 1_000_000 } })
        expect(found, `${JSON.stringify(row)} ${JSON.stringify(one)} of ${JSON.stringify(written)}`).toBeTypeOf(
          'object',
        )
        const { situation } = found as { situation: Facts }
        expect(rowOf(policies, rules, situation)).toEqual(row)
        expect(parseFacts(situation, 'made').problems).toEqual([])
      }
    }),
    { numRuns: runs },
  )
}

test.each([
  ['countries and networks of countries', PLACE, undefined],
  ['the same where sites say in which country they are', PLACE, SITES],
  ['journeys, absence and the age of a session', PAST, undefined],
  ['how often, and for how long not', OFTEN, undefined],
  ['countries that are new', COUNTRIES, undefined],
  ['the clock of the site', CLOCKS, SITES],
  ['what another provider vouches for', VOUCHED, undefined],
])('enough is tried for %s', (_, leaves, csv) => tried(leaves, csv), 120_000)

test('where sites have places of their own, journeys are taken for any answer', () => {
  const rules = [
    { name: 'fast', when: { 'travel.speed': { over: 900 } }, deny: {} },
    { name: 'faster', when: { 'travel.speed': { over: 1000 } }, deny: {} },
  ]
  const codes = (csv: string | undefined) =>
    checkPolicies(policiesOf(rules, files(csv)))
      .filter(({ file }) => file.endsWith('p.yaml'))
      .map(({ code }) => code)
  expect(codes(undefined)).toEqual(['rule-shadowed'])
  expect(codes(LOCATED)).toEqual(['condition-untried'])
})

test('every condition of the list says what to try for it', () => {
  const rules = [
    { 'travel.speed': { over: 900 } },
    { 'travel.distance': { over: 900 } },
    { 'frequency.absent': { over: '30d' } },
    { 'frequency.prompts': { over: 1, within: '1h' } },
    { 'frequency.app_opens': { over: 1, within: '1h' } },
    ...PLACE,
    ...CLOCKS,
    ...VOUCHED,
  ].map((when, i) => ({ name: `r${i}`, when, allow: {} }))
  const policies = policiesOf(rules, files(undefined))
  expect(createWorld(policies, policies.find('p')!.rules).free).toEqual([])
  const alone = policiesOf([{ name: 'r', when: COUNTRIES[0], allow: {} }], files(undefined))
  expect(createWorld(alone, alone.find('p')!.rules).free).toEqual([])
})

test('many windows of one counter are more than is tried', () => {
  const rules = Array.from({ length: 9 }, (_, i) => ({
    name: `r${i}`,
    when: { 'frequency.sign_ins': { over: i, within: `${i + 1}m` } },
    allow: {},
  }))
  const policies = policiesOf(rules)
  expect(createWorld(policies, policies.find('p')!.rules).free).toEqual(['frequency.sign_ins'])
  expect(inFolder({ 'networks.yaml': NETWORKS }, loadPolicies).problems).toEqual([])
})
