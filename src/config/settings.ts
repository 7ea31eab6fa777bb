/** `portico.yaml`, then `PORTICO_…`, then `PORTICO_…_FILE`: the later wins. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { readYaml } from './documents.ts'
import { readEnvironment } from './environment.ts'
import { isSecretPath, type Settings, settingsSchema } from './schema.ts'
import { CONFIG_VARIABLE, PREFIX } from './variables.ts'
import type { Problem } from './yaml-text.ts'

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
  const named = file ?? env[CONFIG_VARIABLE]
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
  const parsed = syntax.value
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
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
  const environment = readEnvironment(env)
  problems.push(...environment.problems)
  for (const { name, path: at, value } of environment.values) {
    put(tree, at.split('.'), value)
    origins.set(at, name)
  }

  const checked = text.trim() === '' || environment.values.length > 0 ? undefined : readYaml(path, text, settingsSchema)
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
    value: isSecretPath(path) ? '***' : masked(value),
    origin: loaded.origins.get(path) ?? 'default',
  }))
}

/** Without the password of a URL. */
const masked = (value: unknown): unknown =>
  typeof value === 'string' ? value.replace(/^([a-z0-9+.-]+:\/\/[^:@/]*):.*@/i, '$1:***@') : value
