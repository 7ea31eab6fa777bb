/** YAML texts against zod schemas: all problems at once, each with the line and column a person can go to. */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  parseDocument,
  type YAMLSeq,
} from 'yaml'
import type { z } from 'zod'
import { nearest } from '#core/nearest'
import { MOST_ALIASES, wrongNodes } from './document-nodes.ts'

export interface Problem {
  readonly file: string
  /** 1-based. */
  readonly line: number
  /** 1-based. */
  readonly column: number
  /** Kebab-case, stable. */
  readonly code: string
  /** Lower case, no full stop, the place first, input in backticks, what was expected. */
  readonly message: string
}

export type Path = readonly PropertyKey[]

export interface YamlDocument<T> {
  /** Absent when there is any problem. */
  readonly value?: T
  /** What stands there, right or wrong; absent where it could not be read at all. */
  readonly raw?: unknown
  readonly problems: Problem[]
  /** Where a value stands; the nearest existing parent when the path does not exist. */
  position(path: Path, at?: 'key' | 'value'): { line: number; column: number }
  /** A problem at a path, for checks that a schema cannot express. */
  problem(path: Path, code: string, message: string): Problem
}

const LARGEST_FILE = 4 * 1024 * 1024
const MOST_LISTED = 200

/** ATTACK: what stands in a file that somebody else wrote must not make two lines of one, nor speak to the terminal. */
export const formatProblem = (p: Problem): string =>
  `${p.file}:${p.line}:${p.column} ${p.code} ${p.message}`.replace(
    /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/**
 * Reads one YAML document. Never throws: what is wrong is in `problems`.
 * ATTACK: aliases that grow exponentially or contain themselves, documents so deep that reading them runs out of stack,
 * duplicate keys, keys that are no plain text, custom tags and several documents are refused.
 */
export function readYaml<T>(file: string, text: string, schema: z.ZodType<T>): YamlDocument<T> {
  const lines = new LineCounter()
  const unread = tooLarge(file, text)
  if (unread) return { problems: [unread], position: () => START, problem: () => unread }
  const document = parseDocument(text, { ...PARSING, lineCounter: lines })
  const found = looked(file, document, lines)
  const { position, problem } = places(file, document, lines, [])
  if (found.problems.length > 0) return { problems: found.problems, position, problem }
  return checked(found.value ?? {}, schema, file, position, problem, found.hidden)
}

/**
 * Reads what may hold several things of one shape: documents separated by `---`, each of them one thing or a list. What
 * is wrong with the file as a whole is in `problems`, and then there are no items; otherwise each item has its own.
 */
export function readYamlEach<T>(
  file: string,
  text: string,
  schema: z.ZodType<T>,
): { readonly items: readonly YamlDocument<T>[]; readonly problems: readonly Problem[] } {
  const lines = new LineCounter()
  const unread = tooLarge(file, text)
  if (unread) return { items: [], problems: [unread] }
  const parsed = parseAllDocuments(text, { ...PARSING, lineCounter: lines })
  const documents = (Array.isArray(parsed) ? parsed : []).map((document) => ({
    document,
    ...looked(file, document, lines),
  }))
  const problems = documents.flatMap((one) => one.problems).slice(0, MOST_LISTED)
  if (problems.length > 0) return { items: [], problems }
  const items = documents.flatMap(({ document, value, hidden }) => {
    const at = (inside: Path) => places(file, document, lines, inside)
    if (!Array.isArray(value)) {
      const { position, problem } = at([])
      return value === null || value === undefined ? [] : [checked(value, schema, file, position, problem, hidden)]
    }
    const ends = (document.contents as YAMLSeq<Node>).items.map((node) => node?.range?.[2] ?? 0)
    return value.map((item: unknown, i) => {
      const { position, problem } = at([i])
      const own = hidden.filter(({ offset }) => offset < ends[i]! && offset >= (ends[i - 1] ?? 0))
      return checked(item ?? {}, schema, file, position, problem, own)
    })
  })
  return { items, problems }
}

const START = Object.freeze({ line: 1, column: 1 })
const PARSING = {
  uniqueKeys: false,
  strict: true,
  schema: 'core',
  // ATTACK: `!!omap` and its like make objects whose keys no schema sees, so that `allow` would ask for nothing
  resolveKnownTags: false,
} as const

const tooLarge = (file: string, text: string): Problem | undefined =>
  text.length > LARGEST_FILE
    ? { file, ...START, code: 'file-too-large', message: `file is larger than ${LARGEST_FILE} bytes` }
    : undefined

function placeOf(lines: LineCounter, offset: number) {
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(line, 1), column: Math.max(col, 1) }
}

/** Places in a document, counted from the node at `inside`. */
function places(file: string, document: Document, lines: LineCounter, inside: Path) {
  const position = (path: Path, where: 'key' | 'value' = 'value') => {
    const range = rangeOf(document.contents, [...inside, ...path], where)
    return range === undefined ? START : placeOf(lines, range)
  }
  const problem = (path: Path, code: string, message: string): Problem => ({ file, ...position(path), code, message })
  return { position, problem }
}

