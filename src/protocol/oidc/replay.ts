/** What may be shown once: client assertions (RFC 7523 §3) and proofs of possession (RFC 9449 §11.1). */
import type { IncomingMessage } from 'node:http'
import Provider from 'oidc-provider'
import { type Clock, seconds } from '#core/clock'
import { sha256 } from '#core/digest'
import type { State } from '#storage'
import { objectKey } from './grant-groups.ts'

/** A clock that is ahead of ours makes tokens that still hold when their mark, kept by our time, would be gone. */
const AHEAD = seconds(300)

export interface Spending {
  /** Whether it is the first of all with this id from there. `expires`: seconds since 1970, for so long it is remembered. */
  once(from: string, id: string, expires: number): Promise<boolean>
  /** The same, by a request that may yet be told to come again with the very same thing. */
  onceBy(request: IncomingMessage, from: string, id: string, expires: number): Promise<boolean>
  /**
   * Gives back what this request has spent, and nothing that another one has.
   *
   * INVARIANT: only where it is answered with `use_dpop_nonce` (RFC 9449 §8), which comes before anything is issued. Its client
   * sends the request again, and may have no second assertion: the token of a build server is one.
   */
  giveBack(request: IncomingMessage): Promise<void>
  /**
   * The request goes on to somebody who asks for the same again: what it has spent is found unspent by it once more, and by no other.
   */
  again(request: IncomingMessage): void
}

export function createSpending({ state, clock }: { state: Pick<State, 'add' | 'delete'>; clock: Clock }): Spending {
  const spent = new WeakMap<IncomingMessage, string[]>()
  const asksAgain = new WeakMap<IncomingMessage, Set<string>>()
  // INVARIANT: keyed on the id inside, which has one spelling, and told apart from where it comes
  const keyOf = (from: string, id: string) => objectKey('ReplayDetection', sha256(JSON.stringify([from, id])))
  const spend = (key: string, expires: number) =>
    state.add(key, '1', { ttl: Math.max(expires * 1000 - clock.now(), 0) + AHEAD })

  return {
    once: (from, id, expires) => spend(keyOf(from, id), expires),

    async onceBy(request, from, id, expires) {
      const key = keyOf(from, id)
      if (asksAgain.get(request)?.delete(key)) return true
      const first = await spend(key, expires)
      if (first) spent.set(request, [...(spent.get(request) ?? []), key])
      return first
    },

    async giveBack(request) {
      for (const key of spent.get(request) ?? []) await state.delete(key)
      spent.delete(request)
    },

    again: (request) => void asksAgain.set(request, new Set(spent.get(request))),
  }
}

/**
 * ATTACK: the engine looks and then writes. Of parallel copies, on whatever process, exactly one may win; for the others the
 * engine says what the protocol has for it.
 */
export function spendOnce(engine: Provider, { once, onceBy }: Spending): void {
  engine.ReplayDetection.unique = (from, id, expires) => {
    const request = Provider.ctx?.req
    return request ? onceBy(request, from, id, expires) : once(from, id, expires)
  }
}
