/** `when`: conditions that must all hold, and `any`, `all`, `not` that nest. Reading, preparing, and asking it. */
import type { z } from 'zod'
import type { Condition, Reference, Setting, Test } from './condition.ts'
import { findCondition, nearestCondition } from './conditions/list.ts'
import type { Scene } from './scene.ts'
import type { Need } from './signals.ts'
import { not, type Truth } from './truth.ts'

/** Where something stands in a document. */
export type Path = readonly (string | number)[]

/** What one condition said: part of the trace of a decision. */
export interface ConditionTrace {
  /** Its name, or `any`, `all`, `not`. */
  readonly condition: string
  /** As the rule writes it. */
  readonly wanted?: unknown
  /** The fact; `unknown` where it cannot be established. */
  readonly seen?: unknown
  readonly result: Truth | 'error'
  /** Why it is unknown, or which error it was. */
  readonly why?: string
  readonly conditions?: readonly ConditionTrace[]
}

/** Judges and writes down what it saw, where somebody reads it. Throws when a condition fails; that is written down too. */
export type Judge = (scene: Scene, trace: ConditionTrace[] | undefined) => Truth

/** A `when` that has been read, before zones are known. */
export type Draft =
  | { readonly join: 'any' | 'all'; readonly parts: readonly Draft[]; readonly named: boolean }
  | { readonly join: 'not'; readonly part: Draft }
  | {
      readonly join: 'condition'
      readonly condition: Condition
      readonly rest: string
      readonly written: string
      readonly raw: unknown
      readonly wanted: unknown
      readonly unknown: boolean | undefined
    }

/** One condition of a `when`. */
export type Leaf = Extract<Draft, { join: 'condition' }>

export const leavesOf = (draft: Draft | undefined): Leaf[] =>
  !draft
    ? []
    : draft.join === 'condition'
      ? [draft]
      : (draft.join === 'not' ? [draft.part] : draft.parts).flatMap(leavesOf)

/** Where reading puts what it finds. */
export interface Notes {
  problem(path: Path, code: string, message: string): void
  issues(path: Path, error: z.ZodError): void
  reference(path: Path, reference: Reference): void
  /** Conditions that were read before, by how they are written: hundreds of rules ask the same few. */
  readonly leaves: Map<string, Leaf>
}

const DEEPEST = 16

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Reads everything there is, whatever is wrong with it, so that all problems come at once. */
export function readWhen(raw: unknown, path: Path, notes: Notes, named = false): Draft {
  const parts: Draft[] = []
  if (path.length > DEEPEST * 2) notes.problem(path, 'too-deep', 'nests too deep')
  else if (!isRecord(raw)) notes.problem(path, 'invalid', 'expected conditions by name, like `user.groups: [staff]`')
  else if (Object.keys(raw).length === 0)
    notes.problem(path, 'when-empty', 'holds no condition; leave `when` out where a rule always matches')
  else for (const [key, value] of Object.entries(raw)) parts.push(...readPart(key, value, [...path, key], notes))
  return { join: 'all', parts, named }
}

