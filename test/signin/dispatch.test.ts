/** The dispatcher is pure: a situation goes in, the name of the next step comes out. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nextStep, possibleWays, type Situation } from '../../src/signin/dispatch.ts'
import { ownPath } from '../../src/signin/open.ts'

const NOW = Date.parse('2026-11-23T09:00:00Z')
const session = (factors: readonly string[], at = NOW - 3_600_000) =>
  ({
    id: 's',
    personId: 'p',
    authenticated: factors.map((factor) => ({ factor, at, amr: [] })),
  }) as unknown as Situation['session']

function situation(
  changes: { outcome: 'allow' | 'deny' | 'challenge'; missing?: string[][] } & Partial<Omit<Situation, 'verdict'>>,
): Situation {
  const { outcome, missing = [], ...rest } = changes
  return {
    now: NOW,
    errand: { id: 'e', kind: 'app', returnTo: '/', startedAt: NOW - 10_000 },
    session: undefined,
    enrolled: [],
    enrollable: [],
    verdict: { outcome, decision: { missing } } as unknown as Situation['verdict'],
    ...rest,
  }
}
const errand = (changes: object) => ({ ...situation({ outcome: 'allow' }).errand, ...changes })
const STEP_UP = [['passkey'], ['totp'], ['recovery-code']]

describe('somebody who is not signed in', () => {
  test('is asked for a name, then for the password, whoever that is', () => {
    expect(nextStep(situation({ outcome: 'challenge' }))).toBe('identifier')
    expect(nextStep(situation({ outcome: 'challenge', errand: errand({ username: 'nobody' }) }))).toBe('password')
  })

  test('is told at once where no rule could let anyone in', () => {
    expect(nextStep(situation({ outcome: 'deny' }))).toBe('refused')
  })
})

describe('a step-up', () => {
  const signedIn = { outcome: 'challenge', session: session(['password']), missing: STEP_UP } as const
  const missing = STEP_UP.map((one) => [...one])

  test('takes the passkey first, a recovery code only when nothing else is there', () => {
    expect(
      nextStep(situation({ ...signedIn, missing, enrolled: ['password', 'recovery-code', 'totp', 'passkey'] })),
    ).toBe('passkey')
    expect(nextStep(situation({ ...signedIn, missing, enrolled: ['password', 'recovery-code'] }))).toBe('recovery-code')
  })

  test('takes the way that was chosen', () => {
    expect(
      nextStep(situation({ ...signedIn, missing, enrolled: ['passkey', 'totp'], errand: errand({ way: 'totp' }) })),
    ).toBe('totp')
  })

  test('ignores a way that would not help', () => {
    expect(
      nextStep(
        situation({ ...signedIn, missing, enrolled: ['password', 'totp'], errand: errand({ way: 'password' }) }),
      ),
    ).toBe('totp')
  })

  test('offers to add what is missing where that is allowed, and ends where it is not', () => {
    expect(nextStep(situation({ ...signedIn, missing, enrolled: ['password'], enrollable: ['passkey', 'totp'] }))).toBe(
      'enrol-choice',
    )
    expect(nextStep(situation({ ...signedIn, missing, enrolled: ['password'] }))).toBe('refused')
  })

  test('that did not suffice a moment ago is not asked for again: an end, not a loop', () => {
    const just = {
      ...signedIn,
      missing: [['passkey']],
      enrolled: ['passkey'] as const,
      session: session(['passkey'], NOW - 1000),
      errand: errand({ session: 's' }),
    }
    expect(nextStep(situation(just))).toBe('refused')
    expect(
      nextStep(
        situation({
          ...just,
          session: session(['passkey'], NOW - 120_000),
          errand: errand({ session: 's', startedAt: NOW - 300_000 }),
        }),
      ),
    ).toBe('passkey')
  })
})

describe('in every situation', () => {
  const kinds = ['password', 'passkey', 'totp', 'recovery-code'] as const
  const some = fc.uniqueArray(fc.constantFrom(...kinds))
  const any = fc
    .record({
      outcome: fc.constantFrom('allow', 'deny', 'challenge'),
      missing: fc.array(some, { maxLength: 3 }),
      enrolled: some,
      enrollable: fc.uniqueArray(fc.constantFrom('passkey', 'totp')),
      held: fc.option(some, { nil: undefined }),
      way: fc.option(fc.constantFrom(...kinds), { nil: undefined }),
      consent: fc.boolean(),
    })
    .map(({ held, way, consent, ...rest }) =>
      situation({
        ...rest,
        ...(held ? { session: session(held) } : {}),
        errand: errand({ ...(way ? { way } : {}), ...(consent ? { consent: ['profile'] } : {}) }),
      } as never),
    )

  test('nobody leaves before access has said yes', () => {
    fc.assert(
      fc.property(any, (one) => nextStep(one) !== 'leave' || one.verdict.outcome === 'allow'),
      { numRuns: 3000 },
    )
  })

  test('a denial is always the end', () => {
    fc.assert(
      fc.property(any, (one) => one.verdict.outcome !== 'deny' || nextStep(one) === 'refused'),
      { numRuns: 1000 },
    )
  })

  test('only what the person has is asked for', () => {
    fc.assert(
      fc.property(
        any,
        (one) => !one.session || possibleWays(one).every((way) => (one.enrolled as string[]).includes(way)),
      ),
      { numRuns: 2000 },
    )
  })
})

test.each([
  '//evil.example',
  '/\\evil.example',
  '/\tevil',
  'https://evil.example',
  '/ok\n',
  '/a b',
  'javascript:alert(1)',
  '',
  '/ü',
  `/${'a'.repeat(600)}`,
])('returning to %j leads to the start page', (path) => {
  expect(ownPath(path)).toBe('/')
})

test.each(['/', '/account', '/why/7K4Q-92MD', '/account?done=passkey-added'])('returning to %j is fine', (path) => {
  expect(ownPath(path)).toBe(path)
})
