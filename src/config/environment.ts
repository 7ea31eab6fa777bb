/** Settings from the environment: `PORTICO_STORAGE__URL` is `storage.url`; `…_FILE` names a file with the value. */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { nearest } from '#core/nearest'
import { readYaml } from './documents.ts'
import { settingsJsonSchema, settingsSchema } from './schema.ts'
import { CONFIG_VARIABLE, PREFIX } from './variables.ts'
import type { Problem } from './yaml-text.ts'

const LARGEST_FILE = 64 * 1024
/** Settings that end like a variable that names a file, but are file names themselves. */
const OWN_FILES =
  /^(secrets\.key_file|state\.ca_file|directories\.\d+\.ca_file|client_certificates\.(ca|cert|crl|key)_file)$/

export interface EnvironmentValue {
  /** The variable. */
  readonly name: string
  /** Dotted path of the setting. */
  readonly path: string
  readonly value: unknown
}

/** All values in the order in which they are put over the file: a `_FILE` after its plain twin. */
export function readEnvironment(env: NodeJS.ProcessEnv): { values: EnvironmentValue[]; problems: Problem[] } {
  const values: EnvironmentValue[] = []
  const problems: Problem[] = []
  const refuse = (name: string, code: string, message: string) =>
    problems.push({ file: name, line: 1, column: 1, code, message: `\`${name}\` ${message}` })
  const known = Object.keys(settingsSchema.shape)

  for (const [name, raw] of Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!name.startsWith(PREFIX) || name === CONFIG_VARIABLE || raw === undefined) continue
    let path = name.slice(PREFIX.length).toLowerCase().replaceAll('__', '.')
    let text = raw
    const isFile = path.endsWith('_file') && !OWN_FILES.test(path)
    if (isFile) path = path.slice(0, -'_file'.length)
    const first = path.split('.')[0]!
    if (!known.includes(first)) {
      const near = nearest(first, known)
      refuse(name, 'unknown-key', `is no setting${near ? `; did you mean \`${PREFIX}${near.toUpperCase()}\`?` : ''}`)
      continue
    }
    if (isFile) {
      try {
        text = readFileSync(raw, 'utf8').trimEnd()
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? 'unreadable'
        refuse(name, 'file-unreadable', `names a file that cannot be read (${code})`)
        continue
      }
      if (text.length > LARGEST_FILE) {
        refuse(name, 'file-too-large', `names a file that is larger than ${LARGEST_FILE} bytes`)
        continue
      }
    }
    values.push({ name, path, value: isText(path) ? text : interpret(text) })
  }
  return { values, problems }
}

/** Lists and numbers are written as YAML flow values: `PORTICO_PROXIES='[10.0.0.0/8]'`. */
function interpret(text: string): unknown {
  const { value, problems } = readYaml('environment', text, z.unknown())
  return problems.length === 0 && text.trim() !== '' ? value : text
}

type Schema = {
  readonly type?: string
  readonly const?: unknown
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
}

let schema: Schema | undefined

/** Whether the setting is a text whatever is written: a password may look like a number, a list, or `true`. */
function isText(path: string): boolean {
  schema ??= settingsJsonSchema() as Schema
  let at: Schema[] = [schema]
  for (const step of path.split('.')) {
    const inside = ({ properties, items }: Schema) =>
      /^\d+$/.test(step) && items ? [items] : properties && Object.hasOwn(properties, step) ? [properties[step]!] : []
    at = variants(at).flatMap(inside)
  }
  const found = variants(at)
  return found.length > 0 && found.every(({ type }) => type === 'string')
}

const variants = (schemas: readonly Schema[]): Schema[] =>
  schemas.flatMap((one) => (one.anyOf || one.oneOf ? variants([...(one.anyOf ?? []), ...(one.oneOf ?? [])]) : [one]))