function readPart(key: string, value: unknown, path: Path, notes: Notes): Draft[] {
  if (key === 'not') return [{ join: 'not', part: readWhen(value, path, notes) }]
  if (key === 'any' || key === 'all') {
    if (!Array.isArray(value) || value.length === 0) {
      notes.problem(path, 'invalid', 'expected a list of conditions')
      return []
    }
    return [{ join: key, parts: value.map((part, index) => readWhen(part, [...path, index], notes)), named: true }]
  }
  const found = findCondition(key)
  if (!found) {
    const near = nearestCondition(key)
    notes.problem(
      path,
      'unknown-condition',
      `is an unknown condition \`${key}\`${near ? `; did you mean \`${near}\`?` : ''}`,
    )
    return []
  }
  const text = `${key} ${JSON.stringify(value)}`
  const leaf = notes.leaves.get(text) ?? readLeaf(key, value, found, path, notes)
  if (!leaf) return []
  const told = isRecord(value) && Object.hasOwn(value, 'unknown') ? value['unknown'] : false
  // INVARIANT: what is kept had no problem: the next that is written like it must be told of its own
  if (typeof told === 'boolean') notes.leaves.set(text, leaf)
  for (const reference of leaf.condition.refers?.(leaf.wanted) ?? []) notes.reference(path, reference)
  return [leaf]
}

function readLeaf(
  key: string,
  value: unknown,
  found: Pick<Leaf, 'condition' | 'rest'>,
  path: Path,
  notes: Notes,
): Leaf | undefined {
  let form = value
  let unknown: boolean | undefined
  if (isRecord(value) && Object.hasOwn(value, 'unknown')) {
    const { unknown: told, ...rest } = value
    if (typeof told === 'boolean') unknown = told
    else notes.problem([...path, 'unknown'], 'invalid', 'expected `true` or `false`')
    form = rest
  }
  const parsed = found.condition.wanted.safeParse(form, { reportInput: true, error: tellKnownKeys })
  if (parsed.success) return { join: 'condition', ...found, written: key, raw: value, wanted: parsed.data, unknown }
  notes.issues(path, parsed.error)
  return undefined
}

/** zod leaves the known keys out of an issue; readYaml expects them in its message. */
export function tellKnownKeys(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code !== 'unrecognized_keys') return undefined
  const shape = (issue.inst as { _zod?: { def?: { shape?: object } } } | undefined)?._zod?.def?.shape
  return Object.keys(shape ?? {}).join(' ')
}

export type Names = Omit<Setting, 'rest'>

/** Every reference in the draft must be known by now. What is in `prepared`, with the same names, is not prepared again. */
export function prepareWhen(draft: Draft, names: Names, prepared = new Map<Leaf, Judge>()): Judge {
  if (draft.join === 'not') {
    const part = prepareWhen(draft.part, names, prepared)
    return nested('not', (scene, trace) => not(part(scene, trace)))
  }
  if (draft.join !== 'condition') {
    const parts = draft.parts.map((part) => prepareWhen(part, names, prepared))
    const judge = draft.join === 'all' ? every(parts) : some(parts)
    return draft.named ? nested(draft.join, judge) : judge
  }
  let judge = prepared.get(draft)
  if (!judge) {
    const test = draft.condition.prepare(draft.wanted, { ...names, rest: draft.rest })
    judge = asked(draft.written, draft.raw, test, draft.unknown)
    prepared.set(draft, judge)
  }
  return judge
}

/** What has to be gathered before it can be asked. */
export function needsOf(draft: Draft, names: Names): readonly Need[] {
  if (draft.join === 'not') return needsOf(draft.part, names)
  if (draft.join !== 'condition') return draft.parts.flatMap((part) => needsOf(part, names))
  return draft.condition.needs?.(draft.wanted, { ...names, rest: draft.rest }) ?? []
}

/** False as soon as one part is; what stands behind it is not asked. */
const every =
  (parts: readonly Judge[]): Judge =>
  (scene, trace) => {
    let result: Truth = true
    for (const part of parts) {
      const truth = part(scene, trace)
      if (truth === false) return false
      if (truth === 'unknown') result = 'unknown'
    }
    return result
  }

const some =
  (parts: readonly Judge[]): Judge =>
  (scene, trace) => {
    let result: Truth = false
    for (const part of parts) {
      const truth = part(scene, trace)
      if (truth === true) return true
      if (truth === 'unknown') result = 'unknown'
    }
    return result
  }

const nested =
  (condition: string, judge: Judge): Judge =>
  (scene, trace) => {
    if (!trace) return judge(scene, undefined)
    const conditions: ConditionTrace[] = []
    const entry: { -readonly [K in keyof ConditionTrace]: ConditionTrace[K] } = {
      condition,
      result: 'error',
      conditions,
    }
    trace.push(entry)
    const result = judge(scene, conditions)
    entry.result = result
    return result
  }

function asked(condition: string, wanted: unknown, test: Test<unknown>, override: boolean | undefined): Judge {
  return (scene, trace) => {
    try {
      const found = test.see(scene)
      const truth = found === undefined ? 'unknown' : test.holds(found, scene)
      if (!trace) return truth === 'unknown' ? (override ?? 'unknown') : truth
      const seen = found === undefined ? 'unknown' : test.show ? test.show(found) : found
      if (truth !== 'unknown') {
        trace.push({ condition, wanted, seen, result: truth })
        return truth
      }
      const result = override ?? 'unknown'
      const why = override === undefined ? test.why : `${test.why}, and the rule takes that as ${override}`
      trace.push({ condition, wanted, seen, result, why })
      return result
    } catch (error) {
      // the message may repeat the fact, so only the kind of error is told
      trace?.push({ condition, wanted, result: 'error', why: error instanceof Error ? error.name : 'error' })
      throw error
    }
  }
}
