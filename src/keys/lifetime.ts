/**
 * Which state a signing key has at a moment. Nothing has to run for a key to move on, and a crash in between changes
 * nothing: the state follows from the written moments and the clock.
 *
 *     made ── published ahead ──▶ signing ── its successor signs ──▶ retiring ── last token expired ──▶ gone
 */
import type { Instant } from '#core/clock'

/** JWS algorithms (RFC 7518, RFC 8037), the default first. */
export const ALGS = Object.freeze(['ES256', 'RS256', 'EdDSA'] as const)
export type Alg = (typeof ALGS)[number]
export type KeyState = 'upcoming' | 'signing' | 'retiring'

export const isAlg = (text: string): text is Alg => (ALGS as readonly string[]).includes(text)

export interface SigningKey {
  /** RFC 7638 thumbprint. */
  readonly kid: string
  readonly alg: Alg
  readonly state: KeyState
  readonly createdAt: Instant
  readonly signsFrom: Instant
  /** When it leaves the published set; only for keys that have a successor. */
  readonly retiresAt?: Instant
}

export interface Lifetime {
  readonly alg: Alg
  /** 1 for the first key of its algorithm. */
  readonly generation: number
  readonly signsFrom: Instant
  readonly retiresAt: Instant | null
}

const ORDER: Readonly<Record<KeyState, number>> = { signing: 0, upcoming: 1, retiring: 2 }

/**
 * The published keys with their states: by algorithm, the signing one first. INVARIANT: as long as an algorithm has any
 * key that is not gone, exactly one of them signs, even after the clock was set back.
 */
export function published<T extends Lifetime>(keys: readonly T[], now: Instant): { key: T; state: KeyState }[] {
  return ALGS.flatMap((alg) => {
    const living = keys
      .filter((key) => key.alg === alg && !isGone(key, now))
      .sort((a, b) => a.generation - b.generation)
    const signing = living.findLast((key) => key.signsFrom <= now) ?? living[0]
    return living
      .map((key) => ({ key, state: stateBeside(key, signing!) }))
      .sort((a, b) => ORDER[a.state] - ORDER[b.state] || b.key.generation - a.key.generation)
  })
}

export const isGone = (key: Lifetime, now: Instant): boolean => key.retiresAt !== null && key.retiresAt <= now

function stateBeside(key: Lifetime, signing: Lifetime): KeyState {
  if (key.generation === signing.generation) return 'signing'
  return key.generation > signing.generation ? 'upcoming' : 'retiring'
}
