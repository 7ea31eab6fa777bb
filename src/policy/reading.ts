/** One file of a policy folder: which document it holds, and all its problems at once, with their positions. */
import { z } from 'zod'
import { type Problem, readYaml, type YamlDocument } from '#config'
import { nearest } from '#core/nearest'
import type { Reference } from './condition.ts'
import { UNWRITTEN } from './decision.ts'
import {
  type NetworksDocument,
  networksSchema,
  type PolicyDocument,
  policySchema,
  type StrengthsDocument,
  strengthsSchema,
} from './documents.ts'
import { type Draft, type Notes, type Path, readWhen, tellKnownKeys } from './when.ts'

const KINDS = { networks: networksSchema, strengths: strengthsSchema, policy: policySchema } as const
type Kind = keyof typeof KINDS

/** Where something stands; both 1-based. */
export interface Place {
  readonly line: number
  readonly column: number
}

/** A group or an app that a condition names. */
export interface Named extends Place {
  readonly to: 'group' | 'app'
  readonly name: string
}

interface Contents {
  readonly kind?: Kind
  readonly networks?: NetworksDocument
  readonly strengths?: StrengthsDocument
  readonly policy?: PolicyDocument
  /** The `when` of each rule; undefined where it has none. */
  readonly drafts: readonly (Draft | undefined)[]
  /** Names that the document gives, even where it has problems, so that one problem does not become many. */
  readonly names: readonly string[]
  /** Networks and strengths that it names. */
  readonly references: readonly (Reference & { path: Path })[]
}

/** A document without problems of its own. Nothing in it depends on the file's name or on other files, so it can be kept. */
export interface Sound extends Contents {
  readonly mentions: readonly Named[]
  readonly places: { readonly policy: Place; readonly rules: readonly Place[]; readonly tests: readonly Place[] }
}

