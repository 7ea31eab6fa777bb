/** What may be shown once: client assertions (RFC 7523 §3) and proofs of possession (RFC 9449 §11.1). */
import type { Provider } from 'oidc-provider'
import { type Clock, seconds } from '#core/clock'
import { sha256 } from '#core/digest'
import type { State } from '#storage'
import { objectKey } from './grant-groups.ts'

/** A clock that is ahead of ours makes tokens that still hold when their mark, kept by our time, would be gone. */
const AHEAD = seconds(300)

export interface Spending {
  /** Whether it is the first of all with this id from there. `expires`: seconds since 1970, for so long it is remembered. */
  once(from: string, id: string, expires: number): Promise<boolean>
}

export function createSpending({ state, clock }: { state: Pick<State, 'add'>; clock: Clock }): Spending {
  return {
    once(from, id, expires) {
      // INVARIANT: keyed on the id inside, which has one spelling, and told apart from where it comes
      const key = objectKey('ReplayDetection', sha256(JSON.stringify([from, id])))
      return state.add(key, '1', { ttl: Math.max(expires * 1000 - clock.now(), 0) + AHEAD })
    },
  }
}

/**
 * ATTACK: the engine looks and then writes. Of parallel copies, on whatever process, exactly one may win; for the others the
 * engine says what the protocol has for it.
 */
export function spendOnce(engine: Provider, { once }: Spending): void {
  engine.ReplayDetection.unique = once
}
