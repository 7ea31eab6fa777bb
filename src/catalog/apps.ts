/** What can be done with registered apps. Files, command line and pages all come through here. */

import { stringify } from 'yaml'
import type { SourceFile } from '#config'
import type { Clock, Instant, Millis } from '#core/clock'
import { nearest } from '#core/nearest'
import { Refusal } from '#core/refusal'
import type { Soon } from '#storage'
import { type App, type Definition, toApp } from './app.ts'
import { type Applied, type ApplyOptions, applyManifests } from './apply.ts'
import type { Documents } from './documents/documents.ts'
import { differences, type Manifest, manifestSchema, resolve } from './manifest.ts'
import { readManifests } from './manifest-reading.ts'
import type { KeptProbe } from './probes.ts'
import type { AppName } from './protocols/protocol.ts'
import type { Registry } from './registry.ts'
import type { StoredApp } from './registry-writing.ts'
import type { CheckOptions, Issue } from './rules.ts'
import type { Template } from './template.ts'
import type { Templates } from './templates.ts'

export interface Registered {
  readonly app: App
  /** Shown once; nobody can read it again. Undefined where the app has none. */
  readonly clientSecret?: string
}

export interface Apps {
  /**
   * One look in memory; whichever process changed something, the next request sees it. The same object until something changes.
   * Rejects with Refusal `storage-unavailable` or `sealed-record-invalid`.
   */
  find(id: string): Promise<App | undefined>
  /** The refusal `app-unknown` for whoever named it; its detail, which nobody outside reads, says the nearest one. */
  unknown(id: string): Promise<Refusal>
  /** The app by what it is named outside; otherwise like `find`. */
  findNamed(name: AppName): Soon<App | undefined>
  /** Somebody was let in to the app. Notes the first time, and costs nothing afterwards. */
  opened(app: App): Promise<void>
  /** All apps in the order of their ids, without secrets. */
  list(): Promise<App[]>
  /** What `register` would refuse. */
  check(manifest: Manifest): Promise<readonly Issue[]>
  /** What `register` would make; absent where it would refuse. */
  preview(manifest: Manifest): Promise<App | undefined>
  /** Throws Refusal `app-exists`, `app-name-taken`, `app-invalid`, `template-unknown`, `template-invalid`. `by`: a person's id or `cli`. */
  register(manifest: Manifest, by: string): Promise<Registered>
  /** Throws Refusal `app-unknown`, `partner-contract`. */
  remove(id: string, by: string): Promise<void>
  /** The app as a manifest in YAML, without secrets. Throws Refusal `app-unknown`, `partner-contract`. */
  export(id: string): Promise<string>
  /**
   * The secret before is taken for `overlap` more, or no more at once; the one before that never again. Throws Refusal
   * `app-unknown`, `app-without-secret`.
   */
  rotateSecret(id: string, by: string, overlap?: Millis): Promise<{ clientSecret: string; previousUntil?: Instant }>
  /** Only the newest secret is taken from now on. Throws Refusal `app-unknown`, `app-without-secret`. */
  endPreviousSecret(id: string, by: string): Promise<void>
  /** Everything that it has so far is over, at once; it may get new ones. Throws Refusal `app-unknown`. */
  endTokens(id: string, by: string): Promise<void>
  /** Keeps what a probe found, in the place of the last one for that protocol. Throws Refusal `app-unknown`. */
  keepProbe(id: string, probe: KeptProbe, by: string): Promise<void>
  /** The last probe for each protocol. */
  probes(id: string): Promise<KeptProbe[]>
  /** Every app as a manifest, in the order of the ids. Partners are none of them: they have contracts. */
  exportAll(): Promise<{ id: string; manifest: string }[]>
  /**
   * INVARIANT: each app is written whole or not at all; one with a mistake is not touched and holds up no other.
   * New secrets are answered by this run and by those after it, until `secretsShown` says that somebody has seen them.
   */
  apply(sources: readonly SourceFile[], options: ApplyOptions): Promise<Applied>
  secretsShown(ids: readonly string[]): Promise<void>
}

export interface AppsOptions {
  readonly registry: Registry
  readonly templates: Templates
  readonly documents?: Documents | undefined
  readonly clock: Clock
  readonly check: () => Promise<CheckOptions>
}

