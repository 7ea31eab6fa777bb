/** `prompt=login` and `max_age=0`: somebody signs in again, which takes more than a code (OIDC Core §3.1.2.1). */
import { describe, expect, test } from 'vitest'
import { decide, type Facts } from '#policy'
import { given, nine, policiesOf } from './house.ts'

const OWN = { 's.yaml': { strengths: { card: [['totp']], desk: [['password'], ['totp']] } } }
const REQUEST = nine - 60_000

/** What comes of factors that were given so many minutes before now; the request began one minute ago. */
function ask(allow: object, factors: Parameters<typeof given>, wanted?: object) {
  const request = { kind: 'app' as const, started: REQUEST, ...(wanted && { wanted }) }
  const facts: Facts = { ...given(...factors), request }
  return decide(policiesOf([{ name: 'r', allow }], OWN), facts, { policy: 'p' })
}

describe.each([{ fresh: true }, { max_age: 0 }, { fresh: true, max_age: 600 }])('%j', (wanted) => {
  test.each([
    ['any', [['password', 1]], 'allow', []],
    ['any', [['passkey', 1]], 'allow', []],
    [
      'any',
      [
        ['password', 9],
        ['totp', 1],
      ],
      'challenge',
      [['passkey'], ['password']],
    ],
    [
      'any',
      [
        ['passkey', 9],
        ['recovery-code', 1],
      ],
      'challenge',
      [['passkey'], ['password']],
    ],
    ['any', [], 'challenge', [['passkey'], ['password']]],
    [
      'two-factors',
      [
        ['password', 1],
        ['totp', 1],
      ],
      'allow',
      [],
    ],
    [
      'two-factors',
      [
        ['password', 9],
        ['totp', 1],
      ],
      'challenge',
      [['passkey'], ['password']],
    ],
    [
      'two-factors',
      [
        ['password', 1],
        ['totp', 9],
      ],
      'challenge',
      [['passkey'], ['totp'], ['recovery-code']],
    ],
    [
      'card',
      [
        ['password', 9],
        ['totp', 1],
      ],
      'challenge',
      [['passkey'], ['password']],
    ],
    [
      'card',
      [
        ['password', 1],
        ['totp', 1],
      ],
      'allow',
      [],
    ],
    [
      'desk',
      [
        ['password', 9],
        ['totp', 1],
      ],
      'challenge',
      [['passkey'], ['password']],
    ],
    [
      'phishing-resistant',
      [
        ['password', 1],
        ['passkey', 9],
      ],
      'challenge',
      [['passkey']],
    ],
  ] as const)('of %s with %j is %s, and %j is missing', (strength, factors, outcome, missing) => {
    const decision = ask({ strength }, factors.map((one) => [...one]) as never, wanted)
    expect([decision.outcome, decision.missing]).toEqual([outcome, missing])
    expect(decision.required).toEqual({ strength, within: '0s' })
  })

  test('beside strengths that the request wants', () => {
    const wants = { ...wanted, strength: ['two-factors'] }
    expect(
      ask(
        {},
        [
          ['password', 9],
          ['totp', 1],
        ],
        wants,
      ).missing,
    ).toEqual([['passkey'], ['password']])
    expect(
      ask(
        {},
        [
          ['password', 1],
          ['totp', 1],
        ],
        wants,
      ),
    ).toMatchObject({ outcome: 'allow', acr: 'two-factors' })
  })
})

test.each([
  ['a rule that wants what it needs for this very request', { within: '0s' }, undefined],
  ['an app that minds the age only', {}, { max_age: 600 }],
])('%s takes whatever is enough', (_what, allow, wanted) => {
  expect(
    ask(
      allow,
      [
        ['password', 30],
        ['totp', 1],
      ],
      wanted,
    ),
  ).toMatchObject({
    outcome: 'allow',
    satisfied_by: ['totp'],
  })
})
