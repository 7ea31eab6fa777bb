/** What applying manifests would do, worked out before anything is written. */
import { isDeepStrictEqual } from 'node:util'
import type { Definition } from './app.ts'
import { PROTOCOLS, type ProtocolKey } from './protocols/list.ts'
import type { StoredApp } from './registry.ts'

export type Action = 'create' | 'change' | 'unchanged' | 'remove'

export interface PlannedChange {
  readonly id: string
  readonly action: Action
  /** For `change`: the keys that differ, like `oidc.redirect_uris`. */
  readonly keys: readonly string[]
}

/** In the order of the ids. `prune` removes what is registered and not wanted. */
export function planChanges(
  wanted: readonly Definition[],
  there: ReadonlyMap<string, StoredApp>,
  prune: boolean,
): PlannedChange[] {
  const changes = wanted.map((definition): PlannedChange => {
    const before = there.get(definition.id)?.definition
    if (!before) return { id: definition.id, action: 'create', keys: [] }
    const keys = differingKeys(before, definition)
    return { id: definition.id, action: keys.length > 0 ? 'change' : 'unchanged', keys }
  })
  const ids = new Set(wanted.map(({ id }) => id))
  const gone = prune ? [...there.keys()].filter((id) => !ids.has(id)) : []
  return [...changes, ...gone.map((id): PlannedChange => ({ id, action: 'remove', keys: [] }))].sort((a, b) =>
    a.id < b.id ? -1 : 1,
  )
}

function differingKeys(before: Definition, after: Definition): string[] {
  const whole = differing(before, after)
  return whole.flatMap((key) => {
    const [a, b] = isProtocol(key) ? [before[key], after[key]] : []
    return a && b ? differing(a, b).map((inner) => `${key}.${inner}`) : [key]
  })
}

const isProtocol = (key: string): key is ProtocolKey => Object.hasOwn(PROTOCOLS, key)

function differing(before: object, after: object): string[] {
  const a = before as Record<string, unknown>
  const b = after as Record<string, unknown>
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((key) => !isDeepStrictEqual(a[key], b[key]))
}
