/**
 * What conditions need to know beyond the request itself. A condition says what it needs; `access/` gathers what the
 * rules that are loaded need, and nothing else.
 */
import type { Length } from './terms.ts'

export const COUNTERS = ['sign_ins', 'failures', 'app_opens', 'prompts'] as const
export type Counter = (typeof COUNTERS)[number]

/**
 * `place` where the address is; `travel` where and when this person signed in before; `countries` those that this person
 * was seen in; `absence` when this person was last seen; `upstream` what another identity provider vouches for; `enrolment`
 * as what the device is enrolled; `client_past` what the program that asks for itself did before.
 */
export type Signal =
  | 'place'
  | 'travel'
  | 'countries'
  | 'absence'
  | 'upstream'
  | 'platform'
  | 'enrolment'
  | 'client_past'
  | Counter

export interface Need {
  readonly signal: Signal
  /** Of a counter: how far back. */
  readonly within?: Length
}

export interface Needed {
  /** Different lengths, the longest first; empty for what is no counter. */
  readonly windows: readonly Length[]
  /** A rule that is in force needs it, not just rules in report mode. */
  readonly enforced: boolean
}

export type Needs = ReadonlyMap<Signal, Needed>

/** Several needs as one. */
export function joinNeeds(needs: Iterable<readonly [Signal, Needed]>): Needs {
  const joined = new Map<Signal, Needed>()
  for (const [signal, { windows, enforced }] of needs) {
    const before = joined.get(signal) ?? { windows: [], enforced: false }
    const lengths = new Map([...before.windows, ...windows].map((length) => [length.ms, length]))
    joined.set(signal, {
      windows: [...lengths.values()].sort((a, b) => b.ms - a.ms),
      enforced: before.enforced || enforced,
    })
  }
  return joined
}
