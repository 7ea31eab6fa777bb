/** YAML texts against zod schemas: all problems at once, each with the line and column a person can go to. */
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from 'yaml'
import type { z } from 'zod'
import { nearest } from '#core/nearest'

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
  readonly problems: Problem[]
  /** Where a value stands; the nearest existing parent when the path does not exist. */
  position(path: Path, at?: 'key' | 'value'): { line: number; column: number }
  /** A problem at a path, for checks that a schema cannot express. */
  problem(path: Path, code: string, message: string): Problem
}

const LARGEST_FILE = 4 * 1024 * 1024
const MOST_ALIASES = 100
/** Nodes above one another; every level of a file takes two or three of them. */
const DEEPEST = 200
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
  const problems: Problem[] = []
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  if (text.length > LARGEST_FILE) {
    const problem = {
      file,
      line: 1,
      column: 1,
      code: 'file-too-large',
      message: `file is larger than ${LARGEST_FILE} bytes`,
    }
    return { problems: [problem], position: () => ({ line: 1, column: 1 }), problem: () => problem }
  }
  const document = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: false,
    strict: true,
    schema: 'core',
    // ATTACK: `!!omap` and its like make objects whose keys no schema sees, so that `allow` would ask for nothing
    resolveKnownTags: false,
  })
  const position = (path: Path, where: 'key' | 'value' = 'value') => {
    const range = rangeOf(document.contents, path, where)
    return range === undefined ? { line: 1, column: 1 } : at(range)
  }
  const problem = (path: Path, code: string, message: string): Problem => ({ file, ...position(path), code, message })
  const tooDeep = document.errors.some((issue) => /call stack/i.test(issue.message))
  if (tooDeep) problems.push({ file, line: 1, column: 1, code: 'yaml-deep', message: 'document is nested too deeply' })
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
  const { wrong, hidden: all } = problems.length === 0 ? wrongNodes(document) : { wrong: [], hidden: [] }
  // whoever takes anything looks at it later
  const hidden = schema.type === 'unknown' ? [] : all
  for (const { offset, ...what } of wrong.slice(0, MOST_LISTED)) problems.push({ file, ...at(offset), ...what })
  let value: unknown
  if (problems.length === 0) {
    try {
      value = document.toJS({ maxAliasCount: MOST_ALIASES })
    } catch {
      problems.push({ file, line: 1, column: 1, code: 'yaml-aliases', message: 'document uses too many aliases' })
    }
  }
  if (problems.length > 0) return { problems, position, problem }
  const result = schema.safeParse(value ?? {}, { reportInput: true, error: tellKnownKeys })
  if (result.success && hidden.length === 0) return { value: result.data, problems, position, problem }
  for (const issue of flatten(result.error?.issues ?? []).slice(0, MOST_LISTED))
    problems.push(...describe(issue, problem, file, position))
  const told = new Set(problems.map(({ line, column }) => `${line}:${column}`))
  for (const place of hidden.slice(0, MOST_LISTED).map(at))
    if (!told.has(`${place.line}:${place.column}`))
      problems.push({ file, ...place, code: 'unknown-key', message: 'there is no key `__proto__`' })
  problems.sort((a, b) => a.line - b.line || a.column - b.column)
  return { problems: problems.slice(0, MOST_LISTED), position, problem }
}

interface WrongNodes {
  readonly wrong: { offset: number; code: string; message: string }[]
  /** Offsets of keys that schemas may pass over. */
  readonly hidden: number[]
}

/** What the syntax allows and a file of ours never needs. */
function wrongNodes(document: Document): WrongNodes {
  const { wrong, hidden }: WrongNodes = { wrong: [], hidden: [] }
  const add = (node: unknown, code: string, message: string) =>
    wrong.push({ offset: (node as Node | null)?.range?.[0] ?? 0, code, message })
  let aliases = 0
  let deepest = 0
  // the library's own way looks through the whole document for each alias
  const anchors = new Map<string, Node>()
  const pass = (node: Node & { anchor?: string | undefined }, depth: number) => {
    deepest = Math.max(deepest, depth)
    if (node.anchor !== undefined) anchors.set(node.anchor, node)
  }
  visit(document, {
    Node: (_key, node, path) => pass(node, path.length),
    Pair: (_key, { key }) => {
      if (key !== null && !isScalar(key)) add(key, 'yaml-invalid', 'a key is no plain text')
    },
    // the library's own check compares each key with all others: minutes for a file of some thousand keys
    Map(_key, map, path) {
      pass(map, path.length)
      const { items } = map
      const seen = new Set<string>()
      for (const { key } of items) {
        if (!isScalar(key)) continue
        // ATTACK: in a list of names no schema sees it, so that it would be there for some and not for others
        if (key.value === '__proto__') hidden.push(key.range?.[0] ?? 0)
        if (seen.has(String(key.value))) add(key, 'yaml-invalid', 'map keys must be unique')
        seen.add(String(key.value))
      }
    },
    Alias: (_key, alias, path) => {
      if (++aliases > MOST_ALIASES) return visit.BREAK
      const named = anchors.get(alias.source)
      if (!named) add(alias, 'yaml-aliases', `nothing before this is named \`&${alias.source}\``)
      else if (path.includes(named)) add(alias, 'yaml-aliases', `\`*${alias.source}\` stands inside what it names`)
      return undefined
    },
  })
  if (deepest > DEEPEST) add(undefined, 'yaml-deep', 'document is nested too deeply')
  if (aliases > MOST_ALIASES) add(undefined, 'yaml-aliases', 'document uses too many aliases')
  return { wrong, hidden }
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
