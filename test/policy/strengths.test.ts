import { describe, expect, test } from 'vitest'
import type { Facts } from '#policy'
import { given, judge, minutes, NINE, nine } from './house.ts'

const CUSTOM = {
  's.yaml': {
    strengths: { 'store-floor': [['passkey'], ['badge', 'pin'], ['password']], 'two-cards': [['badge', 'totp']] },
  },
}
const ask = (allow: object, facts: Facts) => judge([{ name: 'r', allow }], facts, CUSTOM)
const outcome = (strength: string, facts: Facts) => ask({ strength }, facts).outcome

const of = (factors: readonly unknown[]): Facts => given(...(factors as unknown as Parameters<typeof given>))

const VERIFIED = { user_verified: true }
const HARDWARE = { hardware: true }

describe('a strength', () => {
  test.each([
    ['any', [['password', 1]], 'allow'],
    ['any', [['totp', 1]], 'allow'],
    ['any', [], 'challenge'],
    ['two-factors', [['password', 1]], 'challenge'],
    [
      'two-factors',
      [
        ['password', 1],
        ['totp', 1],
      ],
      'allow',
    ],
    [
      'two-factors',
      [
        ['password', 1],
        ['recovery-code', 1],
      ],
      'allow',
    ],
    [
      'two-factors',
      [
        ['password', 1],
        ['pin', 1],
      ],
      'challenge',
    ],
    [
      'two-factors',
      [
        ['totp', 1],
        ['recovery-code', 1],
      ],
      'challenge',
    ],
    ['two-factors', [['passkey', 1]], 'challenge'],
    ['two-factors', [['passkey', 1, VERIFIED]], 'allow'],
    [
      'two-factors',
      [
        ['passkey', 1],
        ['password', 1],
      ],
      'allow',
    ],
    [
      'two-factors',
      [
        ['passkey', 1],
        ['totp', 1],
      ],
      'challenge',
    ],
    ['phishing-resistant', [['passkey', 1]], 'allow'],
    [
      'phishing-resistant',
      [
        ['password', 1],
        ['totp', 1],
        ['recovery-code', 1],
      ],
      'challenge',
    ],
    ['hardware', [['passkey', 1, VERIFIED]], 'challenge'],
    ['hardware', [['passkey', 1, HARDWARE]], 'allow'],
    [
      'hardware',
      [
        ['totp', 1, HARDWARE],
        ['passkey', 1],
      ],
      'challenge',
    ],
    ['store-floor', [['password', 1]], 'allow'],
    ['store-floor', [['badge', 1]], 'challenge'],
    [
      'store-floor',
      [
        ['badge', 1],
        ['pin', 1],
      ],
      'allow',
    ],
    ['store-floor', [['totp', 1]], 'challenge'],
    [
      'two-cards',
      [
        ['badge', 1],
        ['totp', 1],
      ],
      'allow',
    ],
    ['any', [['carrier-pigeon', 1]], 'challenge'],
  ] as const)('%s with %j is %s', (strength, factors, result) => {
    expect(outcome(strength, of(factors))).toBe(result)
  })

  test.each([
    ['any', [], [['passkey'], ['password'], ['totp'], ['recovery-code']]],
    ['two-factors', [], [['passkey'], ['password', 'totp'], ['password', 'recovery-code']]],
    ['two-factors', [['password', 1]], [['passkey'], ['totp'], ['recovery-code']]],
    ['two-factors', [['totp', 1]], [['passkey'], ['password']]],
    ['two-factors', [['passkey', 1]], [['passkey'], ['password']]],
    ['phishing-resistant', [['password', 1]], [['passkey']]],
    ['hardware', [['passkey', 1]], [['passkey']]],
    ['store-floor', [], [['passkey'], ['password'], ['badge', 'pin']]],
    ['store-floor', [['pin', 1]], [['passkey'], ['password'], ['badge']]],
    ['two-cards', [['password', 1]], [['totp', 'badge']]],
  ] as const)('%s with %j misses %j', (strength, factors, missing) => {
    expect(ask({ strength }, of(factors)).missing).toEqual(missing)
  })

  test('is `any` where the rule does not say', () => {
    expect(ask({}, given(['totp', 5]))).toMatchObject({ outcome: 'allow', required: { strength: 'any' } })
    expect(ask({}, given())).toMatchObject({ outcome: 'challenge', required: { strength: 'any' } })
  })

  test('names the fewest factors that meet it, the newest of equals, and the time of the oldest of them', () => {
    const decision = ask({ strength: 'two-factors' }, given(['password', 60], ['totp', 90], ['recovery-code', 5]))
    expect(decision.satisfied_by).toEqual(['password', 'recovery-code'])
    expect(decision.auth_time).toBe((nine - minutes(60)) / 1000)
    expect(
      ask({ strength: 'two-factors' }, given(['password', 60], ['totp', 30], ['passkey', 90, VERIFIED])).satisfied_by,
    ).toEqual(['passkey'])
    expect(ask({}, given(['password', 60], ['totp', 30])).satisfied_by).toEqual(['totp'])
  })

  test('names what counts already while something is missing', () => {
    expect(ask({ strength: 'two-factors' }, given(['password', 1])).satisfied_by).toEqual(['password'])
  })

  test.each([
    ['any', [['password', 1]], 'any'],
    [
      'any',
      [
        ['password', 1],
        ['totp', 1],
      ],
      'two-factors',
    ],
    ['two-factors', [['passkey', 1, { ...VERIFIED, ...HARDWARE }]], 'hardware'],
    ['store-floor', [['password', 1]], 'store-floor'],
  ] as const)('%s with %j gives the acr %s', (strength, factors, acr) => {
    expect(ask({ strength }, of(factors)).acr).toBe(acr)
  })

  test('is told with the factors that make it and the age of the oldest of them', () => {
    const decision = ask({}, given(['password', 60], ['totp', 5]))
    expect(decision).toMatchObject({
      acr: 'two-factors',
      satisfied_by: ['totp'],
      acr_by: ['password', 'totp'],
      auth_time: (nine - minutes(60)) / 1000,
    })
    // not where the fewest factors make it already
    const alone = ask({}, given(['password', 60], ['passkey', 5, VERIFIED]))
    expect(alone).toMatchObject({ acr: 'phishing-resistant', auth_time: (nine - minutes(5)) / 1000 })
    expect(alone).not.toHaveProperty('acr_by')
  })
})

