/**
 * One setting without all others, for a command that answers at once: the schema of all settings takes longer to load than
 * such a command has, and so does a reader of YAML (docs/decisions/0023-answering-at-once.md). Only files are read that say it
 * plainly.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { CONFIG_VARIABLE, PREFIX } from './variables.ts'

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
/** Lines of a file in which every key at the top stands at the beginning of one: nothing else is read here. */
const PLAIN_LINE = /^(?:[a-z_]+:(?: .*)?|[ #].*|)$/
/** A value that means what it looks like. */
const PLAIN_VALUE = /^ +([A-Za-z./][A-Za-z0-9._/-]*)(?: +#.*)?$/
/** Words that YAML takes for something else than text. */
const NO_TEXT = /^(?:true|false|null|\.inf|\.nan)$/i

function inFile(path: string, name: string): unknown {
  try {
    return plainly(readFileSync(path, 'utf8'), name)
  } catch {
    return WRONG
  }
}

function plainly(text: string, name: string): unknown {
  if (text.startsWith('{')) {
    const value = (JSON.parse(text) as Record<string, unknown>)[name]
    // whoever says it twice is left to those who look for that
    return text.split(`"${name}"`).length > 2 ? WRONG : value
  }
  const lines = text.split('\n').map((line) => line.trimEnd())
  if (!lines.every((line) => PLAIN_LINE.test(line))) return WRONG
  const found = lines.filter((line) => line.startsWith(`${name}:`))
  if (found.length === 0) return undefined
  // a text may go on in the next line
  const goesOn = lines.find((line, i) => i > lines.indexOf(found[0]!) && line !== '')?.startsWith(' ')
  const value = found.length === 1 && !goesOn ? PLAIN_VALUE.exec(found[0]!.slice(name.length + 1))?.[1] : undefined
  return value === undefined || NO_TEXT.test(value) ? WRONG : value
}
