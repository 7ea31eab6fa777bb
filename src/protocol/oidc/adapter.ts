/**
 * The engine's storage: one row per object; a grant's objects are one group. What lives for weeks and what it hangs on is
 * kept beside the records, everything else in short-lived state.
 */
import { type Adapter, type AdapterPayload, errors } from 'oidc-provider'
import type { Clock } from '#core/clock'
import type { State } from '#storage'
import type { Bridge } from './bridge.ts'
import { CIBA_MODEL, isPending, TOLD_FOR } from './ciba/asked.ts'
import { addresseeGroup, deleteIssued, grantGroup, grantsOf, objectKey } from './grant-groups.ts'

export interface AdapterOptions {
  readonly state: State
  /** For what no failover may undo. */
  readonly durable: State
  readonly clock: Clock
  readonly bridge: Bridge
  /** A one-time thing was presented again: told to the audit trail. */
  onReuse(model: string, payload: AdapterPayload): Promise<void>
}

const userCodeAlias = (userCode: string) => `oidc:user-code:${userCode}`
const LONGEST_ID = 512
/** An app that has lost its refresh token has lost the person; one that got a spent one back has two. */
const DURABLE: ReadonlySet<string> = new Set(['Grant', 'RefreshToken'])

/** An adapter per model, as the engine asks for it. */
export function createAdapterFactory(options: AdapterOptions): (model: string) => Adapter {
  return (model) => (model === 'Session' ? options.bridge.adapter : createAdapter(model, options))
}

function createAdapter(model: string, options: AdapterOptions): Adapter {
  const { state, durable, clock, onReuse } = options
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

  return {
    async upsert(id, payload, expiresIn = 0) {
      // whoever polls too late is told that it is too late
      const later = model === CIBA_MODEL ? TOLD_FOR : 0
      const life = expiresIn > 0 ? { ttl: (expiresIn + later) * 1000 } : {}
      const text = JSON.stringify(payload)
      await store.set(objectKey(model, id), text, { ...life, ...placeOf(payload) })
    },

    async find(id) {
      return id.length > LONGEST_ID ? undefined : read(await store.get(objectKey(model, id)))
    },

    async findByUserCode(userCode) {
      return read((await store.getByAlias(userCodeAlias(userCode)))?.value)
    },

    async findByUid() {
      return undefined // sessions only, and those are the bridge's
    },

    /**
     * INVARIANT: exactly one of any number of parallel callers returns; for all others the engine's answer is the
     * protocol's refusal and the whole grant ends (RFC 6749 §4.1.2, RFC 9700 §4.14.2).
     */
    async consume(id) {
      const key = objectKey(model, id)
      const stored = await store.get(key)
      const payload = read(stored)
      if (stored === undefined || payload === undefined) throw spent(model)
      const marked = JSON.stringify({ ...payload, consumed: Math.floor(clock.now() / 1000) })
      if (!payload['consumed'] && (await store.compareAndSwap(key, stored, marked))) return
      await onReuse(model, payload)
      throw spent(model)
    },

    async destroy(id) {
      await store.delete(objectKey(model, id))
    },

    async revokeByGrantId(grantId) {
      await deleteIssued({ state, durable }, grantId)
    },
  }
}

function spent(model: string): Error {
  if (model === 'PushedAuthorizationRequest')
    return new errors.InvalidRequestUri('request_uri is invalid, expired, or was already used')
  return new errors.InvalidGrant('grant request is invalid')
}