describe('within', () => {
  test.each([
    ['12h', 720, 'allow'],
    ['12h', 721, 'challenge'],
    ['1h', 60, 'allow'],
  ])('%s with a factor of %i minutes ago is %s', (within, ago, result) => {
    expect(ask({ within }, given(['password', ago])).outcome).toBe(result)
  })

  test('is judged for each factor', () => {
    const decision = ask({ strength: 'two-factors', within: '1h' }, given(['password', 300], ['totp', 5]))
    expect(decision).toMatchObject({
      outcome: 'challenge',
      satisfied_by: ['totp'],
      missing: [['passkey'], ['password']],
    })
  })

  test('defaults to the session', () => {
    expect(ask({}, given(['password', 100_000])).outcome).toBe('allow')
  })

  test.each([
    [{ at: undefined }, 'the time of the decision'],
    [{ session: { authenticated: [{ factor: 'password' }] } }, 'the time of the factor'],
    [{ session: { authenticated: [{ factor: 'password', at: 'yesterday' }] } }, 'a time that is none'],
  ])('is not met when %j: %s is not known', (change, _) => {
    expect(ask({ within: '1h' }, { ...given(['password', 1]), ...change }).outcome).toBe('challenge')
  })

  test('0s is met by a factor given since this very request began', () => {
    const fresh = (ago: number, started?: number): Facts => ({
      ...given(['password', ago]),
      request: { kind: 'app', ...(started !== undefined && { started: nine - minutes(started) }) },
    })
    expect(ask({ within: '0s' }, fresh(1, 2)).outcome).toBe('allow')
    expect(ask({ within: '0s' }, fresh(2, 2)).outcome).toBe('allow')
    expect(ask({ within: '0s' }, fresh(3, 2)).outcome).toBe('challenge')
    expect(ask({ within: '0s' }, fresh(1)).outcome).toBe('challenge')
    expect(ask({ within: '0s' }, fresh(0)).outcome).toBe('allow')
  })

  test('a factor of a session that would be over does not count', () => {
    expect(ask({ session: { max: '10h' } }, given(['password', 600])).outcome).toBe('challenge')
    expect(ask({ session: { max: '10h' } }, given(['password', 599])).outcome).toBe('allow')
    const ends = { at: '04:00', zone: 'Europe/Amsterdam' }
    // 04:00 in Amsterdam is 03:00 UTC, six hours before
    expect(ask({ session: { ends } }, given(['password', 359])).outcome).toBe('allow')
    expect(ask({ session: { ends } }, given(['password', 361])).outcome).toBe('challenge')
  })

  test('ends is told as the next such moment', () => {
    const ends = { at: '04:00', zone: 'Europe/Amsterdam' }
    expect(ask({ session: { ends } }, given(['password', 1])).session).toEqual({ ends: '2026-11-24T03:00:00.000Z' })
  })
})

