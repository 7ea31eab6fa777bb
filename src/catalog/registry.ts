/** The registered apps: durable, looked up on every request, changed by few. */

import { type Kysely, sql, type Transaction } from 'kysely'
import type { Audit, AuditEvent, AuditFields } from '#audit'
import type { Clock, Instant } from '#core/clock'
import { randomId } from '#core/random'
import { Refusal } from '#core/refusal'
import type { Keys } from '#keys'
import type { Storage } from '#storage'
import { type App, type Definition, hasSecret, namesOf, toApp } from './app.ts'
import { createCache } from './cache.ts'
import type { AppName } from './protocols/protocol.ts'
import type { AppRow, Tables } from './tables.ts'

export interface RegistryOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly audit: Pick<Audit, 'record'>
  readonly keys: Pick<Keys, 'seal' | 'unseal'>
}

export interface StoredApp {
  readonly definition: Definition
  readonly createdAt: Instant
  readonly changedAt: Instant
  /** A secret was made of which nobody has said that it was seen. */
  readonly secretUnseen: boolean
}

/** One step of a change; all steps of one `write` happen or none. */
export interface RegistryWriter {
  stored(id: string): Promise<StoredApp | undefined>
  /** Throws Refusal `app-exists`. Answers the new secret, where the app has one. */
  insert(definition: Definition, secretShown?: boolean): Promise<string | undefined>
  /** Keeps the secret where one is still needed, makes one where it is newly needed. Throws Refusal `app-unknown`. */
  replace(definition: Definition): Promise<string | undefined>
  /** Takes all names from these apps, which are written or removed next: so that one gets what another had. */
  freeNames(ids: readonly string[]): Promise<void>
  /** An event in the trail, together with the change. */
  record(event: AuditEvent, fields: AuditFields): Promise<void>
  /** False when there was nothing to remove. */
  remove(id: string): Promise<boolean>
  /** Throws Refusal `app-unknown`, or `app-without-secret`. */
  newSecret(id: string): Promise<string>
}

export interface Registry {
  find(id: string): Promise<App | undefined>
  findNamed(name: AppName): Promise<App | undefined>
  list(): Promise<App[]>
  stored(id: string): Promise<StoredApp | undefined>
  all(): Promise<Map<string, StoredApp>>
  /** The secrets of these apps that nobody has seen yet. */
  unseenSecrets(ids: readonly string[]): Promise<Map<string, string>>
  secretsShown(ids: readonly string[]): Promise<void>
  write<T>(change: (writer: RegistryWriter) => Promise<T>): Promise<T>
}

/** A statement names only so many. */
const chunks = <T>(all: readonly T[], size = 500): T[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size))
const recordId = (id: string) => `app:${id}:secret`
const readRow = (row: AppRow): StoredApp => ({
  definition: JSON.parse(row.json) as Definition,
  createdAt: Number(row.created_at),
  changedAt: Number(row.changed_at),
  secretUnseen: row.secret !== null && Number(row.secret_shown) === 0,
})

export function createRegistry({ storage, clock, keys, audit }: RegistryOptions): Registry {
  const records: Kysely<Tables> = storage.records.withTables<Tables>()
  const cache = createCache(clock, async () => {
    const row = await records.selectFrom('apps_version').select('version').where('id', '=', 1).executeTakeFirst()
    return Number(row?.version ?? 0)
  })

  const find = (id: string) =>
    cache.through(id, async () => {
      const row = await records.selectFrom('apps').selectAll().where('id', '=', id).executeTakeFirst()
      if (!row) return undefined
      const secret = row.secret === null ? undefined : keys.unseal(row.secret, recordId(id)).toString('utf8')
      const { definition, createdAt, changedAt } = readRow(row)
      return toApp(definition, { createdAt, changedAt }, secret)
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
      return [...(await all(records)).values()].map(({ definition, createdAt, changedAt }) =>
        toApp(definition, { createdAt, changedAt }),
      )
    },
    async stored(id: string) {
      const row = await records.selectFrom('apps').selectAll().where('id', '=', id).executeTakeFirst()
      return row && readRow(row)
    },
    all: () => all(records),
    async unseenSecrets(ids: readonly string[]) {
      const secrets = new Map<string, string>()
      for (const some of chunks(ids)) {
        const rows = await records
          .selectFrom('apps')
          .select(['id', 'secret'])
          .where('id', 'in', some)
          .where('secret_shown', '=', 0)
          .execute()
        for (const { id, secret } of rows)
          if (secret !== null) secrets.set(id, keys.unseal(secret, recordId(id)).toString('utf8'))
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
          const result = await change(writerOn(transaction, clock, keys, audit))
          await transaction.updateTable('apps_version').set({ version: sql`version + 1` }).where('id', '=', 1).execute()
          return result
        })
      } finally {
        // INVARIANT: whoever was told that a change is done finds it from then on
        cache.forget()
      }
    },
  })
}

