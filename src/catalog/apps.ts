/** What can be done with registered apps. Files, command line and pages all come through here. */

import { stringify } from 'yaml'
import type { AuditEvent } from '#audit'
import { formatProblem, type Problem, readYaml } from '#config'
import { Refusal } from '#core/refusal'
import type { App, Definition } from './app.ts'
import { differences, type Manifest, manifestSchema, resolve } from './manifest.ts'
import { type PlannedChange, planChanges } from './plan.ts'
import type { AppName } from './protocols/protocol.ts'
import type { Registry, RegistryOptions } from './registry.ts'
import type { CheckOptions, Issue } from './rules.ts'
import type { Template } from './template.ts'
import type { Templates } from './templates.ts'

export interface Registered {
  readonly app: App
  /** Shown once; nobody can read it again. Undefined where the app has none. */
  readonly clientSecret?: string
}

/** A manifest as it stands in a file. */
export interface ManifestSource {
  readonly file: string
  readonly text: string
}

export interface AppliedChange extends PlannedChange {
  /** Of an app that has just got its first secret. */
  readonly clientSecret?: string
}

export interface Applied {
  /** When there is any, nothing was written. */
  readonly problems: readonly Problem[]
  readonly changes: readonly AppliedChange[]
  /** False for a dry run and when there are problems. */
  readonly written: boolean
}

export interface Apps {
  /**
   * One look in memory; a change by another process is seen within a second. The same object until something changes.
   * Rejects with Refusal `storage-unavailable` or `sealed-record-invalid`.
   */
  find(id: string): Promise<App | undefined>
  /** The app by what it is named outside; otherwise like `find`. */
  findNamed(name: AppName): Promise<App | undefined>
  /** All apps in the order of their ids, without secrets. */
  list(): Promise<App[]>
  /** What `register` would refuse. */
  check(manifest: Manifest): Promise<readonly Issue[]>
  /** Throws Refusal `app-exists`, `app-name-taken`, `app-invalid`, `template-unknown`, `template-invalid`. `by`: a person's id or `cli`. */
  register(manifest: Manifest, by: string): Promise<Registered>
  /** Throws Refusal `app-unknown`. */
  remove(id: string, by: string): Promise<void>
  /** The app as a manifest in YAML, without secrets. Throws Refusal `app-unknown`. */
  export(id: string): Promise<string>
  /** The old secret stops working at once. Throws Refusal `app-unknown`, `app-without-secret`. */
  rotateSecret(id: string, by: string): Promise<{ clientSecret: string }>
  /** INVARIANT: all manifests are valid and all are written, or none is. */
  apply(
    sources: readonly ManifestSource[],
    options: { by: string; dryRun?: boolean; prune?: boolean },
  ): Promise<Applied>
}

const EVENT_OF = { create: 'app-registered', change: 'app-changed', remove: 'app-removed' } as const satisfies Record<
  string,
  AuditEvent
>

export interface AppsOptions {
  readonly registry: Registry
  readonly templates: Templates
  readonly audit: RegistryOptions['audit']
  readonly policyNames?: (() => readonly string[]) | undefined
}

