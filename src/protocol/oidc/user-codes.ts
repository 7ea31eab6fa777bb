/**
 * How many wrong codes of devices are listened to (RFC 8628 §5.1), over all processes. Such a code is short, for somebody reads it
 * from a television, and whoever guesses one may connect somebody else's device to their own account.
 *
 * A try is counted before it is looked at and given back when the code waits for somebody, so guesses that are sent at the same
 * moment count. Whoever is signed in is counted wherever they are, and by nothing else: whoever guesses behind the same address
 * as they cannot lock them out. Everybody else is counted by address.
 */
import Provider, { errors } from 'oidc-provider'
import type { Audit } from '#audit'
import { type Clock, minutes } from '#core/clock'
import { sourceOf } from '#http'
import type { State } from '#storage'
import type { Bridge } from './bridge.ts'

export const USER_CODE_LIMITS = Object.freeze({
  'user-code-address': { tries: 20, within: minutes(15) },
  'user-code-person': { tries: 10, within: minutes(15) },
})
type Name = keyof typeof USER_CODE_LIMITS

/** The engine's names for the letters and for where they stand (`device.ts`). */
export const USER_CODE_FORM = Object.freeze({ charset: 'base-20', mask: '****-****' })
/** As the engine makes them of that and looks for them, without the dash. What looks otherwise is a slip of the finger, and no guess. */
const USER_CODE = /^[BCDFGHJKLMNPQRSTVWXZ]{8}$/

export interface UserCodeRooms {
  readonly state: Pick<State, 'increment' | 'add'>
  readonly clock: Clock
  readonly audit: Pick<Audit, 'record'>
  readonly bridge: Pick<Bridge, 'visitorOf'>
}

const waits = new WeakMap<object, number>()
/** Seconds, where somebody has to wait because too many codes were wrong. */
export const userCodeWait = (error: unknown): number | undefined =>
  typeof error === 'object' && error !== null ? waits.get(error) : undefined

export function limitUserCodes(engine: Provider, { state, clock, audit, bridge }: UserCodeRooms): void {
  const Model = engine.DeviceCode
  const { findByUserCode } = Model

  /** Answers how the try is given back. */
  async function enter(limit: Name, who: string, subject: string | undefined): Promise<() => Promise<unknown>> {
    const { tries, within } = USER_CODE_LIMITS[limit]
    const now = clock.now()
    const key = `user-codes:${limit}:${who}:${Math.floor(now / within)}`
    const back = () => state.increment(key, -1, within)
    if ((await state.increment(key, 1, within)) <= tries) return back
    await back()
    if (await state.add(`${key}:told`, '', { ttl: within }))
      await audit.record('user-code-throttled', { subject, reason: limit })
    const error = new errors.CustomOIDCProviderError('temporarily_unavailable', 'too many codes')
    waits.set(error, Math.ceil((within - (now % within)) / 1000))
    throw Object.assign(error, { status: 429, statusCode: 429 })
  }

  function enterAs(): Promise<() => Promise<unknown>> {
    const { ctx } = Provider
    const visitor = ctx && bridge.visitorOf(ctx.req)
    const person = visitor?.session?.personId
    return person === undefined
      ? enter('user-code-address', sourceOf(visitor?.address ?? ''), undefined)
      : enter('user-code-person', person, person)
  }

  type Found = InstanceType<typeof Model> & { readonly inFlight?: boolean }
  Model.findByUserCode = async function (this: typeof Model, ...asked: Parameters<typeof findByUserCode>) {
    if (!USER_CODE.test(asked[0])) return undefined
    const giveBack = await enterAs()
    const found = (await findByUserCode.apply(this, asked)) as Found | undefined
    // as the engine judges it a moment later: over, or answered already, it is as wrong as one that never was
    if (found && !found.isExpired && !found.error && !found.accountId && !found.inFlight) await giveBack()
    return found
  } as typeof findByUserCode
}
