/** YAML texts without any schema: what they hold, what is wrong with their syntax, and where each value stands. */
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

const LARGEST_FILE = 4 * 1024 * 1024
export const MOST_LISTED = 200

/** Keys that schemas may pass over, and where they stand. */
export interface HiddenKey {
  readonly offset: number
  readonly line: number
  readonly column: number
}

export interface Places {
  /** Where a value stands; the nearest existing parent when the path does not exist. */
  position(path: Path, at?: 'key' | 'value'): { line: number; column: number }
  /** A problem at a path, for checks that a schema cannot express. */
  problem(path: Path, code: string, message: string): Problem
}

export interface YamlText {
  readonly problems: Problem[]
  /** Absent when there is any problem. */
  readonly value?: unknown
  readonly hidden: readonly HiddenKey[]
  /** Places counted from the top of the document, or from the value at `inside`. */
  places(inside?: Path): Places
  /** Where each item of a list ends. */
  ends(): readonly number[]
}

const START = Object.freeze({ line: 1, column: 1 })
const PARSING = {
  uniqueKeys: false,
  strict: true,
  schema: 'core',
  // ATTACK: `!!omap` and its like make objects whose keys no schema sees, so that `allow` would ask for nothing
  resolveKnownTags: false,
} as const

/**
 * Never throws: what is wrong is in `problems`.
 * ATTACK: aliases that grow exponentially or contain themselves, documents so deep that reading them runs out of stack,
 * duplicate keys, keys that are no plain text, custom tags and several documents are refused.
 */
export function readText(file: string, text: string): YamlText {
  const lines = new LineCounter()
  const unread = tooLarge(file, text)
  return unread ?? asText(file, parseDocument(text, { ...PARSING, lineCounter: lines }), lines)
}

/** Documents separated by `---`. */
export function readTexts(file: string, text: string): readonly YamlText[] {
  const lines = new LineCounter()
  const unread = tooLarge(file, text)
  if (unread) return [unread]
  const parsed = parseAllDocuments(text, { ...PARSING, lineCounter: lines })
  return (Array.isArray(parsed) ? parsed : []).map((document) => asText(file, document, lines))
}

function tooLarge(file: string, text: string): YamlText | undefined {
  if (text.length <= LARGEST_FILE) return undefined
  const message = `file is larger than ${LARGEST_FILE} bytes`
  const problem: Problem = { file, ...START, code: 'file-too-large', message }
  const places = () => ({ position: () => START, problem: () => problem })
  return { problems: [problem], hidden: [], places, ends: () => [] }
}

function asText(file: string, document: Document.Parsed, lines: LineCounter): YamlText {
  return {
    ...looked(file, document, lines),
    places: (inside = []) => placesIn(file, document, lines, inside),
    ends: () => (document.contents as YAMLSeq<Node>).items.map((node) => node?.range?.[2] ?? 0),
  }
}

function placeOf(lines: LineCounter, offset: number) {
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(line, 1), column: Math.max(col, 1) }
}

function placesIn(file: string, document: Document, lines: LineCounter, inside: Path): Places {
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
