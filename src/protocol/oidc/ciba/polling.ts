/** How often an app may ask what became of it (CIBA Core 1.0 §10.1, §11; RFC 8628 §3.5). */
import Provider, { errors } from 'oidc-provider'
import type { Clock } from '#core/clock'
import type { State } from '#storage'
import { isPending } from './asked.ts'
import { POLL_INTERVAL } from './feature.ts'

interface Poll {
  /** Milliseconds since 1970. */
  readonly at: number
  /** Seconds until the next. */
  readonly interval: number
}

/** Timers and networks are not exact: so much too early is not too early. Milliseconds. */
const LENIENCE = 500
const SLOWER = 5
const SLOWEST = 60
const KEPT = 120_000

/**
 * INVARIANT: only the app that asked, once it has shown that it is, and only while nobody has answered: nobody can make another
 * one slow, and an answer is never held back.
 */
export function slowDownPolls(engine: Provider, { state, clock }: { state: State; clock: Clock }): void {
  const Model = engine.BackchannelAuthenticationRequest
  const { find } = Model
  Object.defineProperty(Model, 'IN_PAYLOAD', { value: [...Model.IN_PAYLOAD, 'asker', 'answered'] })

  async function poll(id: string): Promise<void> {
    const key = `asked-poll:${id}`
    const now = clock.now()
    const stored = await state.get(key)
    const before = stored === undefined ? undefined : (JSON.parse(stored) as Poll)
    const early = before !== undefined && now - before.at < before.interval * 1000 - LENIENCE
    const interval = Math.min(SLOWEST, (before?.interval ?? POLL_INTERVAL) + (early ? SLOWER : 0))
    const next = JSON.stringify({ at: now, interval } satisfies Poll)
    const written =
      stored === undefined
        ? await state.add(key, next, { ttl: KEPT })
        : await state.compareAndSwap(key, stored, next, { ttl: KEPT })
    // another one came in the same moment
    if (early || !written) throw new errors.SlowDown()
  }

  Model.find = async function (this: typeof Model, ...asked: Parameters<typeof find>) {
    const request = (await find.apply(this, asked)) as InstanceType<typeof Model> | undefined
    const { oidc } = Provider.ctx ?? {}
    if (!request || oidc?.route !== 'token' || request.clientId !== oidc.client?.clientId) return request
    if (!isPending(request)) return request
    if (Number(request.exp) * 1000 <= clock.now()) throw new errors.ExpiredToken('nobody has answered in time')
    await poll(request.jti)
    return request
  } as typeof find
}
