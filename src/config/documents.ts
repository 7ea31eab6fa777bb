/** YAML texts against zod schemas: all problems at once, each with the line and column a person can go to. */
import type { z } from 'zod'
import { nearest } from '#core/nearest'
import { type HiddenKey, MOST_LISTED, type Path, type Places, type Problem, readText, readTexts } from './yaml-text.ts'

export interface YamlDocument<T> extends Places {
  /** Absent when there is any problem. */
  readonly value?: T
  /** What stands there, right or wrong; absent where it could not be read at all. */
  readonly raw?: unknown
  readonly problems: Problem[]
}

/** ATTACK: what stands in a file that somebody else wrote must not make two lines of one, nor speak to the terminal. */
export const formatProblem = (p: Problem): string =>
  `${p.file}:${p.line}:${p.column} ${p.code} ${p.message}`.replace(
    /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/** Reads one YAML document, as `readText` does, against a schema. Never throws: what is wrong is in `problems`. */
export function readYaml<T>(file: string, text: string, schema: z.ZodType<T>): YamlDocument<T> {
  const { problems, value, hidden, places } = readText(file, text)
  if (problems.length > 0) return { problems, ...places() }
  return checked(value ?? {}, schema, file, places(), hidden)
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
  const documents = readTexts(file, text)
  const problems = documents.flatMap((one) => one.problems).slice(0, MOST_LISTED)
  if (problems.length > 0) return { items: [], problems }
  const items = documents.flatMap(({ value, hidden, places, ends }) => {
    if (value === null || value === undefined) return []
    if (!Array.isArray(value)) return [checked(value, schema, file, places(), hidden)]
    const end = ends()
    return value.map((item: unknown, i) => {
      const own = hidden.filter(({ offset }) => offset < end[i]! && offset >= (end[i - 1] ?? 0))
      return checked(item ?? {}, schema, file, places([i]), own)
    })
  })
  return { items, problems }
}

function checked<T>(
  value: unknown,
  schema: z.ZodType<T>,
  file: string,
  { position, problem }: Places,
  all: readonly HiddenKey[],
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

function describe(issue: Issue, problem: Places['problem'], file: string, position: Places['position']): Problem[] {
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
