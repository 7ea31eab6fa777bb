/** Random rules and facts from small worlds, so that they meet often. */
import fc from 'fast-check'
import type { Facts } from '#policy'
import { NINE, nine } from './house.ts'

/** Files beside the policy: a strength of one's own, networks of countries and of sites. */
export const CUSTOM = {
  's.yaml': { strengths: { floor: [['passkey'], ['badge', 'pin'], ['password']] } },
  'n.yaml': { networks: { home: { countries: ['NL', 'BE'] }, sites: { file: 'sites.csv' } } },
  'sites.csv': 'cidr,site,zone\n198.51.100.0/25,office,Europe/Amsterdam\n',
}
const STRENGTHS = ['any', 'two-factors', 'phishing-resistant', 'hardware', 'floor']
/** From the shortest to the longest. */
export const DURATIONS = ['0s', '10m', '1h', '12h']
const hour = 3_600_000

const leaf = fc.constantFrom<object>(
  { 'user.groups': ['staff'] },
  { 'user.groups': { all: ['staff', 'care'] } },
  { 'user.groups': { none: ['care'] } },
  { 'user.organisation': { under: ['retail'] } },
  { 'user.attribute.grade': ['7'] },
  { 'app.tags': ['high-risk'] },
  { 'app.tier': ['critical'] },
  { 'app.probed': { within: '90d' } },
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
export const { when } = fc.letrec<{ when: object }>((tie) => ({
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
    session: fc.record(
      {
        idle: duration,
        max: fc.constantFrom('1h', '12h'),
        ends: fc.constantFrom({ at: '04:00', zone: 'UTC' }, { at: '22:00', zone: 'Europe/Amsterdam' }),
      },
      { requiredKeys: [] },
    ),
    scopes: fc.subarray(['orders:read', 'orders:write', 'stock:read']),
    token: fc.record({ max: fc.constantFrom('10m', '1h', '12h') }),
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
/** What `policiesOf` takes. */
export const rules = fc
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

export const facts: fc.Arbitrary<Facts> = fc.record({
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
      probed: maybe(fc.oneof(ago, fc.constant(null))),
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
