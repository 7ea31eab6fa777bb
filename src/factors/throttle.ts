/**
 * How many wrong answers are listened to, over all processes.
 *
 * A try is counted before the check and given back when it was right, so that parallel guesses count. Three kinds of
 * counters: per person (a browser the person is known in has a counter of its own, which an outsider cannot reach), per
 * address, and per sign-in for short codes. Unknown user names are counted like known ones, under a hash of the name.
 *
 * INVARIANT: nothing here lasts longer than 15 minutes after the last failure, so nobody is ever locked out for good.
 */
import type { Audit } from '#audit'
import type { Clock, Millis } from '#core/clock'
import { sha256 } from '#core/digest'
import { Refusal } from '#core/refusal'
import { sourceOf } from '#http'
import type { State } from '#storage'
import type { FactorKind, Lane } from './factor.ts'
import { FIRST_WAIT, LIMITS, type LimitName, LONGEST_WAIT } from './limits.ts'

export interface Trier {
  readonly personId?: string | undefined
  readonly username?: string | undefined
  readonly address: string
  readonly knownDevice: boolean
  readonly conversation: string
}

/** A try that is being checked. Exactly one of the three is called. @throws Refusal `throttled` */
export interface Try {
  right(): Promise<void>
  wrong(): Promise<void>
  /** It was never looked at: the directory is down, we are overloaded. */
  undone(): Promise<void>
}

const LONGEST_NAME = 512

/**
 * What all spellings have in common that some directory might take for the same user name.
 * ATTACK: ` Sam`, `SAM` and `sám` must share one counter, or each spelling brings new tries.
 */
const fold = (name: string): string =>
  name
    .slice(0, LONGEST_NAME)
    .normalize('NFKD')
    .replace(/[\p{M}\p{Z}\p{C}]/gu, '')
    .toUpperCase()
    .toLowerCase()

export function createThrottle({ state, clock, audit }: { state: State; clock: Clock; audit: Audit }) {
  const windowOf = (limit: LimitName) => Math.floor(clock.now() / LIMITS[limit].within)
  const restOf = (limit: LimitName): Millis => LIMITS[limit].within - (clock.now() % LIMITS[limit].within)
  const throttled = (limit: LimitName, wait: Millis) =>
    new Refusal('throttled', limit, { retryAfter: Math.max(1, Math.ceil(wait / 1000)) })

  /** A plain counter: so many per window, then no more until the window is over. */
  const counter = (limit: LimitName, who: string) => {
    const key = `throttle:${limit}:${who}:${windowOf(limit)}`
    const { tries, within } = LIMITS[limit]
    return {
      tries,
      count: () => state.increment(key, 1, within),
      back: () => state.increment(key, -1, within),
      read: async () => Number((await state.get(key)) ?? 0),
    }
  }

  type Back = () => Promise<unknown>

  /** Per person: so many per window, then one by one, with waits that grow. Answers how the try is given back. */
  async function enterPerson(limit: LimitName, who: string, tell: () => Promise<void>): Promise<Back> {
    const { tries, count, back } = counter(limit, who)
    const gate = `throttle-gate:${limit}:${who}`
    const level = `throttle-level:${limit}:${who}`
    const closed = async () => throttled(limit, Number((await state.get(gate)) ?? 0) - clock.now())
    if ((await state.get(gate)) !== undefined) throw await closed()
    const waited = await state.get(level)
    // somebody who keeps failing from window to window does not get the whole number again
    if (waited === undefined) {
      if ((await count()) <= tries) return back
      await back()
    }
    const wait = Math.min(FIRST_WAIT * 2 ** Number(waited ?? 0), LONGEST_WAIT)
    if (!(await state.add(gate, String(clock.now() + wait), { ttl: wait }))) throw await closed()
    await state.set(level, String(Math.min(Number(waited ?? 0) + 1, 10)), { ttl: LIMITS[limit].within })
    await tell()
    return () => state.delete(gate)
  }

  async function enterConversation(who: string, tell: () => Promise<void>): Promise<Back> {
    const limit = 'code-conversation'
    const key = `throttle:${limit}:${who}`
    const { tries, within } = LIMITS[limit]
    const count = await state.increment(key, 1, within)
    if (count === tries + 1) await tell()
    if (count > tries) throw throttled(limit, within)
    return () => state.increment(key, -1, within)
  }

  /** @throws Refusal `throttled` with `retryAfter` */
  async function enter(lane: Lane, kind: FactorKind, trier: Trier): Promise<Try> {
    const tell = () => audit.record('factor-throttled', { subject: trier.personId, factor: kind })
    // a person at a known device is nobody's password spraying, whoever else shares the address
    const exempt = trier.knownDevice && lane !== 'passkey'
    const addressLimit = lane === 'passkey' ? 'passkey-address' : 'guess-address'
    const address = exempt ? undefined : counter(addressLimit, sourceOf(trier.address))
    if (address && (await address.read()) >= address.tries) throw throttled(addressLimit, restOf(addressLimit))

    const backs: Back[] = []
    const giveBack = async () => {
      for (const back of backs) await back()
    }
    try {
      if (lane === 'code') backs.push(await enterConversation(trier.conversation, tell))
      if (lane !== 'passkey') {
        const device = trier.knownDevice ? 'known-device' : 'unknown-device'
        const name = lane === 'password' ? trier.username : undefined
        const who = name === undefined ? `person:${trier.personId ?? ''}` : `name:${sha256(fold(name))}`
        backs.push(await enterPerson(`${lane}-${device}`, who, tell))
      }
    } catch (error) {
      await giveBack()
      throw error
    }

    return Object.freeze({
      async right() {
        await giveBack()
        // ATTACK: a thousand guesses sent at once are all on their way before the first is found wrong. Those that come
        // back after the limit was reached do not learn whether they were right.
        if (address && (await address.read()) >= address.tries) throw throttled(addressLimit, restOf(addressLimit))
      },
      async wrong() {
        if (!address) return
        const count = await address.count()
        if (count === address.tries) await tell()
        if (count > address.tries) throw throttled(addressLimit, restOf(addressLimit))
      },
      undone: giveBack,
    })
  }

  return Object.freeze({ enter })
}