export function createApps({ registry, templates, documents, clock, check: options }: AppsOptions): Apps {
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
      return { issues, definition: undefined }
    }
    const template = read.data.template === undefined ? undefined : await templates.show(read.data.template)
    return resolve(read.data, template, await options())
  }

  async function unknown(id: string): Promise<Refusal> {
    const near = nearest(
      id,
      (await registry.list()).map((one) => one.id),
    )
    return new Refusal('app-unknown', `catalog: no app \`${id}\`${near ? `; did you mean \`${near}\`?` : ''}`)
  }

  async function mustBeThere(id: string): Promise<void> {
    if (!(await registry.find(id))) throw await unknown(id)
  }

  return Object.freeze({
    unknown,
    find: documents ? (id: string) => (documents.covers(id) ? documents.known(id) : registry.find(id)) : registry.find,
    findNamed: registry.findNamed,
    opened: registry.opened,
    list: registry.list,
    async check(manifest: Manifest) {
      return (await examine(manifest)).issues
    },
    async preview(manifest: Manifest) {
      const { definition } = await examine(manifest)
      return definition && toApp(definition, { createdAt: 0, changedAt: 0 })
    },
    async register(manifest: Manifest, by: string) {
      const { definition, issues } = await examine(manifest)
      if (!definition) throw new Refusal('app-invalid', issues.map(({ code }) => code).join(', '))
      const clientSecret = await registry.write(async (writer) => {
        const made = await writer.insert(definition, true)
        await writer.record('app-registered', { actor: by, app: definition.id })
        return made
      })
      const app = await registry.find(definition.id)
      if (!app)
        throw new Refusal('state-conflict', `catalog: app \`${definition.id}\` was removed while it was registered`)
      return { app, ...(clientSecret !== undefined && { clientSecret }) }
    },
    async remove(id: string, by: string) {
      await registry.write(async (writer) => {
        notAPartner(await writer.stored(id))
        if (!(await writer.remove(id))) throw await unknown(id)
        await writer.record('app-removed', { actor: by, app: id })
      })
    },
    async export(id: string) {
      const stored = await registry.stored(id)
      if (!stored) throw await unknown(id)
      notAPartner(stored)
      const slug = stored.definition.template
      return written(stored.definition, slug === undefined ? undefined : await templateOrNothing(templates, slug))
    },
    async exportAll() {
      const all = await registry.all()
      const slugs = new Set([...all.values()].flatMap(({ definition }) => definition.template ?? []))
      const known = new Map<string, Template | undefined>()
      for (const slug of slugs) known.set(slug, await templateOrNothing(templates, slug))
      return [...all]
        .filter(([, { definition }]) => !definition.partner)
        .map(([id, { definition }]) => ({
          id,
          manifest: written(definition, known.get(definition.template ?? '')),
        }))
    },
    async rotateSecret(id: string, by: string, overlap?: Millis) {
      await mustBeThere(id)
      const until = overlap === undefined ? undefined : clock.now() + overlap
      return registry.write(async (writer) => {
        const clientSecret = await writer.newSecret(id, until)
        await writer.record('app-secret-rotated', { actor: by, app: id })
        return { clientSecret, ...(until !== undefined && { previousUntil: until }) }
      })
    },
    async endPreviousSecret(id: string, by: string) {
      await mustBeThere(id)
      await registry.write(async (writer) => {
        await writer.endPrevious(id)
        await writer.record('app-secret-rotated', { actor: by, app: id })
      })
    },
    async endTokens(id: string, by: string) {
      const done = await registry.write((writer) => writer.endTokens(id, by))
      if (!done) throw await unknown(id)
    },
    keepProbe: (id: string, probe: KeptProbe, by: string) =>
      registry.write(async (writer) => {
        if (!(await writer.stored(id))) throw await unknown(id)
        await writer.keepProbe(id, probe)
        const reason = `${probe.protocol}-${probe.grade}`.replace('_', '-')
        await writer.record('app-probed', { actor: by, app: id, reason })
      }),
    probes: registry.probes,
    apply: async (sources: readonly SourceFile[], how: ApplyOptions) =>
      applyManifests(
        {
          registry,
          read: async (files) => readManifests(files, templates, await options()),
          isMine: ({ partner }) => !partner,
          key: 'id',
          closed: ({ definition }) =>
            definition.partner && ['partner-contract', 'a partner, whose contract changes it (`partners apply`)'],
        },
        sources,
        how,
      ),
    secretsShown: registry.secretsShown,
  })
}

function notAPartner(stored: StoredApp | undefined): void {
  if (stored?.definition.partner)
    throw new Refusal('partner-contract', `catalog: \`${stored.definition.id}\` is a partner`)
}

const written = (definition: Definition, template: Template | undefined): string =>
  stringify(differences(definition, template), { lineWidth: 0 })

const templateOrNothing = async (templates: Templates, slug: string): Promise<Template | undefined> => {
  try {
    return await templates.show(slug)
  } catch (error) {
    if (error instanceof Refusal) return undefined
    throw error
  }
}
