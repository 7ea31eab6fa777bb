/**
 * One setting without all others, for a command that answers at once: the schema of all settings takes longer to load than
 * such a command has (docs/decisions/0023-answering-at-once.md).
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { CONFIG_VARIABLE, PREFIX } from './variables.ts'
import { readText } from './yaml-text.ts'

export interface Single {
  readonly value: string
  /** Folder that relative file names in the settings file are relative to. */
  readonly folder: string
}

/**
 * A text at the top of the settings, found as `loadSettings` finds it: `PORTICO_NAME_FILE`, `PORTICO_NAME`, the file, then
 * `otherwise`. Undefined where anything is in the way; `loadSettings` says what it is.
 */
export function readSetting(
  name: string,
  otherwise: string,
  file?: string,
  env: NodeJS.ProcessEnv = process.env,
): Single | undefined {
  const variable = PREFIX + name.toUpperCase()
  // a file with the value has its limits and its own complaints: left to whoever has them
  if (env[`${variable}_FILE`] !== undefined) return undefined
  const named = file ?? env[CONFIG_VARIABLE]
  const path = named ?? 'portico.yaml'
  const value = env[variable] ?? (named !== undefined || existsSync(path) ? inFile(path, name) : undefined)
  if (value !== undefined && typeof value !== 'string') return undefined
  return { value: value ?? otherwise, folder: dirname(resolve(path)) }
}

const WRONG = Symbol('wrong')

function inFile(path: string, name: string): unknown {
  try {
    const { value, problems } = readText(path, readFileSync(path, 'utf8'))
    if (problems.length > 0) return WRONG
    if (value === null || value === undefined) return undefined
    if (typeof value !== 'object' || Array.isArray(value)) return WRONG
    return (value as Record<string, unknown>)[name]
  } catch {
    return WRONG
  }
}
