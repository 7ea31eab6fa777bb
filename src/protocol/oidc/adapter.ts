/**
 * The engine's storage: one row per object; a grant's objects are one group. What lives for weeks and what it hangs on is
 * kept beside the records, everything else in short-lived state.
 */
import Provider, { type Adapter, type AdapterPayload, errors } from 'oidc-provider'
import type { Clock } from '#core/clock'
import { type State, settled } from '#storage'
import type { Bridge } from './bridge.ts'
import { CIBA_MODEL, isPending, TOLD_FOR } from './ciba/asked.ts'
import { addresseeGroup, deleteIssued, grantGroup, grantsOf, objectKey } from './grant-groups.ts'
import type { Redemptions } from './redemption.ts'

export interface AdapterOptions {
  readonly state: State
  /** For what no failover may undo. */
  readonly durable: State
  readonly clock: Clock
  readonly bridge: Bridge
  readonly redemptions: Redemptions
  /** A one-time thing was presented again: what it gave ends, and the trail is told. */
  onReuse(model: string, payload: AdapterPayload): Promise<void>
  /** Of copies that came at the same time this one was too late. */
  onCopy(model: string, payload: AdapterPayload): Promise<void>
}

const userCodeAlias = (userCode: string) => `oidc:user-code:${userCode}`
const LONGEST_ID = 512
/** An app that has lost its refresh token has lost the person; one that got a spent one back has two. */
const DURABLE: ReadonlySet<string> = new Set(['Grant', 'RefreshToken'])
const ISSUED: ReadonlySet<string> = new Set(['AccessToken', 'RefreshToken'])

/** An adapter per model, as the engine asks for it. */
export function createAdapterFactory(options: AdapterOptions): (model: string) => Adapter {
  return (model) => (model === 'Session' ? options.bridge.adapter : createAdapter(model, options))
}

function createAdapter(model: string, options: AdapterOptions): Adapter {
  const { state, durable, clock, redemptions, onReuse, onCopy } = options
  const store = DURABLE.has(model) ? durable : state
  const groupOf = (payload: AdapterPayload): string | undefined => {
    if (model === 'Grant') return grantsOf(payload.accountId!)
    if (payload.grantId) return grantGroup(payload.grantId)
    return model === CIBA_MODEL && isPending(payload) ? addresseeGroup(payload.accountId!) : undefined
  }
  const placeOf = (payload: AdapterPayload) => {
    const group = groupOf(payload)
    return { ...(group ? { group } : {}), ...(payload.userCode ? { alias: userCodeAlias(payload.userCode) } : {}) }
  }
  const read = (stored: string | undefined): AdapterPayload | undefined =>
    stored === undefined ? undefined : JSON.parse(stored)
  /** Nothing ties the two stores together: what the other one has not confirmed must not cost what stays. */
  const othersConfirmed = async () => {
    if (store !== state) await settled()
  }

  return {
    async upsert(id, payload, expiresIn = 0) {
      // whoever polls too late is told that it is too late
      const later = model === CIBA_MODEL ? TOLD_FOR : 0
      const life = expiresIn > 0 ? { ttl: (expiresIn + later) * 1000 } : {}
      const text = JSON.stringify(payload)
      await store.set(objectKey(model, id), text, { ...life, ...placeOf(payload) })
      const { req: request } = Provider.ctx ?? {}
      if (request && ISSUED.has(model)) redemptions.issued(request, () => store.delete(objectKey(model, id)))
    },

    async find(id) {
      const found = id.length > LONGEST_ID ? undefined : read(await store.get(objectKey(model, id)))
      if (found?.['consumed'] && redemptions.isTooLate(Provider.ctx?.req)) delete found['consumed']
      return found
    },

    async findByUserCode(userCode) {
      return read((await store.getByAlias(userCodeAlias(userCode)))?.value)
    },

    async findByUid() {
      return undefined // sessions only, and those are the bridge's
    },

    /**
     * A request to the engine's token endpoint spends it at its end (`redemption.ts`); whoever has nothing left to do, and
     * whoever opens a pushed request, spends it here.
     *
     * INVARIANT: exactly one of any number of parallel callers does; for all others the engine's answer is the protocol's refusal.
     */
    async consume(id) {
      const key = objectKey(model, id)
      const stored = await store.get(key)
      const payload = read(stored)
      if (stored === undefined || payload === undefined) throw spent(model)
      const spend = async () => {
        const marked = { ...payload, consumed: Math.floor(clock.now() / 1000) }
        return !payload['consumed'] && (await store.compareAndSwap(key, stored, JSON.stringify(marked)))
      }
      const request = Provider.ctx?.req
      if (model === 'PushedAuthorizationRequest') {
        if (await spend()) return
        await onReuse(model, payload)
        throw spent(model)
      }
      if (!request) {
        await othersConfirmed()
        if (!(await spend())) throw spent(model)
        return
      }
      if (payload['consumed']) {
        await onCopy(model, payload)
        throw spent(model)
      }
      redemptions.begin(request, async () => {
        await othersConfirmed()
        if (await spend()) return true
        await onCopy(model, payload)
        return false
      })
    },

    async destroy(id) {
      await store.delete(objectKey(model, id))
    },

    async revokeByGrantId(grantId) {
      await deleteIssued({ state, durable }, grantId)
    },
  }
}

/** The protocol's refusal of whoever comes too late. */
export function spent(model?: string): InstanceType<typeof errors.OIDCProviderError> {
  if (model === 'PushedAuthorizationRequest')
    return new errors.InvalidRequestUri('request_uri is invalid, expired, or was already used')
  return new errors.InvalidGrant('grant request is invalid')
}