function writerOn(
  transaction: Transaction<Tables>,
  clock: Clock,
  keys: RegistryOptions['keys'],
  audit: RegistryOptions['audit'],
): RegistryWriter {
  const makeSecret = (id: string) => {
    const plain = randomId(32)
    return { plain, sealed: keys.seal(plain, recordId(id)) }
  }
  const forgetNames = (id: string) => transaction.deleteFrom('app_names').where('app', '=', id).execute()
  /** Throws Refusal `app-name-taken`. */
  const writeNames = async (definition: Definition) => {
    for (const { kind, name } of namesOf(definition)) {
      const row = await transaction
        .insertInto('app_names')
        .values({ kind, name, app: definition.id })
        .onConflict((conflict) => conflict.columns(['kind', 'name']).doNothing())
        .returning('app')
        .executeTakeFirst()
      if (!row) throw new Refusal('app-name-taken', `catalog: another app has the ${kind} \`${name}\``)
    }
  }
  return {
    async stored(id) {
      const row = await transaction.selectFrom('apps').selectAll().where('id', '=', id).executeTakeFirst()
      return row && readRow(row)
    },
    async freeNames(ids) {
      for (const some of chunks(ids)) await transaction.deleteFrom('app_names').where('app', 'in', some).execute()
    },
    record: (event, fields) => audit.record(event, fields, transaction),
    async insert(definition, secretShown = false) {
      const { id } = definition
      const made = hasSecret(definition) ? makeSecret(id) : undefined
      const now = clock.now()
      const row = await transaction
        .insertInto('apps')
        .values({
          id,
          json: JSON.stringify(definition),
          secret: made?.sealed ?? null,
          secret_shown: made && !secretShown ? 0 : 1,
          created_at: now,
          changed_at: now,
        })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .returning('id')
        .executeTakeFirst()
      if (!row) throw new Refusal('app-exists', `catalog: app \`${id}\` exists`)
      await writeNames(definition)
      return made?.plain
    },
    async replace(definition) {
      const { id } = definition
      const before = await transaction.selectFrom('apps').select('secret').where('id', '=', id).executeTakeFirst()
      if (!before) throw new Refusal('app-unknown', `catalog: no app \`${id}\``)
      const made = hasSecret(definition) && before.secret === null ? makeSecret(id) : undefined
      await transaction
        .updateTable('apps')
        .set({
          json: JSON.stringify(definition),
          secret: hasSecret(definition) ? (made?.sealed ?? before.secret) : null,
          ...(made && { secret_shown: 0 }),
          changed_at: clock.now(),
        })
        .where('id', '=', id)
        .execute()
      await forgetNames(id)
      await writeNames(definition)
      return made?.plain
    },
    async remove(id) {
      await forgetNames(id)
      return (
        (await transaction.deleteFrom('apps').where('id', '=', id).returning('id').executeTakeFirst()) !== undefined
      )
    },
    async newSecret(id) {
      const made = makeSecret(id)
      const row = await transaction
        .updateTable('apps')
        .set({ secret: made.sealed, secret_shown: 1, changed_at: clock.now() })
        .where('id', '=', id)
        .where('secret', 'is not', null)
        .returning('id')
        .executeTakeFirst()
      if (row) return made.plain
      const there = await transaction.selectFrom('apps').select('id').where('id', '=', id).executeTakeFirst()
      throw new Refusal(there ? 'app-without-secret' : 'app-unknown', `catalog: \`${id}\` has no secret to rotate`)
    },
  }
}
