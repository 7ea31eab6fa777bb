/** `portico.yaml`, then `PORTICO_…`, then `PORTICO_…_FILE`: the later wins. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parseDocument } from 'yaml'
import { z } from 'zod'
import { nearest } from '#core/nearest'
import { type Problem, readYaml } from './documents.ts'
import { isSecretPath, type Settings, settingsSchema } from './schema.ts'

const PREFIX = 'PORTICO_'
const LARGEST_SECRET = 64 * 1024
/** Read elsewhere, or by the tests: not settings. */
const NOT_SETTINGS = new Set(['PORTICO_CONFIG'])

export interface LoadedSettings {
  /** Absent when there is any problem. */
  readonly settings?: Settings
  readonly problems: Problem[]
  /** Dotted path → `default`, `portico.yaml:4` or `PORTICO_ISSUER`. */
  readonly origins: ReadonlyMap<string, string>
  /** Folder that relative file names in the settings file are relative to. */
  readonly folder: string
}

type Tree = { [key: string]: unknown }

/**
 * `file` is the path given with `--config`; without it `PORTICO_CONFIG`, then `portico.yaml` where it exists, else the
 * embedded defaults serve. Never throws for what an operator wrote: that is in `problems`.
 */
export function loadSettings(file?: string, env: NodeJS.ProcessEnv = process.env): LoadedSettings {
  const named = file ?? env['PORTICO_CONFIG']
  const path = named ?? 'portico.yaml'
  const problems: Problem[] = []
  const origins = new Map<string, string>()
  const folder = dirname(resolve(path))
  let tree: Tree = {}
  let text = ''
  if (named !== undefined || existsSync(path)) {
    try {
      text = readFileSync(path, 'utf8')
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unreadable'
      problems.push({
        file: path,
        line: 1,
        column: 1,
        code: 'file-unreadable',
        message: `file cannot be read (${code})`,
      })
      return { problems, origins, folder }
    }
  }
  const syntax = readYaml(path, text, z.unknown())
  if (syntax.problems.length > 0) return { problems: syntax.problems, origins, folder }
  const parsed: unknown = parseDocument(text).toJS() ?? {}
  if (typeof parsed !== 'object' || Array.isArray(parsed)) {
    problems.push({
      file: path,
      line: 1,
      column: 1,
      code: 'invalid',
      message: 'document is not valid: expected keys and values',
    })
    return { problems, origins, folder }
  }
  tree = parsed as Tree
  for (const [at] of leaves(tree)) origins.set(at, `${path}:${syntax.position(at.split('.')).line}`)
  const fromEnvironment = applyEnvironment(tree, env, origins, problems)

  const checked = text.trim() === '' || fromEnvironment > 0 ? undefined : readYaml(path, text, settingsSchema)
  const result = checked?.value ? { success: true as const, data: checked.value } : undefined
  if (checked && checked.problems.length > 0) return { problems: [...problems, ...checked.problems], origins, folder }
  // with values from the environment the merged tree is judged; a problem stands where its value came from
  const merged = result ?? judgeMerged(tree, path, text, origins, problems)
  if (!merged || problems.length > 0) return { problems, origins, folder }
  return { settings: merged.data, problems, origins, folder }
}

function judgeMerged(
  tree: Tree,
  path: string,
  text: string,
  origins: ReadonlyMap<string, string>,
  problems: Problem[],
) {
  const document = readYaml(path, JSON.stringify(tree), settingsSchema)
  if (document.value) return { data: document.value }
  const original = readYaml(path, text, z.unknown())
  for (const problem of document.problems) {
    const at = /`([^`]+)`/.exec(problem.message)?.[1] ?? ''
    const unknown = /unknown key `([^`]+)`/.exec(problem.message)?.[1]
    const full = unknown ? (at && at !== unknown ? `${at}.${unknown}` : unknown) : at
    const origin = origins.get(full) ?? ''
    if (origin.startsWith(PREFIX)) problems.push({ ...problem, file: origin, line: 1, column: 1 })
    else problems.push({ ...problem, ...original.position(full.split('.'), unknown ? 'key' : 'value') })
  }
  return undefined
}

/** Puts `PORTICO_STORAGE__URL=x` at `storage.url` and answers how many values were put. */
function applyEnvironment(
  tree: Tree,
  env: NodeJS.ProcessEnv,
  origins: Map<string, string>,
  problems: Problem[],
): number {
  let count = 0
  const known = new Set(leaves(settingsSchema.parse({})).map(([at]) => at.split('.')[0]!))
  for (const [name, raw] of Object.entries(env).sort(([a], [b]) => a.localeCompare(b))) {
    if (!name.startsWith(PREFIX) || NOT_SETTINGS.has(name) || raw === undefined) continue
    let at = name.slice(PREFIX.length).toLowerCase().replaceAll('__', '.')
    let value = raw
    const isFile = at.endsWith('_file') && at !== 'secrets.key_file' && !at.endsWith('ca_file')
    if (isFile) {
      at = at.slice(0, -'_file'.length)
      try {
        value = readFileSync(raw, 'utf8').slice(0, LARGEST_SECRET).trimEnd()
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? 'unreadable'
        problems.push({
          file: name,
          line: 1,
          column: 1,
          code: 'file-unreadable',
          message: `\`${name}\` names a file that cannot be read (${code})`,
        })
        continue
      }
    }
    const [first] = at.split('.')
    if (!known.has(first!) && first !== 'support') {
      const near = nearest(first!, [...known, 'support'])
      const hint = near ? `; did you mean \`${PREFIX}${near.toUpperCase()}\`?` : ''
      problems.push({
        file: name,
        line: 1,
        column: 1,
        code: 'unknown-key',
        message: `\`${name}\` is no setting${hint}`,
      })
      continue
    }
    put(tree, at.split('.'), interpret(value))
    origins.set(at, name)
    count++
  }
  return count
}

/** Lists and numbers are written as YAML flow values: `PORTICO_PROXIES='[10.0.0.0/8]'`. */
function interpret(value: string): unknown {
  if (/^[[{]/.test(value)) {
    const document = parseDocument(value)
    if (document.errors.length === 0) return document.toJS()
  }
  if (/^\d{1,9}$/.test(value)) return Number(value)
  if (value === 'true' || value === 'false') return value === 'true'
  return value
}

function put(tree: Tree, path: readonly string[], value: unknown): void {
  const [first, ...rest] = path as [string, ...string[]]
  if (rest.length === 0) {
    tree[first] = value
    return
  }
  const child = tree[first]
  const next = typeof child === 'object' && child !== null ? (child as Tree) : {}
  tree[first] = next
  put(next, rest, value)
}

function leaves(value: unknown, path = ''): [path: string, value: unknown][] {
  if (typeof value !== 'object' || value === null) return path ? [[path, value]] : []
  const entries = Object.entries(value)
  if (entries.length === 0) return path ? [[path, value]] : []
  return entries.flatMap(([key, inner]) => leaves(inner, path ? `${path}.${key}` : key))
}

/** Every value with where it came from, secrets masked: what `config show --origin` prints. */
export function showSettings(loaded: LoadedSettings): { path: string; value: unknown; origin: string }[] {
  return leaves(loaded.settings).map(([path, value]) => ({
    path,
    value: isSecretPath(path) ? '***' : value,
    origin: loaded.origins.get(path) ?? 'default',
  }))
}