describe('a remembered device', () => {
  const RULE = { strength: 'two-factors', within: '12h', remember_device: '30d' }
  const day = 86_400_000
  const on = (device: object, facts = given(['password', 5])): Facts => ({ ...facts, device })
  const trusted = { known: true, kind: 'personal', trusted_since: nine - 29 * day }

  test('stands in for the second factor', () => {
    const decision = ask(RULE, on(trusted))
    expect(decision).toMatchObject({
      outcome: 'allow',
      satisfied_by: ['password', 'device'],
      remember_device: '30d',
      acr: 'two-factors',
    })
  })

  test.each([
    ['the trust is too old', RULE, { ...trusted, trusted_since: nine - 31 * day }],
    ['the device is shared', RULE, { ...trusted, kind: 'shared' }],
    ['it is not known whether the device is shared', RULE, { ...trusted, kind: undefined }],
    ['nothing was remembered', RULE, { known: true, kind: 'personal' }],
    ['the rule does not say so', { strength: 'two-factors', within: '12h' }, trusted],
    ['a factor for this very request is asked', { ...RULE, within: '0s' }, trusted],
    ['a passkey is asked', { ...RULE, strength: 'phishing-resistant' }, trusted],
    ['hardware is asked', { ...RULE, strength: 'hardware' }, trusted],
    ['a combination is asked', { ...RULE, strength: 'two-cards' }, trusted],
  ])('does not when %s', (_, rule, device) => {
    expect(ask(rule, on(device)).outcome).toBe('challenge')
  })

  test('is no factor by itself, and no second kind beside a code', () => {
    expect(ask(RULE, on(trusted, given())).outcome).toBe('challenge')
    expect(ask({ ...RULE, strength: 'any' }, on(trusted, given())).outcome).toBe('challenge')
    expect(ask(RULE, on(trusted, given(['totp', 5]))).outcome).toBe('challenge')
    expect(ask(RULE, on(trusted, given(['totp', 5]))).missing).toEqual([['passkey'], ['password']])
  })

  test('is offered for a personal device only', () => {
    expect(ask(RULE, on({ known: false, kind: 'personal' })).remember_device).toBe('30d')
    expect(ask(RULE, on({ known: false, kind: 'shared' })).remember_device).toBeUndefined()
    expect(ask({ ...RULE, within: '0s' }, on({ kind: 'personal' })).remember_device).toBeUndefined()
  })
})

describe('what a request wants', () => {
  const wanting = (wanted: object, facts = given(['password', 30])): Facts => ({
    ...facts,
    request: { kind: 'app', started: nine - minutes(1), wanted },
  })

  test('adds a strength', () => {
    const decision = ask({}, wanting({ strength: ['two-factors'] }))
    expect(decision).toMatchObject({
      outcome: 'challenge',
      required: { strength: 'two-factors' },
      missing: [['passkey'], ['totp'], ['recovery-code']],
    })
  })

  test('is met by any one of its strengths, which becomes the acr', () => {
    const decision = ask({}, wanting({ strength: ['hardware', 'store-floor', 'any'] }))
    expect(decision).toMatchObject({ outcome: 'allow', acr: 'store-floor' })
    expect(ask({}, wanting({ strength: ['hardware', 'two-factors'] })).missing).toEqual([
      ['passkey'],
      ['totp'],
      ['recovery-code'],
    ])
  })

  test('never takes anything away', () => {
    const rule = { strength: 'two-factors', within: '10m' }
    expect(ask(rule, wanting({ strength: ['any'], max_age: 100_000 })).outcome).toBe('challenge')
    expect(ask(rule, wanting({ strength: ['any'], max_age: 100_000 })).required).toEqual({
      strength: 'two-factors',
      within: '10m',
    })
  })

  test.each([
    [{ max_age: 1800 }, 'allow'],
    [{ max_age: 1799 }, 'challenge'],
    [{ max_age: 0 }, 'challenge'],
    [{ fresh: true }, 'challenge'],
    [{ fresh: false }, 'allow'],
  ])('%j with a password of 30 minutes ago is %s', (wanted, result) => {
    expect(ask({}, wanting(wanted)).outcome).toBe(result)
  })

  test('fresh is met by a factor given since the request began', () => {
    expect(ask({}, wanting({ fresh: true }, given(['password', 0.5]))).outcome).toBe('allow')
  })

  test('fresh asks for the second factor too, on a device that remembers it', () => {
    const facts: Facts = { ...given(['password', 0.5]), device: { kind: 'personal', trusted_since: NINE } }
    const rule = { strength: 'two-factors', remember_device: '30d' }
    expect(ask(rule, wanting({}, facts)).outcome).toBe('allow')
    expect(ask(rule, wanting({ fresh: true }, facts)).outcome).toBe('challenge')
  })

  test('cannot be met where none of its strengths exists', () => {
    expect(ask({}, wanting({ strength: ['urn:mace:incommon:iap:silver'] }))).toMatchObject({
      outcome: 'deny',
      unmet: true,
    })
    expect(ask({}, wanting({ strength: ['urn:mace:incommon:iap:silver', 'any'] }))).toMatchObject({
      outcome: 'allow',
      acr: 'any',
    })
    expect(ask({}, wanting({ strength: [] })).unmet).toBeUndefined()
  })
})
