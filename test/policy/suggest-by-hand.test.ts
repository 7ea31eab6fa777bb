/** Suggestions, followed by hand: ten thousand of them lead where they say. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Change, decide, type Facts, suggest } from '#policy'
import { nine, policiesOf } from './house.ts'

const word = fc.constantFrom
const duration = word('0s', '10m', '1h', '12h')
const ago = word(0, 5, 30, 300, 700).map((minutes) => nine - minutes * 60_000)

/** Facts of which everything is known, and may be changed. */
interface Known {
  at: number
  request: { started: number }
  user: { groups: string[] }
  network: { ip: string | undefined }
  device: { known: boolean; enrolled: boolean; kind: string; platform: string }
  session: {
    started: number
    authenticated: { factor: string; at: number; user_verified?: boolean; hardware?: boolean }[]
  }
}

/** What somebody would do who follows a suggestion, the time first: not the code's own idea of it. */
function byHand(facts: Facts, changes: readonly Change[]): Facts {
  const places: Readonly<Record<string, string>> = { stores: '192.0.2.77', office: '198.51.100.77' }
  const timeFirst = changes.toSorted((a, b) => +(b.code === 'come-back-later') - +(a.code === 'come-back-later'))
  const done = structuredClone(facts) as unknown as Known
  for (const change of timeFirst) {
    if (change.code === 'come-back-later') {
      done.at = Date.parse(change.time)
      done.request.started = done.at
    } else if (change.code === 'give-again' || change.code === 'give-factor') {
      const { factor, hardware = false } = change
      done.session.authenticated.push({ factor, at: done.at, user_verified: factor === 'passkey', hardware })
    } else if (change.code === 'sign-in-again') {
      done.session.started = done.at
      for (const proof of done.session.authenticated) proof.at = done.at
    } else if (change.code === 'use-network') done.network.ip = places[change.networks[0]!]
    else if (change.code === 'leave-network') done.network.ip = '203.0.113.77'
    else if (change.code === 'use-platform') done.device.platform = change.platform
    else if (change.code === 'use-known-device') done.device.known = true
    else if (change.code === 'ask-group') done.user.groups.push(change.groups[0]!)
    else {
      done.device.enrolled = true
      if ('kind' in change) done.device.kind = change.kind
    }
  }
  return done as Facts
}

test('ten thousand suggestions, applied, flip the outcome', () => {
  // one thing is in the way and the rest is known, so mostly something helps
  const obstacle = word<object>(
    { network: { outside: ['stores', 'office'] } },
    { network: ['stores'] },
    { not: { 'device.known': true } },
    { not: { 'device.enrolled': true, 'device.kind': 'shared' } },
    { 'device.platform': ['windows'] },
    { 'session.age': { over: '8h' } },
    { not: { 'user.groups': ['care'] } },
    { time: { between: '18:00-08:00', zone: 'UTC' } },
  )
  const list = fc
    .tuple(
      obstacle,
      fc.boolean(),
      word('any', 'two-factors', 'phishing-resistant', 'hardware'),
      fc.option(duration, { nil: undefined }),
    )
    .map(([when, closed, strength, within]) => [
      { name: 'obstacle', when, ...(closed ? { deny: {} } : { allow: { strength, within: '0s' } }) },
      { name: 'rest', allow: { strength, ...(within && { within }) } },
    ])
  const yesNo = word(true, false)
  const known = fc
    .record({
      hour: fc.nat(23),
      ip: word('192.0.2.1', '198.51.100.9', '203.0.113.1'),
      groups: fc.subarray(['staff', 'care']),
      device: fc.record({
        known: yesNo,
        enrolled: yesNo,
        kind: word('personal', 'shared'),
        platform: word('ios', 'windows'),
      }),
      started: ago,
      authenticated: fc.array(fc.record({ factor: word('password', 'passkey', 'totp'), at: ago }), { maxLength: 2 }),
    })
    .map(({ hour, ip, groups, device, ...session }): Facts => {
      const at = nine + hour * 3_600_000
      return { at, request: { started: at }, user: { groups }, network: { ip }, device, session } as Facts
    })
  let flips = 0
  fc.assert(
    fc.property(list, fc.array(known, { minLength: 100, maxLength: 100 }), (rules, situations) => {
      const policies = policiesOf(rules)
      const outcomeOf = (one: Facts) => decide(policies, one, { policy: 'p' }).outcome
      for (const one of situations) {
        const found = suggest(policies, one, { policy: 'p' })
        if (!found) continue
        flips++
        const [before, after] = [outcomeOf(one), outcomeOf(byHand(one, found.changes))]
        if (after !== found.outcome || after === before || (after !== 'allow' && before !== 'deny'))
          expect.fail(JSON.stringify([before, after, found, one, rules]))
      }
    }),
    { numRuns: 170 },
  )
  expect(flips).toBeGreaterThan(10_000)
}, 120_000)
