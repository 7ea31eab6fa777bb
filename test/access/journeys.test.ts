/** Which policies have nothing against where somebody has just signed in. */
import { expect, onTestFinished, test } from 'vitest'
import { type Past, trustedBy } from '#context'
import { hours, minutes } from '#core/clock'
import type { Session } from '#sessions'
import { openRooms } from './rooms.ts'

const START = Date.parse('2026-11-23T09:00:00Z')
const SITES = `cidr,site,latitude,longitude,country
10.1.0.0/16,utrecht,52.09,5.12,NL
10.2.0.0/16,new-york,40.71,-74.01,US
`
const HOME = '10.1.2.3'
const FAR = '10.2.2.3'
/** Of which nothing is known. */
const NOWHERE = '192.0.2.1'
const FAST = { 'travel.speed': { over: 900 } }
const TWICE = { strength: 'two-factors', within: '0s' }
const rest = { name: 'rest', allow: {} }

interface Then {
  readonly address: string
  readonly factors?: readonly string[]
}

/** Signs in at home, and an hour later somewhere else with these factors. */
async function signInTwice(policies: Readonly<Record<string, object>>, then: Then) {
  const time = { now: START }
  const rooms = await openRooms({
    clock: { now: () => time.now },
    policies: {
      'sites.yaml': { networks: { sites: { file: 'sites.csv' } } },
      'sites.csv': SITES,
      ...policies,
      'plain.yaml': { policy: 'plain', rules: [rest] },
    },
    defaults: { idle: hours(2), max: hours(12) },
    people: ['sam'],
  })
  onTestFinished(rooms.close)
  const asked = (policy: string, address: string, session: Session) =>
    rooms.access.preview({ kind: 'app', policy, session, address, startedAt: time.now })
  const signIn = async (address: string, factors: readonly string[]) => {
    const proofs = factors.map((factor) => ({ factor, at: time.now, amr: [] }) as never)
    const { session } = await rooms.sessions.start({ personId: 'sam', proofs, address, enrolled: null })
    // through an app that asks for nothing: what counts is what the others would say
    await rooms.access.memory.signedIn('sam', address, (await asked('plain', address, session)).facts)
    return session
  }
  await signIn(HOME, ['password'])
  time.now += minutes(60)
  const session = await signIn(then.address, then.factors ?? ['password'])
  const past = (await rooms.history.past('sam')) as Past
  expect(past.last.address).toBe(then.address)
  return { past, factsOf: async (policy: string) => (await asked(policy, then.address, session)).facts }
}

/** Where a policy of these rules then measures from. */
const measuresFrom = async (rules: readonly object[], then: Then) =>
  trustedBy((await signInTwice({ 'p.yaml': { policy: 'p', rules } }, then)).past, 'p').address

test.each([
  ['a journey that asks for more', [{ name: 'fast', when: FAST, allow: TWICE }, rest]],
  ['a journey that denies', [{ name: 'fast', when: FAST, deny: {} }, rest]],
  [
    'the other way round',
    [
      { name: 'slow', when: { not: FAST }, allow: {} },
      { name: 'rest', allow: TWICE },
    ],
  ],
  ['deep inside', [{ name: 'fast', when: { any: [{ all: [FAST] }] }, allow: TWICE }, rest]],
  ['for a risky app only', [{ name: 'fast', when: { 'app.tags': ['risky'], ...FAST }, deny: {} }, rest]],
])('a policy goes on measuring from home after a password far away: %s', async (_, rules) => {
  expect(await measuresFrom(rules, { address: FAR })).toBe(HOME)
})

test.each([
  ['what it asks was given', [{ name: 'fast', when: FAST, allow: TWICE }, rest], FAR],
  [
    'the other way round',
    [
      { name: 'slow', when: { not: FAST }, allow: {} },
      { name: 'rest', allow: TWICE },
    ],
    FAR,
  ],
  ['it denies all the same', [{ name: 'fast', when: FAST, deny: {} }, rest], HOME],
  ['it asks for more than that', [{ name: 'fast', when: FAST, allow: { strength: 'hardware' } }, rest], HOME],
])(
  'after two factors far away it measures from there only where it has nothing against it: %s',
  async (_, rules, from) => {
    expect(await measuresFrom(rules, { address: FAR, factors: ['password', 'totp'] })).toBe(from)
  },
)

test('a rule in report mode has no say', async () => {
  const rules = [
    { name: 'watched', mode: 'report', when: FAST, allow: TWICE },
    { name: 'very far', when: { 'travel.distance': { over: 9000 } }, allow: TWICE },
    { name: 'rest', allow: { strength: 'two-factors' } },
  ]
  expect(await measuresFrom(rules, { address: FAR })).toBe(FAR)
})

test('a place of which nothing is known is none, also for a rule that lets it pass', async () => {
  const lenient = [{ name: 'fast', when: { 'travel.speed': { over: 900, unknown: false } }, allow: TWICE }, rest]
  expect(await measuresFrom(lenient, { address: NOWHERE })).toBe(HOME)
})

test('what has nothing to do with journeys does not matter', async () => {
  const rules = [
    { name: 'fast', when: FAST, allow: TWICE },
    { name: 'rest', allow: { strength: 'hardware' } },
  ]
  expect(await measuresFrom(rules, { address: '10.1.9.9' })).toBe('10.1.9.9')
})

test('where only the baseline looks at journeys its trust is everybody’s; a policy that looks as well has its own', async () => {
  const { factsOf } = await signInTwice(
    {
      'base.yaml': { policy: 'base', baseline: true, rules: [{ name: 'fast', when: FAST, allow: TWICE }, rest] },
      'p.yaml': { policy: 'p', rules: [rest] },
      'q.yaml': { policy: 'q', rules: [{ name: 'fast', when: FAST, allow: { strength: 'hardware' } }, rest] },
    },
    { address: FAR, factors: ['password', 'totp'] },
  )
  const far = { at: START + minutes(60), country: 'US', latitude: 40.71, longitude: -74.01 }
  expect((await factsOf('p')).history).toEqual({ previous: far })
  expect((await factsOf('q')).history).toEqual({
    previous: [far, { at: START, country: 'NL', latitude: 52.09, longitude: 5.12 }],
  })
})
