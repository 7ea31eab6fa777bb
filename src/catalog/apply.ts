/**
 * Applying manifests: read, plan, write. Each app is written whole or not at all, one after the other in the order of the
 * ids; a manifest with a mistake holds up no other one. A run that was cut off is finished by the next one.
 */
import type { AuditEvent } from '#audit'
import { type PlannedChange, type Problem, planChange, planChanges, type SourceFile } from '#config'
import { Refusal } from '#core/refusal'
import type { Definition } from './app.ts'
import type { ReadManifests, RefusedApp, WantedApp } from './manifest-reading.ts'
import { clashes, groupsOf } from './names.ts'
import { PROTOCOL_KEYS } from './protocols/list.ts'
import type { Registry } from './registry.ts'
import type { RegistryWriter, StoredApp } from './registry-writing.ts'

export interface Plan {
  /** In the order of the ids. */
  readonly changes: readonly PlannedChange[]
  /** What stays as it is because its manifest has a mistake. */
  readonly refused: readonly RefusedApp[]
  readonly problems: readonly Problem[]
  /** Ids that `prune` would have removed, had there been no mistake: one of the files may have meant to keep them. */
  readonly kept: readonly string[]
}

export interface AppliedChange extends PlannedChange {
  /** `failed`: somebody else came in between; `code` says how. */
  readonly result: 'done' | 'planned' | 'failed'
  readonly code?: string
  /** Of an app that has just got its first secret, or whose secret was made by a run that ended before it was shown. */
  readonly clientSecret?: string
}

export interface Applied extends Plan {
  readonly changes: readonly AppliedChange[]
  /** False for a dry run, and where a mistake kept everything from being written. */
  readonly written: boolean
}

export interface ApplyOptions {
  /** A person's id or `cli`. */
  readonly by: string
  readonly dryRun?: boolean
  /** Removes every app that no manifest names; not where there is any mistake. */
  readonly prune?: boolean
  /** All manifests are right and all are written at once, or nothing is. */
  readonly allOrNothing?: boolean
  /** What was wrong with files before they could be read as manifests. */
  readonly unread?: readonly Problem[]
  /** Before anything is written. */
  readonly onPlan?: (plan: Plan) => void
  /** After each app; what was told as `done` is on the disk. */
  readonly onRow?: (row: AppliedChange) => void
}

/** What is applied: apps, or partners. */
export interface Applying {
  readonly registry: Registry
  read(sources: readonly SourceFile[]): Promise<ReadManifests>
  /** Those among the registered apps that such files are about; all others stay as they are. */
  isMine(definition: Definition): boolean
  /** Where the id stands in a file. */
  readonly key: string
  /** Why this one is not to be written over, as a code and the end of a sentence. */
  closed(app: StoredApp): readonly [code: string, message: string] | undefined
}

/** What is told field by field. */
const PARTS = [...PROTOCOL_KEYS, 'partner']

const EVENT_OF = { create: 'app-registered', change: 'app-changed', remove: 'app-removed' } as const satisfies Record<
  string,
  AuditEvent
>

export async function applyManifests(
  applying: Applying,
  sources: readonly SourceFile[],
  options: ApplyOptions,
): Promise<Applied> {
  const { prune = false, dryRun = false, allOrNothing = false, unread = [] } = options
  const { registry } = applying
  const read = await applying.read(sources)
  read.problems.unshift(...unread)
  // an empty folder is far more often a wrong path than the wish to remove every app
  if (prune && sources.length === 0) {
    const message = 'there is no manifest, so nothing is pruned'
    read.problems.push({ file: '', line: 1, column: 1, code: 'manifests-missing', message })
  }
  const there = await registry.all()
  const { wanted, plan } = planned(applying, read, there, prune)
  options.onPlan?.(plan)
  if (dryRun || (allOrNothing && plan.problems.length > 0)) {
    const changes = plan.changes.map((change): AppliedChange => ({ ...change, result: 'planned' }))
    return { ...plan, changes, written: false }
  }
  const changes = await carriedOut(applying, plan, wanted, there, options)
  return { ...plan, changes, written: true }
}

