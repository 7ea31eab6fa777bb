/**
 * The engine's storage as fast as it can be: maps, on which nothing survives. The one that the engine brings walks through all tokens of
 * a grant at each write, and would make a yardstick too easy to beat.
 */
import type { Adapter, AdapterPayload } from 'oidc-provider'

interface Kept {
  readonly payload: AdapterPayload
  /** Milliseconds; infinite where it never goes. */
  readonly until: number
}

export function openMemory(): (model: string) => Adapter {
  const kept = new Map<string, Kept>()
  const byUid = new Map<string, string>()
  const byGrant = new Map<string, string[]>()
  const living = (key: string | undefined): AdapterPayload | undefined => {
    const found = key === undefined ? undefined : kept.get(key)
    return found && found.until > Date.now() ? found.payload : undefined
  }

  return (model) => {
    const keyOf = (id: string) => `${model}:${id}`
    return {
      async upsert(id, payload, expiresIn) {
        const key = keyOf(id)
        kept.set(key, { payload, until: expiresIn ? Date.now() + expiresIn * 1000 : Number.POSITIVE_INFINITY })
        if (payload.uid) byUid.set(payload.uid, key)
        if (!payload.grantId || model === 'Grant') return
        const others = byGrant.get(payload.grantId)
        if (others) others.push(key)
        else byGrant.set(payload.grantId, [key])
      },
      find: async (id) => living(keyOf(id)),
      findByUid: async (uid) => living(byUid.get(uid)),
      findByUserCode: async () => undefined,
      async consume(id) {
        const found = kept.get(keyOf(id))
        if (found) found.payload.consumed = Math.floor(Date.now() / 1000)
      },
      destroy: async (id) => void kept.delete(keyOf(id)),
      async revokeByGrantId(grantId) {
        for (const key of byGrant.get(grantId) ?? []) kept.delete(key)
        byGrant.delete(grantId)
      },
    }
  }
}
