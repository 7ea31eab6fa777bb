/**
 * Small policies, and every situation that matters to them, written down by hand: what `policy check` says of the first
 * is compared with what the second show. Nothing here knows of the check's own samples.
 */
import fc from 'fast-check'
import type { Facts } from '#policy'
import { NETWORKS } from './house.ts'

export const FILES = {
  'networks.yaml': { networks: { ...NETWORKS.networks, yard: { ranges: ['192.0.2.128/25'] } } },
  'strengths.yaml': { strengths: { badges: [['badge', 'pin']], floor: [['passkey'], ['badge', 'pin'], ['password']] } },
}

const HOUR = 3_600_000
const subsets = <T>(all: readonly T[]): T[][] =>
  all.reduce<T[][]>((some, one) => some.concat(some.map((list) => [...list, one])), [[]])
/** Every hour of a week, once in winter and once while New York has summer time and Amsterdam has not. */
const HOURS = [Date.UTC(2026, 0, 19), Date.UTC(2027, 2, 15)].flatMap((from) =>
  Array.from({ length: 168 }, (_, hour) => from + hour * HOUR),
)

type Values = readonly ((facts: Record<string, Record<string, unknown>>) => void)[]
const each = (room: string, name: string, values: readonly unknown[]): Values => [
  () => {},
  ...values.map((value) => (facts: Record<string, Record<string, unknown>>) => {
    facts[room] = { ...facts[room], [name]: value }
  }),
]

interface Dimension {
  readonly leaves: readonly object[]
  readonly values: Values
  of(facts: Facts): unknown
}

/** Of each fact: conditions on it, and all of its values that they can tell apart; the first leaves it out. */
const DIMENSIONS: Readonly<Record<string, Dimension>> = {
  groups: {
    of: ({ user }) => user?.groups,
    leaves: [
      { 'user.groups': ['staff'] },
      { 'user.groups': ['staff', 'care'] },
      { 'user.groups': { all: ['staff', 'care'] } },
      { 'user.groups': { none: ['care', 'administrators'] } },
      { 'user.groups': { in: ['administrators'], unknown: false } },
    ],
    values: each('user', 'groups', subsets(['staff', 'care', 'administrators'])),
  },
  organisation: {
    of: ({ user }) => user?.organisation,
    leaves: [
      { 'user.organisation': ['retail'] },
      { 'user.organisation': { under: ['retail'] } },
      { 'user.organisation': { in: ['retail/nl'], unknown: true } },
    ],
    values: each('user', 'organisation', ['retail', 'retail/nl', 'retail/be', 'retailer', null]),
  },
  attributes: {
    of: ({ user }) => user?.attributes,
    leaves: [
      { 'user.attribute.grade': ['7'] },
      { 'user.attribute.grade': ['8', '9'] },
      { 'user.attribute.grade': { exists: false } },
      { 'user.attribute.shift': { exists: true } },
    ],
    values: each(
      'user',
      'attributes',
      subsets(['7', '8', '0']).flatMap((grade) => [{ grade }, { grade, shift: 'early' }]),
    ),
  },
  tags: {
    of: ({ app }) => app?.tags,
    leaves: [{ 'app.tags': ['high-risk'] }, { 'app.tags': ['store'] }, { 'app.tags': { none: ['store'] } }],
    values: each('app', 'tags', subsets(['high-risk', 'store'])),
  },
  tier: {
    of: ({ app }) => app?.tier,
    leaves: [{ 'app.tier': ['critical'] }, { 'app.tier': ['critical', 'standard'] }],
    values: each('app', 'tier', ['critical', 'standard', 'low', null]),
  },
  network: {
    of: ({ network }) => network?.ip,
    leaves: [
      { network: ['stores'] },
      { network: ['yard'] },
      { network: { outside: ['stores', 'office'] } },
      { network: { in: ['stores'], outside: ['yard'] } },
      { network: { in: ['office'], unknown: true } },
    ],
    values: each('network', 'ip', ['192.0.2.1', '192.0.2.200', '198.51.100.9', '203.0.113.1', '2001:db8:20::1']),
  },
  known: {
    of: ({ device }) => device?.known,
    leaves: [{ 'device.known': true }, { 'device.known': false }, { 'device.known': { is: true, unknown: false } }],
    values: each('device', 'known', [true, false]),
  },
  kind: {
    of: ({ device }) => device?.kind,
    leaves: [{ 'device.kind': 'shared' }, { 'device.kind': 'personal' }, { 'device.kind': ['shared', 'personal'] }],
    values: each('device', 'kind', ['shared', 'personal']),
  },
  request: {
    of: ({ request }) => request?.kind,
    leaves: [{ 'request.kind': ['admin', 'helpdesk'] }, { 'request.kind': ['app', 'api', 'sign-in', 'account'] }],
    values: each('request', 'kind', ['sign-in', 'app', 'api', 'admin', 'account', 'helpdesk']),
  },
  time: {
    of: ({ at }) => at,
    leaves: [
      { time: { days: 'mon-fri', between: '08:00-18:00', zone: 'Europe/Amsterdam' } },
      { time: { days: 'sat', between: '22:00-06:00', zone: 'Europe/Amsterdam' } },
      { time: { between: '08:00-18:00', zone: 'America/New_York' } },
    ],
    values: [
      () => {},
      ...HOURS.map((at) => (facts: Record<string, unknown>) => {
        facts['at'] = at
      }),
    ],
  },
  age: {
    of: ({ session }) => session?.started,
    leaves: [{ 'session.age': { over: '8h' } }, { 'session.age': { over: '1h' } }, { 'session.age': { over: '0s' } }],
    values: each(
      'session',
      'started',
      [0, 1, HOUR, HOUR + 1, 8 * HOUR, 8 * HOUR + 1].map((age) => HOURS[0]! - age),
    ),
  },
}