/** What is right among the manifests, and what that changes. */
function planned(
  { isMine, closed, key }: Applying,
  read: { wanted: WantedApp[]; refused: RefusedApp[]; problems: Problem[] },
  there: ReadonlyMap<string, StoredApp>,
  prune: boolean,
): { plan: Plan; wanted: ReadonlyMap<string, Definition> } {
  let { wanted } = read
  const { refused, problems } = read
  const unwanted = () => {
    const ids = new Set(wanted.map(({ definition }) => definition.id))
    for (const { id } of refused) if (id !== undefined) ids.add(id)
    return [...there].flatMap(([id, { definition }]) => (!ids.has(id) && isMine(definition) ? [id] : []))
  }
  wanted = wanted.filter(({ definition: { id }, file, line, problem }) => {
    const stored = there.get(id)
    const why = stored && closed(stored)
    if (!why) return true
    problems.push(problem([key], why[0], `\`${key}\` is \`${id}\`, ${why[1]}`))
    refused.push({ id, file, line })
    return false
  })
  // whoever is refused keeps the names they have, which may take them from the next one
  for (;;) {
    const gone = new Set(prune && problems.length === 0 ? unwanted() : [])
    const found = clashes(
      wanted.map(({ definition }) => definition),
      there,
      gone,
    )
    if (found.length === 0) break
    for (const { id, name, other } of found) {
      const { problem } = wanted.find(({ definition }) => definition.id === id)!
      const path = name.kind === 'host' ? ['forward_auth', 'hosts'] : ['saml', 'entity_id']
      problems.push(
        problem(path, 'app-name-taken', `the ${name.kind} \`${name.name}\` is that of \`${other}\` as well`),
      )
    }
    const clashing = new Set(found.map(({ id }) => id))
    for (const { definition, file, line } of wanted)
      if (clashing.has(definition.id)) refused.push({ id: definition.id, file, line })
    wanted = wanted.filter(({ definition }) => !clashing.has(definition.id))
  }
  const definitions = wanted.map(({ definition }) => definition)
  const pruning = prune && problems.length === 0
  const after = new Map(definitions.map((definition) => [definition.id, definition]))
  const before = new Map(
    [...there].flatMap(([id, { definition }]) => (isMine(definition) ? [[id, definition] as const] : [])),
  )
  const changes = planChanges(after, before, pruning, PARTS)
  const kept = prune && !pruning ? unwanted() : []
  return {
    plan: { changes, refused, problems, kept },
    wanted: after,
  }
}

async function carriedOut(
  { registry, closed }: Applying,
  { changes }: Plan,
  wanted: ReadonlyMap<string, Definition>,
  there: ReadonlyMap<string, StoredApp>,
  { by, allOrNothing = false, onRow }: ApplyOptions,
): Promise<AppliedChange[]> {
  const unseen = await registry.unseenSecrets([...there].filter(([, app]) => app.secretUnseen).map(([id]) => id))
  const withSecret = (change: PlannedChange): AppliedChange => {
    const secret = change.action === 'remove' ? undefined : unseen.get(change.id)
    return { ...change, result: 'done', ...(secret !== undefined && { clientSecret: secret }) }
  }
  const rows: AppliedChange[] = []
  const tell = (row: AppliedChange) => {
    rows.push(row)
    onRow?.(row)
  }
  const changing = changes.filter(({ action }) => action !== 'unchanged').map(({ id }) => id)
  const groups = allOrNothing && changing.length > 0 ? [changing] : groupsOf(changing, wanted, there)
  const still = changes.filter(({ action }) => action === 'unchanged').map(({ id }) => [id])
  const plannedOf = new Map(changes.map((change) => [change.id, change]))
  for (const ids of [...groups, ...still].sort(([a], [b]) => (a! < b! ? -1 : 1))) {
    const first = plannedOf.get(ids[0]!)!
    if (first.action === 'unchanged') {
      tell(withSecret(first))
      continue
    }
    try {
      const done = await registry.write((writer) => writeGroup(writer, ids, wanted, { by, closed }))
      for (const row of done) tell({ ...withSecret(row), ...row })
    } catch (error) {
      // another process took the name in this very moment; everything else is no fault of the manifest
      const came = error instanceof Refusal && (error.code === 'app-name-taken' || error.code === 'partner-contract')
      if (!came) throw error
      for (const id of ids) tell({ ...plannedOf.get(id)!, result: 'failed', code: error.code })
    }
  }
  return rows.sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** INVARIANT: planned again on what is there now: nobody writes between this look and the commit. */
async function writeGroup(
  writer: RegistryWriter,
  ids: readonly string[],
  wanted: ReadonlyMap<string, Definition>,
  { by, closed }: Pick<ApplyOptions, 'by'> & Pick<Applying, 'closed'>,
): Promise<AppliedChange[]> {
  if (ids.length > 1) await writer.freeNames(ids)
  const rows: AppliedChange[] = []
  for (const id of ids) {
    const definition = wanted.get(id)
    const stored = await writer.stored(id)
    if (definition && stored && closed(stored))
      throw new Refusal('partner-contract', `catalog: \`${id}\` is not its to change`)
    const change = planChange(id, stored?.definition, definition, PARTS)
    if (!change) continue
    const secret = await carryOut(change, definition, writer, ids.length > 1)
    if (change.action !== 'unchanged') await writer.record(EVENT_OF[change.action], { actor: by, app: id })
    rows.push({ ...change, result: 'done', ...(secret !== undefined && { clientSecret: secret }) })
  }
  return rows
}

async function carryOut(
  { id, action }: PlannedChange,
  definition: Definition | undefined,
  writer: RegistryWriter,
  nameless: boolean,
): Promise<string | undefined> {
  if (action === 'create') return writer.insert(definition!)
  if (action === 'change' || (action === 'unchanged' && nameless)) return writer.replace(definition!)
  if (action === 'remove') await writer.remove(id)
  return undefined
}
