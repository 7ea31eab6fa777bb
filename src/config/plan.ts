/** What applying files would change, worked out before anything is written. */
import { isDeepStrictEqual } from 'node:util'

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

/** What one thing becomes; without an `after` it is removed. Undefined: it is not there and nobody wants it. */
export function planChange(
  id: string,
  before: object | undefined,
  after: object | undefined,
  parts: readonly string[] = [],
): PlannedChange | undefined {
  if (!after) return before && { id, action: 'remove', fields: [] }
  if (!before) return { id, action: 'create', fields: [] }
  const fields = differingFields(before, after, parts)
  return { id, action: fields.length > 0 ? 'change' : 'unchanged', fields }
}

/** In the order of the ids. `prune` removes what is there and not wanted; `parts` are fields that are told field by field. */
export function planChanges(
  wanted: ReadonlyMap<string, object>,
  there: ReadonlyMap<string, object>,
  prune: boolean,
  parts: readonly string[] = [],
): PlannedChange[] {
  const ids = new Set([...wanted.keys(), ...(prune ? there.keys() : [])])
  return [...ids].sort().flatMap((id) => planChange(id, there.get(id), wanted.get(id), parts) ?? [])
}

function differingFields(before: object, after: object, parts: readonly string[]): FieldChange[] {
  return differing(before, after).flatMap((change) => {
    const { field, before: a, after: b } = change
    const inside = parts.includes(field) && a !== undefined && b !== undefined
    if (!inside) return [change]
    return differing(a as object, b as object).map((inner) => ({ ...inner, field: `${field}.${inner.field}` }))
  })
}

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
