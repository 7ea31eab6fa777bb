/** What a request asks on top of the policy: OIDC `acr_values`, `max_age` and `prompt=login`. It can only add. */
import { formatDuration } from '#core/duration'
import type { Facts } from './facts.ts'
import { ANEW, type Strength, type Strengths } from './strengths.ts'
import { stricter, type Terms } from './terms.ts'

export interface Wanted {
  /** Set of strengths of which one must be met; 0 where any will do. */
  readonly one: number
  /** The same, the preferred first. */
  readonly preferred: readonly Strength[]
  /** Seconds; 0 for this very request; undefined where it asks nothing about age. */
  readonly age: number | undefined
  /** Strengths are wanted and none of them exists. */
  readonly unmet: boolean
}

const NOTHING: Wanted = Object.freeze({ one: 0, preferred: [], age: undefined, unmet: false })

export function wantedOf(strengths: Strengths, wanted: NonNullable<Facts['request']>['wanted']): Wanted {
  if (!wanted) return NOTHING
  const names = wanted.strength ?? []
  const preferred = names.flatMap((name) => strengths.find(name) ?? [])
  // an age that is no number cannot be met by an older factor
  const age = wanted.fresh === true || Number.isNaN(wanted.max_age) ? 0 : wanted.max_age
  return {
    one: preferred.reduce((set, strength) => set | strength.bit, 0),
    preferred,
    age: age === undefined ? undefined : Math.max(age, 0),
    unmet: names.length > 0 && preferred.length === 0,
  }
}

/**
 * INVARIANT: the result is never weaker than the terms. `prompt=login` and `max_age=0` ask that somebody signs in again
 * (OIDC Core §3.1.2.1), which takes what a session begins with: a code alone is a second factor of whoever sits there.
 */
export function addWanted(terms: Terms, { age }: Wanted): Terms {
  if (age === undefined) return terms
  const ms = age * 1000
  const added = age === 0 ? { fresh: true as const } : { within: { ms, text: formatDuration(ms) } }
  // a request says nothing about remembering, so it must not take that away
  const remember = terms.remember ? { remember: terms.remember } : {}
  return stricter(terms, { strengths: age === 0 ? ANEW : 0, ends: [], ...added, ...remember }) as Terms
}
