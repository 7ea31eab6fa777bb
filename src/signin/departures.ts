/**
 * How many browsers may set out to a provider from one address and not come back. Each that does costs the provider a request of
 * ours, and whoever asks for it need not have shown anything yet.
 *
 * Counted before they leave and given back when they return with an answer that is accepted, so a shop behind one address has only
 * those on its account who are on their way, or gave up. Whoever is signed in, and a browser that is known or enrolled here, is not
 * counted.
 */
import type { Audit } from '#audit'
import { type Clock, minutes } from '#core/clock'
import { Refusal } from '#core/refusal'
import { sourceOf } from '#http'
import type { State } from '#storage'

/** Fifty tablets that are switched on at once, each with the eight tabs that it had open: all are sent there before anybody types. */
export const DEPARTURE_LIMIT = Object.freeze({ tries: 400, within: minutes(5) })

export interface Departures {
  /** Counts one; answers under which name, for `cameBack`. Throws `provider-throttled`. */
  leave(directory: string, address: string): Promise<string>
  /** It is given back. */
  cameBack(counted: string): Promise<void>
}

export function createDepartures({ state, clock, audit }: { state: State; clock: Clock; audit: Audit }): Departures {
  const { tries, within } = DEPARTURE_LIMIT
  return {
    async leave(directory, address) {
      const now = clock.now()
      const key = `departures:${directory}:${sourceOf(address)}:${Math.floor(now / within)}`
      const count = await state.increment(key, 1, within)
      if (count <= tries) return key
      // those who are turned away are not on their way
      await state.increment(key, -1, within)
      if (await state.add(`${key}:told`, '', { ttl: within }))
        await audit.record('provider-throttled', { actor: 'system', reason: directory })
      const retryAfter = Math.ceil((within - (now % within)) / 1000)
      throw new Refusal('provider-throttled', `directory ${directory}: too many on their way`, { retryAfter })
    },
    async cameBack(counted) {
      await state.increment(counted, -1, within)
    },
  }
}