/** What is wrong before any schema is asked; or the value, and where keys stand that schemas may pass over. */
function looked(file: string, document: Document.Parsed, lines: LineCounter) {
  const at = (offset: number) => placeOf(lines, offset)
  const problems: Problem[] = []
  const tooDeep = document.errors.some((issue) => /call stack/i.test(issue.message))
  if (tooDeep) problems.push({ file, ...START, code: 'yaml-deep', message: 'document is nested too deeply' })
  for (const issue of tooDeep ? [] : [...document.errors, ...document.warnings].slice(0, MOST_LISTED)) {
    const first =
      issue.code === 'MULTIPLE_DOCS'
        ? 'a second document begins here; a file holds one'
        : issue.message.split('\n')[0]!.replace(/ at line \d+.*$/, '')
    problems.push({
      file,
      ...at(issue.pos[0]),
      code: 'yaml-invalid',
      message: first.charAt(0).toLowerCase() + first.slice(1),
    })
  }
  const { wrong, hidden } = problems.length === 0 ? wrongNodes(document) : { wrong: [], hidden: [] }
  for (const { offset, ...what } of wrong.slice(0, MOST_LISTED)) problems.push({ file, ...at(offset), ...what })
  let value: unknown
  if (problems.length === 0) {
    try {
      value = document.toJS({ maxAliasCount: MOST_ALIASES })
    } catch {
      problems.push({ file, ...START, code: 'yaml-aliases', message: 'document uses too many aliases' })
    }
  }
  return { problems, value, hidden: hidden.map((offset) => ({ offset, ...at(offset) })) }
}

function checked<T>(
  value: unknown,
  schema: z.ZodType<T>,
  file: string,
  position: YamlDocument<T>['position'],
  problem: YamlDocument<T>['problem'],
  all: readonly { offset: number; line: number; column: number }[],
): YamlDocument<T> {
  // whoever takes anything looks at it later
  const hidden = schema.type === 'unknown' ? [] : all
  const result = schema.safeParse(value, { reportInput: true, error: tellKnownKeys })
  if (result.success && hidden.length === 0) return { value: result.data, raw: value, problems: [], position, problem }
  const problems: Problem[] = []
  for (const issue of flatten(result.error?.issues ?? []).slice(0, MOST_LISTED))
    problems.push(...describe(issue, problem, file, position))
  const told = new Set(problems.map(({ line, column }) => `${line}:${column}`))
  for (const { line, column } of hidden.slice(0, MOST_LISTED))
    if (!told.has(`${line}:${column}`))
      problems.push({ file, line, column, code: 'unknown-key', message: 'there is no key `__proto__`' })
  problems.sort((a, b) => a.line - b.line || a.column - b.column)
  return { raw: value, problems: problems.slice(0, MOST_LISTED), position, problem }
}

type Issue = z.core.$ZodIssue

/** A union reports every branch's complaints; the branch with the fewest and deepest is the one that was meant. */
function flatten(issues: readonly Issue[], prefix: Path = []): Issue[] {
  return issues.flatMap((issue) => {
    const path = [...prefix, ...issue.path] as (string | number)[]
    if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [{ ...issue, path } as Issue]
    const depth = (branch: readonly Issue[]) =>
      branch.reduce((most, i) => Math.max(most, i.path.length + (i.code === 'unrecognized_keys' ? 1 : 0)), 0)
    const best = [...issue.errors].sort((a, b) => depth(b) - depth(a) || a.length - b.length)[0]!
    if (depth(best) === 0) return [{ ...issue, path } as Issue]
    return flatten(best, path)
  })
}

function describe(
  issue: Issue,
  problem: YamlDocument<unknown>['problem'],
  file: string,
  position: YamlDocument<unknown>['position'],
): Problem[] {
  const path = issue.path as (string | number)[]
  const name = path.length === 0 ? 'document' : `\`${path.join('.')}\``
  if (issue.code === 'unrecognized_keys') {
    const known = issue.message.split(' ').filter(Boolean)
    return issue.keys.slice(0, MOST_LISTED).map((key) => {
      const near = nearest(key, known)
      const hint = near
        ? `; did you mean \`${near}\`?`
        : known.length > 0 && known.length <= 12
          ? `; known are ${known.map((k) => `\`${k}\``).join(', ')}`
          : ''
      return {
        file,
        ...position([...path, key], 'key'),
        code: 'unknown-key',
        message: `${name} has an unknown key \`${key}\`${hint}`,
      }
    })
  }
  if (issue.code === 'invalid_type' && issue.input === undefined) {
    return [problem(path, 'missing', `${name} is missing, expected ${issue.expected}`)]
  }
  if (issue.code === 'invalid_union' && issue.input === undefined) {
    return [problem(path, 'missing', `${name} is missing, ${lowerFirst(issue.message)}`)]
  }
  if (issue.code === 'custom' && issue.params?.['code']) {
    return [problem(path, String(issue.params['code']), `${name} ${issue.message}`)]
  }
  return [problem(path, 'invalid', `${name} is not valid: ${lowerFirst(issue.message)}`)]
}

/** zod leaves the known keys out of an issue, so the message carries them to `describe`. */
function tellKnownKeys(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code !== 'unrecognized_keys') return undefined
  const shape = (issue.inst as { _zod?: { def?: { shape?: object } } } | undefined)?._zod?.def?.shape
  return Object.keys(shape ?? {}).join(' ')
}

const lowerFirst = (text: string) => text.charAt(0).toLowerCase() + text.slice(1)

function rangeOf(root: unknown, path: Path, where: 'key' | 'value'): number | undefined {
  let node = root as Node | null
  let offset = node?.range?.[0]
  for (const [depth, step] of path.entries()) {
    const last = depth === path.length - 1
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step))
      if (!pair) return offset
      const key = (pair.key as Node).range?.[0]
      node = pair.value as Node | null
      offset = last && where === 'key' ? key : isScalar(node) ? (node.range?.[0] ?? key) : key
    } else if (isSeq(node)) {
      const item = node.items[Number(step)] as Node | undefined
      if (!item) return offset
      node = item
      offset = item.range?.[0] ?? offset
    } else if (isAlias(node)) return offset
    else return offset
  }
  return offset
}
