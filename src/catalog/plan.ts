/** What applying manifests would do, worked out before anything is written. */
import { isDeepStrictEqual } from 'node:util'
import type { Definition } from './app.ts'
import { PROTOCOLS, type ProtocolKey } from './protocols/list.ts'
import type { StoredApp } from './registry-writing.ts'

export type Action = 'create' | 'change' | 'unchanged' | 'remove'

export interface FieldChange {
  /** Like `oidc.redirect_uris`. */
  readonly field: string
  /** Absent where there was none. */
  readonly before?: unknown
  /** Absent where there is none any more. */
  readonly after?: unknown
}

export interface PlannedChange {
  readonly id: string
  readonly action: Action
  /** For `change`: what differs. */
  readonly fields: readonly FieldChange[]
}

/** What one app becomes; without a definition it is removed. Undefined: it is not there and nobody wants it. */
export function planChange(
  id: string,
  before: Definition | undefined,
  after: Definition | undefined,
): PlannedChange | undefined {
  if (!after) return before && { id, action: 'remove', fields: [] }
  if (!before) return { id, action: 'create', fields: [] }
  const fields = differingFields(before, after)
  return { id, action: fields.length > 0 ? 'change' : 'unchanged', fields }
}

/** In the order of the ids. `prune` removes what is registered and not wanted. */
export function planChanges(
  wanted: readonly Definition[],
  there: ReadonlyMap<string, StoredApp>,
  prune: boolean,
): PlannedChange[] {
  const after = new Map(wanted.map((definition) => [definition.id, definition]))
  const ids = new Set([...after.keys(), ...(prune ? there.keys() : [])])
  return [...ids].sort().flatMap((id) => planChange(id, there.get(id)?.definition, after.get(id)) ?? [])
}

function differingFields(before: Definition, after: Definition): FieldChange[] {
  const whole = differing(before, after)
  return whole.flatMap((change) => {
    const { field } = change
    const [a, b] = isProtocol(field) ? [before[field], after[field]] : []
    return a && b ? differing(a, b).map((inner) => ({ ...inner, field: `${field}.${inner.field}` })) : [change]
  })
}

const isProtocol = (key: string): key is ProtocolKey => Object.hasOwn(PROTOCOLS, key)

function differing(before: object, after: object): FieldChange[] {
  const a = before as Record<string, unknown>
  const b = after as Record<string, unknown>
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((key) => !isDeepStrictEqual(a[key], b[key]))
    .map((field) => ({
      field,
      ...(a[field] !== undefined && { before: a[field] }),
      ...(b[field] !== undefined && { after: b[field] }),
    }))
}
