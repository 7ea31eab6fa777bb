/** What a rule asks, and which of two is stricter, part by part (the table in docs/policy.md). */
import type { Millis } from '#core/clock'
import { withoutImplied } from './strengths.ts'
import type { DailyEnd } from './wall-clock.ts'

/** A length of time as it was written. */
export interface Length {
  readonly ms: Millis
  readonly text: string
}

/** What a rule says about tokens, as decisions tell it. */
export interface TokenLimits {
  /** Of the scopes of an API a token has at most these. Absent: no limit; an empty list: none of them. */
  readonly scopes?: readonly string[]
  /** No access token lives longer than `max`, a duration. */
  readonly token?: { readonly max: string }
}

/** Under which terms a person is let in. */
export interface Terms {
  /** Set of strengths, one bit each: all of them must be met. */
  readonly strengths: number
  /** No needed factor may be older; absent: as old as the session. Never 0: that is `fresh`. */
  readonly within?: Length
  /** Each needed factor must be given for this very request (`within: 0s`), and be no older than `within` besides. */
  readonly fresh?: true
  /** So long a second factor is not asked again on this device; absent: it is. */
  readonly remember?: Length
  readonly idle?: Length
  readonly max?: Length
  readonly ends: readonly DailyEnd[]
  /** Scopes of an API that a token may have, in the order of their letters; absent: any. */
  readonly scopes?: readonly string[]
  /** No access token lives longer. */
  readonly token?: Length
}

export type OnTokens = Pick<Terms, 'scopes' | 'token'>

export type Verdict = 'deny' | Terms

/**
 * INVARIANT: commutative, associative, and never weaker than either side. Deny over allow, both strengths, the shorter
 * times, the scopes that both name; remembering only where both remember.
 */
export function stricter(a: Verdict, b: Verdict): Verdict {
  if (a === b) return a
  if (a === 'deny' || b === 'deny') return 'deny'
  const within = shorter(a.within, b.within)
  const remember = a.remember && b.remember && shorter(a.remember, b.remember)
  const idle = shorter(a.idle, b.idle)
  const max = shorter(a.max, b.max)
  return {
    strengths: withoutImplied(a.strengths | b.strengths),
    ends:
      a.ends.length === 0
        ? b.ends
        : [...a.ends, ...b.ends.filter((end) => !a.ends.some((other) => other.text === end.text))],
    ...(within && { within }),
    ...((a.fresh || b.fresh) && { fresh: true as const }),
    ...(remember && { remember }),
    ...(idle && { idle }),
    ...(max && { max }),
    ...stricterOnTokens(a, b),
  }
}

/** The same for what terms say about tokens. A list of scopes that is absent is no limit; one that is empty stays one. */
export function stricterOnTokens(a: OnTokens, b: OnTokens): OnTokens {
  const scopes = a.scopes && b.scopes ? a.scopes.filter((scope) => b.scopes!.includes(scope)) : (a.scopes ?? b.scopes)
  const token = shorter(a.token, b.token)
  return { ...(scopes && { scopes }), ...(token && { token }) }
}

/** A time that is absent is no limit. */
export function shorter(a: Length | undefined, b: Length | undefined): Length | undefined {
  if (!a || !b) return a ?? b
  return b.ms < a.ms ? b : a
}

export const tokenLimits = ({ scopes, token }: OnTokens): TokenLimits => ({
  ...(scopes && { scopes }),
  ...(token && { token: { max: token.text } }),
})