export interface Reading extends Contents {
  readonly file: string
  /** Absent where there are problems. */
  readonly sound?: Sound
  readonly problems: readonly Problem[]
  position(path: Path): Place
  problem(path: Path, code: string, message: string): Problem
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Never throws for what a person wrote. */
export function readDocument(file: string, text: string): Reading {
  const references: (Reference & { path: Path })[] = []
  const drafts: (Draft | undefined)[] = []
  const found: { kind?: Kind; names: string[] } = { names: [] }
  const whole = z.unknown().transform((raw, ctx) => {
    // filled one by one, as all lists here: there may be more than a call takes
    const issues = ctx.issues as unknown[]
    const notes: Notes = {
      problem: (path, code, message) =>
        void issues.push({ code: 'custom', path: [...path], message, params: { code }, input: raw }),
      issues(path, error) {
        for (const issue of error.issues) issues.push({ ...issue, path: [...path, ...issue.path] })
      },
      reference: (path, reference) => void references.push({ ...reference, path }),
      leaves: new Map(),
    }
    const kind = kindOf(raw, notes)
    if (!kind) return z.NEVER
    found.kind = kind
    const document = raw as Record<string, unknown>
    const result = KINDS[kind].safeParse(raw, { reportInput: true, error: tellKnownKeys })
    if (!result.success) notes.issues([], result.error)
    if (kind === 'policy') {
      found.names = typeof document['policy'] === 'string' ? [document['policy']] : []
      for (const draft of readRules(document, notes)) drafts.push(draft)
    } else found.names = isRecord(document[kind]) ? Object.keys(document[kind]) : []
    return result.success ? result.data : z.NEVER
  })
  try {
    const { value, problems, position, problem } = readYaml(file, text, whole as z.ZodType<unknown>)
    if (!found.kind || value === undefined) return { file, ...found, drafts, references, problems, position, problem }
    const { rules = [], tests = [] } = value as Partial<PolicyDocument>
    return asReading(file, text, {
      kind: found.kind,
      names: found.names,
      [found.kind]: value,
      drafts,
      references: references.filter(({ to }) => to === 'network' || to === 'strength'),
      mentions: references.flatMap(({ to, name, path }) =>
        to === 'group' || to === 'app' ? [{ to, name, ...position(path) }] : [],
      ),
      places: {
        policy: position(['policy']),
        rules: rules.map((_, index) => position(['rules', index])),
        tests: tests.map((_, index) => position(['tests', index])),
      },
    })
  } catch {
    // ATTACK: a document that nests so deep that its parser runs out of stack
    const problem = (_: Path, code: string, message: string): Problem => ({ file, line: 1, column: 1, code, message })
    const problems = [problem([], 'yaml-invalid', 'file cannot be read as YAML')]
    return { file, drafts: [], names: [], references: [], problems, position: () => ({ line: 1, column: 1 }), problem }
  }
}

/**
 * A sound document as it stands in that file. What is wrong with it beside others is rare, so the text is read again for
 * where it stands: the tree of a large file takes several times the memory of what it says.
 */
export function asReading(file: string, text: string, sound: Sound): Reading {
  let again: YamlDocument<unknown> | undefined
  const read = () => {
    again ??= readYaml(file, text, z.unknown())
    return again
  }
  return {
    ...sound,
    file,
    sound,
    problems: [],
    position: (path) => read().position(path),
    problem: (path, code, message) => read().problem(path, code, message),
  }
}

function kindOf(raw: unknown, notes: Notes): Kind | undefined {
  const keys = isRecord(raw) ? Object.keys(raw) : []
  const kinds = (Object.keys(KINDS) as Kind[]).filter((kind) => keys.includes(kind))
  if (kinds.length === 1) return kinds[0]
  if (kinds.length > 1) {
    notes.problem([kinds[1]!], 'document-kind', `stands beside \`${kinds[0]}\`; a file holds exactly one document`)
    return undefined
  }
  const near = keys.map((key) => nearest(key, Object.keys(KINDS))).find((found) => found !== undefined)
  notes.problem(
    [],
    'document-kind',
    `must hold one of \`networks\`, \`strengths\` and \`policy\`${near ? `; did you mean \`${near}\`?` : ''}`,
  )
  return undefined
}

/** What a schema cannot say about rules and tests. Works on whatever was written, sound or not. */
function readRules(document: Record<string, unknown>, notes: Notes): (Draft | undefined)[] {
  const rules: unknown[] = Array.isArray(document['rules']) ? document['rules'] : []
  const drafts = rules.map((rule, index) => {
    if (!isRecord(rule)) return undefined
    const path = ['rules', index]
    if (UNWRITTEN.includes(String(rule['name'])))
      notes.problem([...path, 'name'], 'reserved-name', 'is the name of a rule that Portico has by itself')
    if (Object.hasOwn(rule, 'allow') === Object.hasOwn(rule, 'deny'))
      notes.problem(path, 'allow-or-deny', 'must have exactly one of `allow` and `deny`')
    const strength = isRecord(rule['allow']) ? rule['allow']['strength'] : undefined
    if (typeof strength === 'string')
      notes.reference([...path, 'allow', 'strength'], { to: 'strength', name: strength })
    return 'when' in rule ? readWhen(rule['when'], [...path, 'when'], notes) : undefined
  })
  const tests: unknown[] = Array.isArray(document['tests']) ? document['tests'] : []
  for (const [index, test] of tests.entries()) {
    const expected = isRecord(test) && isRecord(test['expect']) ? test['expect']['strength'] : undefined
    for (const name of Array.isArray(expected) ? expected : [expected]) {
      if (typeof name === 'string') notes.reference(['tests', index, 'expect', 'strength'], { to: 'strength', name })
    }
  }
  unique(rules, 'rules', 'rule', notes)
  unique(tests, 'tests', 'test', notes)
  return drafts
}

function unique(list: readonly unknown[], key: string, noun: string, notes: Notes): void {
  const seen = new Set<unknown>()
  for (const [index, item] of list.entries()) {
    const name = isRecord(item) ? item['name'] : undefined
    if (typeof name !== 'string') continue
    if (seen.has(name))
      notes.problem([key, index, 'name'], `duplicate-${noun}`, `is the name of an earlier ${noun} too`)
    seen.add(name)
  }
}