export function createApps({ registry, templates, audit, policyNames }: AppsOptions): Apps {
  const options = (): CheckOptions => ({ policyNames: policyNames?.() })

  const examine = async (input: Manifest) => {
    const read = manifestSchema.safeParse(input)
    if (!read.success) {
      const issues = read.error.issues.map(
        ({ path, message }): Issue => ({
          path: path as string[],
          code: 'invalid',
          message: `\`${path.join('.')}\` is not valid: ${message}`,
        }),
      )
      return { issues }
    }
    const template = read.data.template === undefined ? undefined : await templates.show(read.data.template)
    return resolve(read.data, template, options())
  }

  return Object.freeze({
    find: registry.find,
    findNamed: registry.findNamed,
    list: registry.list,
    async check(manifest: Manifest) {
      return (await examine(manifest)).issues
    },
    async register(manifest: Manifest, by: string) {
      const { definition, issues } = await examine(manifest)
      if (!definition) throw new Refusal('app-invalid', issues.map(({ code }) => code).join(', '))
      const clientSecret = await registry.write((writer) => writer.insert(definition))
      await audit.record('app-registered', { actor: by, app: definition.id })
      const app = await registry.find(definition.id)
      if (!app)
        throw new Refusal('state-conflict', `catalog: app \`${definition.id}\` was removed while it was registered`)
      return { app, ...(clientSecret !== undefined && { clientSecret }) }
    },
    async remove(id: string, by: string) {
      await registry.write(async (writer) => {
        if (!(await writer.remove(id))) throw new Refusal('app-unknown', 'catalog: no such app')
      })
      await audit.record('app-removed', { actor: by, app: id })
    },
    async export(id: string) {
      const stored = await registry.stored(id)
      if (!stored) throw new Refusal('app-unknown', 'catalog: no such app')
      const slug = stored.definition.template
      const template = slug === undefined ? undefined : await templateOrNothing(templates, slug)
      return stringify(differences(stored.definition, template), { lineWidth: 0 })
    },
    async rotateSecret(id: string, by: string) {
      const clientSecret = await registry.write((writer) => writer.newSecret(id))
      await audit.record('app-secret-rotated', { actor: by, app: id })
      return { clientSecret }
    },
    async apply(
      sources: readonly ManifestSource[],
      { by, dryRun = false, prune = false }: { by: string; dryRun?: boolean; prune?: boolean },
    ) {
      const { definitions, problems } = await readManifests(sources, templates, options())
      // an empty folder is far more often a wrong path than the wish to remove every app
      if (prune && sources.length === 0)
        problems.push({
          file: '',
          line: 1,
          column: 1,
          code: 'manifests-missing',
          message: 'there is no manifest, so nothing is pruned',
        })
      if (problems.length > 0) return { problems, changes: [], written: false }
      if (dryRun) return { problems, changes: planChanges(definitions, await registry.all(), prune), written: false }
      const wanted = new Map(definitions.map((definition) => [definition.id, definition]))
      const changes = await registry.write(async (writer) => {
        // planned again on what is there now: nobody writes between this look and the commit
        const planned = planChanges(definitions, await writer.all(), prune)
        const done: AppliedChange[] = []
        for (const change of planned) {
          const secret = await carryOut(change, wanted.get(change.id), writer)
          done.push({ ...change, ...(secret !== undefined && { clientSecret: secret }) })
        }
        return done
      })
      for (const { action, id } of changes) {
        if (action !== 'unchanged') await audit.record(EVENT_OF[action], { actor: by, app: id })
      }
      return { problems, changes, written: true }
    },
  })
}

async function carryOut(
  change: PlannedChange,
  definition: Definition | undefined,
  writer: Parameters<Parameters<Registry['write']>[0]>[0],
): Promise<string | undefined> {
  if (change.action === 'create') return writer.insert(definition!)
  if (change.action === 'change') return writer.replace(definition!)
  if (change.action === 'remove') await writer.remove(change.id)
  return undefined
}

const templateOrNothing = async (templates: Templates, slug: string): Promise<Template | undefined> => {
  try {
    return await templates.show(slug)
  } catch (error) {
    if (error instanceof Refusal) return undefined
    throw error
  }
}

async function readManifests(sources: readonly ManifestSource[], templates: Templates, options: CheckOptions) {
  const problems: Problem[] = []
  const definitions: Definition[] = []
  const firstFile = new Map<string, string>()
  const known = new Map<string, Awaited<ReturnType<typeof templateOrProblem>>>()
  for (const { file, text } of sources) {
    const document = readYaml(file, text, manifestSchema)
    problems.push(...document.problems)
    if (!document.value) continue
    const { id, template: slug } = document.value
    const earlier = firstFile.get(id)
    if (earlier !== undefined)
      problems.push(document.problem(['id'], 'app-twice', `\`id\` is \`${id}\`, which ${earlier} describes already`))
    firstFile.set(id, earlier ?? file)
    let template: Template | undefined
    if (slug !== undefined) {
      const found = known.get(slug) ?? (await templateOrProblem(templates, slug))
      known.set(slug, found)
      if (typeof found === 'string') {
        problems.push(document.problem(['template'], 'template-unknown', `\`template\` ${found}`))
        continue
      }
      template = found
    }
    const { definition, issues } = resolve(document.value, template, options)
    problems.push(...issues.map(({ path, code, message }) => document.problem(path, code, message)))
    if (definition) definitions.push(definition)
  }
  return { definitions, problems }
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