export interface SmallWorld {
  readonly rules: readonly object[]
  /** The facts that its conditions look at. */
  readonly names: readonly string[]
}

const verdict = fc.constantFrom<object>(
  { allow: {} },
  { allow: { strength: 'two-factors', within: '0s' } },
  { allow: { strength: 'badges' } },
  { deny: {} },
)

/** Rules on up to three facts. A fact whose time matters is told by its age, so `at` is known then. */
export const smallWorld: fc.Arbitrary<SmallWorld> = fc
  .uniqueArray(fc.constantFrom(...Object.keys(DIMENSIONS).filter((name) => name !== 'time'), 'groups', 'network'), {
    minLength: 1,
    maxLength: 3,
  })
  .chain((names) =>
    fc.tuple(
      fc.constant(names),
      fc.nat(7).map((n) => n === 0 && !names.includes('age')),
    ),
  )
  .chain(([some, withTime]) => {
    const names = withTime ? [...some.slice(0, 1), 'time'] : some
    const leaf = fc.constantFrom(...names.flatMap((name) => DIMENSIONS[name]!.leaves))
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
    const rule = fc.record({
      when: fc.option(when, { nil: undefined, freq: 6 }),
      verdict,
      mode: fc.constantFrom('enforce', 'enforce', 'enforce', 'enforce', 'report'),
    })
    return fc.array(rule, { minLength: 1, maxLength: 4 }).map((rules) => ({
      rules: rules.map(({ when: condition, verdict: says, mode }, index) => ({
        name: `r${index}`,
        ...(condition && { when: condition }),
        ...says,
        mode,
      })),
      names,
    }))
  })

const universes = new Map<string, Facts[]>()

/** Every situation that conditions on these facts can tell apart. */
export function universeOf(names: readonly string[]): Facts[] {
  const key = [...names].sort().join()
  let universe = universes.get(key)
  if (!universe) {
    const start: object = { user: {}, ...(names.includes('age') && { at: HOURS[0] }) }
    universe = names.reduce<object[]>(
      (all, name) =>
        all.flatMap((facts) =>
          DIMENSIONS[name]!.values.map((set) => {
            const more = { ...facts }
            set(more as never)
            return more
          }),
        ),
      [start],
    ) as Facts[]
    universes.set(key, universe)
  }
  return universe
}

/** True where no fact that these conditions look at is left out. */
export const isKnown = (facts: Facts, names: readonly string[]): boolean =>
  names.every((name) => DIMENSIONS[name]!.of(facts) !== undefined)
