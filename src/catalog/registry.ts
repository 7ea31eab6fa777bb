/** The registered apps: durable, looked up on every request, changed by few. */

import type { Kysely, Transaction } from 'kysely'
import { randomNumber } from '#core/random'
import type { Soon } from '#storage'
import { type App, toApp } from './app.ts'
import { createCache } from './cache.ts'
import { allProbes, greenSince, type KeptProbe, probesOf } from './probes.ts'
import type { AppName } from './protocols/protocol.ts'
import {
  chunks,
  type RegistryOptions,
  type RegistryWriter,
  readRow,
  type StoredApp,
  writerOn,
} from './registry-writing.ts'
import { readSecrets } from './secrets.ts'
import type { Tables } from './tables.ts'

export interface Registry {
  find(id: string): Promise<App | undefined>
  findNamed(name: AppName): Soon<App | undefined>
  list(): Promise<App[]>
  stored(id: string): Promise<StoredApp | undefined>
  all(): Promise<Map<string, StoredApp>>
  probes(id: string): Promise<KeptProbe[]>
  /** Somebody was let in. Only the first time is noted, and costs anything. */
  opened(app: App): Promise<void>
  /** The secrets of these apps that nobody has seen yet. */
  unseenSecrets(ids: readonly string[]): Promise<Map<string, string>>
  secretsShown(ids: readonly string[]): Promise<void>
  write<T>(change: (writer: RegistryWriter) => Promise<T>): Promise<T>
}

export function createRegistry(options: RegistryOptions): Registry {
  const { storage, clock, keys } = options
  const records: Kysely<Tables> = storage.records.withTables<Tables>()
  const version = storage.keep('apps_version', undefined, async () => {
    const row = await records.selectFrom('apps_version').select('version').where('id', '=', 1).executeTakeFirst()
    return Number(row?.version ?? 0)
  })
  const cache = createCache(version)

  const noted = new WeakSet<App>()

  const find = async (id: string) =>
    cache.through(id, async () => {
      const row = await records.selectFrom('apps').selectAll().where('id', '=', id).executeTakeFirst()
      if (!row) return undefined
      const { definition, secretUnseen: _unseen, ...times } = readRow(row)
      const tried = greenSince(definition, await probesOf(records, id))
      return toApp(definition, { ...times, ...tried }, readSecrets(row, keys))
    })

  const all = async (from: Kysely<Tables> | Transaction<Tables>) => {
    const rows = await from.selectFrom('apps').selectAll().orderBy('id').execute()
    return new Map(rows.map((row) => [row.id, readRow(row)]))
  }

  return Object.freeze({
    find,
    // no id of an app has a colon
    findNamed: ({ kind, name }: AppName) =>
      cache.through(`${kind}:${name}`, async () => {
        const named = records.selectFrom('app_names').select('app').where('kind', '=', kind).where('name', '=', name)
        const row = await named.executeTakeFirst()
        return row && find(row.app)
      }),
    async list() {
      const probes = await allProbes(records)
      return [...(await all(records)).values()].map(({ definition, secretUnseen: _unseen, ...times }) =>
        toApp(definition, { ...times, ...greenSince(definition, probes.get(definition.id) ?? []) }),
      )
    },
    async stored(id: string) {
      const row = await records.selectFrom('apps').selectAll().where('id', '=', id).executeTakeFirst()
      return row && readRow(row)
    },
    all: () => all(records),
    probes: (id: string) => probesOf(records, id),
    async opened(app: App) {
      if (app.firstOpenedAt !== undefined || noted.has(app)) return
      await records
        .updateTable('apps')
        .set({ first_opened_at: clock.now() })
        .where('id', '=', app.id)
        .where('first_opened_at', 'is', null)
        .execute()
      noted.add(app)
    },
    async unseenSecrets(ids: readonly string[]) {
      const secrets = new Map<string, string>()
      for (const some of chunks(ids)) {
        const rows = await records
          .selectFrom('apps')
          .selectAll()
          .where('id', 'in', some)
          .where('secret_shown', '=', 0)
          .execute()
        for (const row of rows) {
          const current = readSecrets(row, keys)?.current
          if (current !== undefined) secrets.set(row.id, current)
        }
      }
      return secrets
    },
    async secretsShown(ids: readonly string[]) {
      for (const some of chunks(ids))
        await records.updateTable('apps').set({ secret_shown: 1 }).where('id', 'in', some).execute()
    },
    async write<T>(change: (writer: RegistryWriter) => Promise<T>) {
      try {
        return await records.transaction().execute(async (transaction) => {
          const result = await change(writerOn(transaction, options))
          // no number that comes again for another change, after a failover that has lost the last one
          await transaction.updateTable('apps_version').set({ version: randomNumber() }).where('id', '=', 1).execute()
          return result
        })
      } finally {
        // INVARIANT: whoever was told that a change is done finds it from then on
        cache.forget()
      }
    },
  })
}
