/** The registered APIs: durable, looked up for every token, changed by few. */
import type { Kysely } from 'kysely'
import { stringify } from 'yaml'
import type { Audit } from '#audit'
import { type PlannedChange, type Problem, planChanges, type SourceFile } from '#config'
import type { Clock } from '#core/clock'
import type { Log } from '#core/log'
import { nearest } from '#core/nearest'
import { Refusal } from '#core/refusal'
import type { Storage } from '#storage'
import { type Api, type ApiDefinition, toApi } from './api.ts'
import type { InForce } from './gateway.ts'
import { type ReadApis, readApis } from './reading.ts'
import type { Tables } from './tables.ts'

export interface AppliedApis {
  /** In the order of the ids. */
  readonly changes: readonly (PlannedChange & { readonly result: 'done' | 'planned' })[]
  readonly refused: ReadApis['refused']
  readonly problems: readonly Problem[]
  /** Ids that `prune` would have removed, had there been no mistake. */
  readonly kept: readonly string[]
  /** False for a dry run. */
  readonly written: boolean
}

export interface ApplyApis {
  /** A person's id or `cli`. */
  readonly by: string
  readonly dryRun?: boolean
  /** Removes every API that no file names; not where there is any mistake. */
  readonly prune?: boolean
  /** What was wrong with files before they could be read. */
  readonly unread?: readonly Problem[]
}

export interface Apis {
  /** All of them, as of the moment of the call. */
  all(): Promise<ApiSet>
  /** Each API is written whole or not at all; a file with a mistake holds up no other one. */
  apply(sources: readonly SourceFile[], options: ApplyApis): Promise<AppliedApis>
  /** The file of which applying changes nothing. Throws Refusal `api-unknown`. */
  export(id: string): Promise<string>
}

/** Found by id or by what tokens name. */
export interface ApiSet {
  readonly list: readonly Api[]
  find(id: string): Api | undefined
  forAudience(audience: string): Api | undefined
  /** Whose authorization details have that type. */
  forType(type: string): Api | undefined
  /** Of all of them, in the order of the APIs. */
  readonly types: readonly string[]
  /** Those that a gateway answers for there, often one. */
  atHost(host: string): readonly Api[]
}

export interface ApisOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly audit: Pick<Audit, 'record'>
  /** Hears of types that were stored before there were limits. */
  readonly log?: Pick<Log, 'warn'>
  /** The policies, as far as a file may name what is theirs. */
  readonly inForce?: () => InForce | undefined | Promise<InForce | undefined>
}

/** Fields that a plan tells field by field. */
const PARTS = ['token', 'scopes', 'authorization_details', 'gateway']
const EVENT_OF = { create: 'api-registered', change: 'api-changed', remove: 'api-removed' } as const
/** There is one list of them. */
const ONE = ''

