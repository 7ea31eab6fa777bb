/** What a request asks on top of the policy: OIDC `acr_values`, `max_age` and `prompt=login`. It can only add. */
import type { Facts } from './facts.ts'
import type { Strength, Strengths } from './strengths.ts'
import { type Length, shorter, stricter, type Terms } from './terms.ts'

export interface Wanted {
  /** Set of strengths of which one must be met; 0 where any will do. */
  readonly one: number
  /** The same, the preferred first. */
  readonly preferred: readonly Strength[]
  readonly within: Length | undefined
  /** Strengths are wanted and none of them exists. */
  readonly unmet: boolean
}

const NOTHING: Wanted = Object.freeze({ one: 0, preferred: [], within: undefined, unmet: false })
const NOW: Length = Object.freeze({ ms: 0, text: '0s' })

export function wantedOf(strengths: Strengths, wanted: NonNullable<Facts['request']>['wanted']): Wanted {
  if (!wanted) return NOTHING
  const names = wanted.strength ?? []
  const preferred = names.flatMap((name) => strengths.find(name) ?? [])
  const limit = wanted.max_age
  // an age that is no number cannot be met by an older factor
  const aged = limit === undefined ? undefined : limit > 0 ? { ms: limit * 1000, text: `${Math.ceil(limit)}s` } : NOW
  return {
    one: preferred.reduce((set, strength) => set | strength.bit, 0),
    preferred,
    within: wanted.fresh === true ? NOW : aged,
    unmet: names.length > 0 && preferred.length === 0,
  }
}

/** INVARIANT: the result is never weaker than the terms. */
export function addWanted(terms: Terms, { within }: Wanted): Terms {
  if (!within) return terms
  return stricter(terms, {
    strengths: 0,
    ends: [],
    within: shorter(terms.within, within)!,
    ...(terms.remember && { remember: terms.remember }),
  }) as Terms
}
