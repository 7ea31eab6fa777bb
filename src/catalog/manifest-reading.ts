/** From the texts of files to complete definitions, each with its place in its file. */
import type { z } from 'zod'
import { formatProblem, type Problem, readYamlEach, type SourceFile, type YamlDocument } from '#config'
import { Refusal } from '#core/refusal'
import type { Definition } from './app.ts'
import { manifestSchema, resolve } from './manifest.ts'
import type { CheckOptions } from './rules.ts'
import type { Template } from './template.ts'
import type { Templates } from './templates.ts'

/** More is no folder of manifests; what a server keeps of apps in memory is as much. */
const MOST_MANIFESTS = 5_000

/** A manifest without a mistake. */
export interface WantedApp {
  readonly definition: Definition
  readonly file: string
  readonly line: number
  problem(path: readonly (string | number)[], code: string, message: string): Problem
}

/** A manifest with one: the app stays as it is. */
export interface RefusedApp {
  /** Absent where the manifest has none. */
  readonly id?: string
  readonly file: string
  readonly line: number
}

export interface ReadManifests {
  readonly wanted: WantedApp[]
  readonly refused: RefusedApp[]
  readonly problems: Problem[]
}

interface Found {
  readonly file: string
  readonly document: YamlDocument<unknown>
  readonly line: number
  readonly id: string | undefined
  readonly definition: Definition | undefined
}

/** What the files hold: apps as manifests, or partners as contracts. */
export interface Reading<T> {
  readonly schema: z.ZodType<T>
  /** Where the id stands. */
  readonly key: string
  /** What one is called. */
  readonly what: string
  /** The app that it describes; what is wrong with it is added to `problems`. */
  define(document: YamlDocument<T>, value: T, problems: Problem[]): Promise<Definition | undefined>
}

export function readManifests(
  sources: readonly SourceFile[],
  templates: Templates,
  options: CheckOptions,
): Promise<ReadManifests> {
  const known = new Map<string, Awaited<ReturnType<typeof templateOrProblem>>>()
  return readEach(sources, {
    schema: manifestSchema,
    key: 'id',
    what: 'manifest',
    async define(document, manifest, problems) {
      const slug = manifest.template
      let template: Template | undefined
      if (slug !== undefined) {
        const read = known.get(slug) ?? (await templateOrProblem(templates, slug))
        known.set(slug, read)
        if (typeof read === 'string') {
          problems.push(document.problem(['template'], 'template-unknown', `\`template\` ${read}`))
          return undefined
        }
        template = read
      }
      const { definition, issues } = resolve(manifest, template, options)
      problems.push(...issues.map(({ path, code, message }) => document.problem(path, code, message)))
      return definition
    },
  })
}

export async function readEach<T>(
  sources: readonly SourceFile[],
  { schema, key, what, define }: Reading<T>,
): Promise<ReadManifests> {
  const problems: Problem[] = []
  const found: Found[] = []
  for (const { file, text } of sources) {
    const { items, problems: unreadable } = readYamlEach(file, text, schema)
    problems.push(...unreadable)
    // ATTACK: a file that was cut off before its first line must not look like "no apps any more"
    if (items.length === 0 && unreadable.length === 0)
      problems.push({ file, line: 1, column: 1, code: 'manifests-missing', message: `file holds no ${what}` })
    for (const document of items) {
      if (found.length === MOST_MANIFESTS) {
        const message = `document is one of more than ${MOST_MANIFESTS} ${what}s`
        problems.push(document.problem([], 'manifests-too-many', message))
        return { wanted: [], refused: [], problems }
      }
      problems.push(...document.problems)
      const { line } = document.position([])
      const definition = document.value && (await define(document, document.value, problems))
      found.push({ file, document, line, id: idOf(document.raw, key), definition })
    }
  }
  problems.push(...twice(found, key))
  const count = new Map<string, number>()
  for (const { id } of found) if (id !== undefined) count.set(id, (count.get(id) ?? 0) + 1)
  const wanted: WantedApp[] = []
  const refused: RefusedApp[] = []
  for (const { file, document, line, id, definition } of found) {
    // of two with one id nobody knows which is meant
    if (definition && count.get(definition.id) === 1) wanted.push({ definition, file, line, problem: document.problem })
    else refused.push({ ...(id !== undefined && { id }), file, line })
  }
  return { wanted, refused, problems }
}

function idOf(raw: unknown, key: string): string | undefined {
  const id = typeof raw === 'object' && raw !== null ? (raw as Readonly<Record<string, unknown>>)[key] : undefined
  return typeof id === 'string' ? id : undefined
}

function* twice(found: readonly Found[], key: string): Generator<Problem> {
  const first = new Map<string, Found>()
  for (const one of found) {
    if (one.id === undefined) continue
    const earlier = first.get(one.id)
    if (earlier) {
      const message = `\`${key}\` is \`${one.id}\`, which ${earlier.file}:${earlier.line} describes already`
      yield one.document.problem([key], 'app-twice', message)
    } else first.set(one.id, one)
  }
}

/** The template, or the end of a sentence about it. */
async function templateOrProblem(templates: Templates, slug: string): Promise<Template | string> {
  try {
    const { template, problems } = await templates.read(slug)
    return template && problems.length === 0 ? template : `has a mistake: ${formatProblem(problems[0]!)}`
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const near = await templates.nearest(slug)
    return `names no template of the catalog: \`${slug}\`${near ? `; did you mean \`${near}\`?` : ''}`
  }
}
