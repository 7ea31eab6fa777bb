/** `when`: conditions that must all hold, and `any`, `all`, `not` that nest. Reading, preparing, and asking it. */
import type { z } from 'zod'
import type { Condition, Reference, Setting, Test } from './condition.ts'
import { findCondition, nearestCondition } from './conditions/list.ts'
import type { ConditionTrace } from './said.ts'
import type { Scene } from './scene.ts'
import type { Need } from './signals.ts'
import { not, type Truth } from './truth.ts'

/** Where something stands in a document. */
export type Path = readonly (string | number)[]

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

/** What was prepared already, with the same names. */
export type Prepared = ReadonlyMap<Leaf, Judge>

/** Each condition of a policy once, however many rules ask it. Every reference must be known by now. */
export function prepareLeaves(drafts: readonly (Draft | undefined)[], names: Names): Prepared {
  const times = new Map<Leaf, number>()
  for (const leaf of drafts.flatMap(leavesOf)) times.set(leaf, (times.get(leaf) ?? 0) + 1)
  const prepared = new Map<Leaf, Judge>()
  let slot = 0
  for (const [leaf, asks] of times) {
    const judge = prepareLeaf(leaf, names)
    prepared.set(leaf, asks > 1 ? remembered(judge, prepared, slot++) : judge)
  }
  return prepared
}

/** Every reference in the draft must be known by now. */
export function prepareWhen(draft: Draft, names: Names, prepared?: Prepared): Judge {
  if (draft.join === 'not') {
    const part = prepareWhen(draft.part, names, prepared)
    return nested('not', (scene, trace) => not(part(scene, trace)))
  }
  if (draft.join !== 'condition') {
    const parts = draft.parts.map((part) => prepareWhen(part, names, prepared))
    const judge = draft.join === 'all' ? every(parts) : some(parts)
    return draft.named ? nested(draft.join, judge) : judge
  }
  return prepared?.get(draft) ?? prepareLeaf(draft, names)
}

function prepareLeaf({ condition, wanted, rest, written, raw, unknown }: Leaf, names: Names): Judge {
  return asked(written, raw, condition.prepare(wanted, { ...names, rest }), unknown)
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

/**
 * Asked once in a decision, however many rules ask the same. What it said lies in the scene, so it is forgotten with it; `owner` is the
 * policy whose slots these are. A condition that failed is asked again, and fails again.
 */
const remembered =
  (judge: Judge, owner: object, slot: number): Judge =>
  (scene, trace) => {
    const said = saidBy(owner, scene)
    const before = said[slot]
    if (typeof before === 'object') {
      trace?.push(before)
      return before.result as Truth
    }
    if (before !== undefined && !trace) return before
    const truth = judge(scene, trace)
    said[slot] = trace ? trace.at(-1)! : truth
    return truth
  }

function saidBy(owner: object, { found }: Scene): (Truth | ConditionTrace | undefined)[] {
  if (found.owner !== owner || !found.said) {
    found.owner = owner
    found.said = []
  }
  return found.said
}