export function openApis({ storage, clock, audit, log, inForce }: ApisOptions): Apis {
  const records: Kysely<Tables> = storage.records.withTables<Tables>()
  const stored = async (from: Kysely<Tables>): Promise<Map<string, ApiDefinition>> => {
    const rows = await from.selectFrom('apis').selectAll().orderBy('id').execute()
    return new Map(rows.map(({ id, json }) => [id, JSON.parse(json) as ApiDefinition]))
  }
  // read again by whatever another process commits (SQLite): it must not be made anew each time
  let last: { readonly text: string; readonly set: ApiSet } | undefined
  const kept = storage.keep('apis', undefined, async () => {
    const definitions = [...(await stored(records)).values()]
    const text = JSON.stringify(definitions)
    if (last?.text !== text) last = { text, set: setWithWarnings(definitions) }
    return last.set
  })

  function setWithWarnings(definitions: readonly ApiDefinition[]): ApiSet {
    const set = setOf(definitions)
    for (const { id, details } of set.list)
      for (const [type, { sound }] of details)
        if (!sound)
          log?.warn('api-type-refused', { api: id, type, why: 'schema beyond the limits: apply its file anew' })
    return set
  }

  return Object.freeze({
    all: async () => kept.known(ONE) ?? (await kept.of(ONE))!,

    async apply(sources: readonly SourceFile[], { by, dryRun = false, prune = false, unread = [] }: ApplyApis) {
      const files = await readApis(sources, await inForce?.())
      const problems = [...unread, ...files.problems]
      // an empty folder is far more often a wrong path than the wish to remove every API
      if (prune && sources.length === 0)
        problems.push({
          file: '',
          line: 1,
          column: 1,
          code: 'files-missing',
          message: 'there is no file, so nothing is pruned',
        })
      return records.transaction().execute(async (transaction) => {
        const there = await stored(transaction)
        const wanted = withoutTaken(files.wanted, there, prune && problems.length === 0, problems)
        const unwanted = [...there.keys()].filter(
          (id) => !files.wanted.has(id) && !files.refused.some((one) => one.id === id),
        )
        const pruning = prune && problems.length === 0
        const changes = planChanges(wanted, there, pruning, PARTS).filter(
          ({ id, action }) => action !== 'remove' || unwanted.includes(id),
        )
        const answer = { refused: files.refused, problems, kept: prune && !pruning ? unwanted : [] }
        if (dryRun)
          return {
            ...answer,
            written: false,
            changes: changes.map((change) => ({ ...change, result: 'planned' as const })),
          }
        const differing = changes.filter(({ action }) => action !== 'unchanged')
        // all of them first: what one had another may get
        for (const { id } of differing) await transaction.deleteFrom('apis').where('id', '=', id).execute()
        for (const { id, action } of differing) {
          const definition = wanted.get(id)
          if (definition)
            await transaction
              .insertInto('apis')
              .values({ id, audience: definition.audience, json: JSON.stringify(definition), changed_at: clock.now() })
              .execute()
          await audit.record(EVENT_OF[action as keyof typeof EVENT_OF], { actor: by, reason: id }, transaction)
        }
        return { ...answer, written: true, changes: changes.map((change) => ({ ...change, result: 'done' as const })) }
      })
    },

    async export(id: string) {
      const all = await stored(records)
      const found = all.get(id)
      if (!found) throw unknownApi(id, all.keys())
      return stringify(found, { lineWidth: 0 })
    },
  })
}

export function unknownApi(id: string, known: Iterable<string>): Refusal {
  const near = nearest(id, known)
  return new Refusal('api-unknown', `apis: no API \`${id}\`${near ? `; did you mean \`${near}\`?` : ''}`)
}

function setOf(definitions: Iterable<ApiDefinition>): ApiSet {
  const list = [...definitions].map(toApi)
  const ids = new Map(list.map((api) => [api.id, api]))
  const audiences = new Map(list.map((api) => [api.audience, api]))
  const types = new Map(list.flatMap((api) => [...api.details.keys()].map((type) => [type, api])))
  const hosts = Map.groupBy(
    list.flatMap((api) => (api.gateway?.hosts ?? []).map((host) => ({ host, api }))),
    ({ host }) => host,
  )
  return Object.freeze({
    list,
    find: (id: string) => ids.get(id),
    forAudience: (audience: string) => audiences.get(audience),
    forType: (type: string) => types.get(type),
    types: [...types.keys()],
    atHost: (host: string) => hosts.get(host)?.map(({ api }) => api) ?? [],
  })
}

/** Those whose audience and types nobody else has, who stays. */
function withoutTaken(
  wanted: ReadonlyMap<string, ApiDefinition>,
  there: ReadonlyMap<string, ApiDefinition>,
  prune: boolean,
  problems: Problem[],
): ReadonlyMap<string, ApiDefinition> {
  const staying = prune ? [] : [...there].filter(([id]) => !wanted.has(id))
  const owners = new Map(staying.map(([id, { audience }]) => [audience, id]))
  const types = new Map(
    staying.flatMap(([id, one]) => Object.keys(one.authorization_details ?? {}).map((t) => [t, id])),
  )
  return new Map(
    [...wanted].filter(([id, { audience, authorization_details }]) => {
      const taken = (code: string, what: string, owner: string): false => {
        const message = `\`${id}\`: ${what} is that of \`${owner}\`, which is registered`
        problems.push({ file: '', line: 1, column: 1, code, message })
        return false
      }
      const owner = owners.get(audience)
      if (owner !== undefined) return taken('audience-taken', '`audience`', owner)
      const type = Object.keys(authorization_details).find((one) => types.has(one))
      return type === undefined || taken('type-taken', `\`authorization_details.${type}\``, types.get(type)!)
    }),
  )
}
