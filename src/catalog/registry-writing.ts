/** Writing registered apps: the steps that one transaction takes, and how a row is read. */
import type { ExpressionBuilder, Transaction, UpdateObject } from 'kysely'
import type { Audit, AuditEvent, AuditFields } from '#audit'
import type { Clock, Instant } from '#core/clock'
import { Refusal } from '#core/refusal'
import type { Keys } from '#keys'
import type { Storage } from '#storage'
import { type Definition, hasSecret, namesOf } from './app.ts'
import { type OnTokensEnd, type TokensEnd, withdrawn } from './credentials.ts'
import { type KeptProbe, writeProbe } from './probes.ts'
import { makeSecret } from './secrets.ts'
import type { AppRow, Tables } from './tables.ts'

export interface RegistryOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly audit: Pick<Audit, 'record'>
  readonly keys: Pick<Keys, 'seal' | 'unseal'>
  /** Without it nobody but the engine looks at tokens. */
  readonly onTokensEnd?: OnTokensEnd
}

export interface StoredApp {
  readonly definition: Definition
  readonly createdAt: Instant
  readonly changedAt: Instant
  /** A secret was made of which nobody has said that it was seen. */
  readonly secretUnseen: boolean
  /** When anybody was let in to it for the first time. */
  readonly firstOpenedAt?: Instant
  /** Until then the secret before the present one is taken too; may be over. */
  readonly previousSecretUntil?: Instant
  /** Of a partner's: somebody ended it then. */
  readonly endedAt?: Instant
  /** Tokens that were issued before are over. */
  readonly tokensFrom?: Instant
}

/** One step of a change; all steps of one `write` happen or none. */
export interface RegistryWriter {
  stored(id: string): Promise<StoredApp | undefined>
  /** For what belongs to the change and stands in other tables of this room. */
  readonly records: Transaction<Tables>
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
  /** Ended now, or not any more; tokens from before are over in both cases. */
  end(id: string, ended: boolean): Promise<void>
  /** All that it has so far, also what it could refresh. False when there is no such app. */
  endTokens(id: string, by: string): Promise<boolean>
  /** In the place of the one before, for the same protocol. */
  keepProbe(id: string, probe: KeptProbe): Promise<void>
  /** The old one is taken until `until`. Throws Refusal `app-unknown`, or `app-without-secret`. */
  newSecret(id: string, until: Instant | undefined): Promise<string>
  /** Only the newest is taken from now on. Throws Refusal `app-unknown`, or `app-without-secret`. */
  endPrevious(id: string): Promise<void>
}

/** A statement names only so many. */
export const chunks = <T>(all: readonly T[], size = 500): T[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size))
export const readRow = (row: AppRow): StoredApp => ({
  definition: JSON.parse(row.json) as Definition,
  createdAt: Number(row.created_at),
  changedAt: Number(row.changed_at),
  secretUnseen: row.secret !== null && Number(row.secret_shown) === 0,
  ...(row.first_opened_at !== null && { firstOpenedAt: Number(row.first_opened_at) }),
  ...(row.previous_until !== null && { previousSecretUntil: Number(row.previous_until) }),
  ...(row.ended_at !== null && { endedAt: Number(row.ended_at) }),
  ...(row.tokens_from !== null && { tokensFrom: Number(row.tokens_from) }),
})

type SecretChange = (eb: ExpressionBuilder<Tables, 'apps'>) => UpdateObject<Tables, 'apps'>

/**
 * From when on tokens are good that are issued after this moment, which came after `before`: times in tokens are whole seconds.
 * What was issued after an end of this very second says the next one already.
 */
const nextSecond = (now: Instant, before: Instant): Instant =>
  before > now ? before + 1000 : (Math.floor(now / 1000) + 1) * 1000

export function writerOn(
  transaction: Transaction<Tables>,
  { clock, keys, audit, onTokensEnd }: Omit<RegistryOptions, 'storage'>,
): RegistryWriter {
  const tokensEnd = async (end: TokensEnd | undefined, by = 'system') => {
    if (end) await onTokensEnd?.(end, by, transaction)
  }
  /** Undefined: there is no such app. */
  const tokensFrom = async (id: string): Promise<Instant | undefined> => {
    const row = await transaction.selectFrom('apps').select('tokens_from').where('id', '=', id).executeTakeFirst()
    return row && Number(row.tokens_from ?? 0)
  }
  async function changeSecret(id: string, values: SecretChange): Promise<void> {
    const row = await transaction
      .updateTable('apps')
      .set((eb) => ({ ...values(eb), changed_at: clock.now() }))
      .where('id', '=', id)
      .where('secret', 'is not', null)
      .returning('id')
      .executeTakeFirst()
    if (row) return
    const there = await transaction.selectFrom('apps').select('id').where('id', '=', id).executeTakeFirst()
    throw new Refusal(there ? 'app-without-secret' : 'app-unknown', `catalog: \`${id}\` has no secret to rotate`)
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
      if (row) continue
      const other = await transaction
        .selectFrom('app_names')
        .select('app')
        .where('kind', '=', kind)
        .where('name', '=', name)
        .executeTakeFirst()
      throw new Refusal('app-name-taken', `catalog: the ${kind} \`${name}\` is that of \`${other?.app}\``)
    }
  }
  return {
    records: transaction,
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
      const made = hasSecret(definition) ? makeSecret(id, keys) : undefined
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
      const before = await transaction
        .selectFrom('apps')
        .select(['secret', 'json'])
        .where('id', '=', id)
        .executeTakeFirst()
      if (!before) throw new Refusal('app-unknown', `catalog: no app \`${id}\``)
      const made = hasSecret(definition) && before.secret === null ? makeSecret(id, keys) : undefined
      await transaction
        .updateTable('apps')
        .set({
          json: JSON.stringify(definition),
          secret: hasSecret(definition) ? (made?.sealed ?? before.secret) : null,
          ...(made && { secret_shown: 0 }),
          ...(!hasSecret(definition) && { previous_secret: null, previous_until: null }),
          changed_at: clock.now(),
        })
        .where('id', '=', id)
        .execute()
      await forgetNames(id)
      await writeNames(definition)
      await tokensEnd(await withdrawn(JSON.parse(before.json) as Definition, definition))
      return made?.plain
    },
    async end(id, ended) {
      const now = clock.now()
      const before = (await tokensFrom(id)) ?? 0
      // what it gets from now on is good, in this second as well; what was on its way while it was ended is not
      const from = ended ? nextSecond(now, before) : Math.max(before, Math.floor(now / 1000) * 1000)
      await transaction
        .updateTable('apps')
        .set({ ended_at: ended ? now : null, tokens_from: from, changed_at: now })
        .where('id', '=', id)
        .execute()
      await tokensEnd({ client: id, ...(!ended && { at: from - 1000 }) })
    },
    async endTokens(id, by) {
      const now = clock.now()
      const before = await tokensFrom(id)
      if (before === undefined) return false
      await transaction
        .updateTable('apps')
        .set({ tokens_from: nextSecond(now, before), changed_at: now })
        .where('id', '=', id)
        .execute()
      await tokensEnd({ client: id }, by)
      return true
    },
    keepProbe: (id, probe) => writeProbe(transaction, id, probe),
    async remove(id) {
      await transaction.deleteFrom('app_probes').where('app', '=', id).execute()
      await forgetNames(id)
      const gone = await transaction.deleteFrom('apps').where('id', '=', id).returning('id').executeTakeFirst()
      if (gone) await tokensEnd({ client: id })
      return gone !== undefined
    },
    async newSecret(id, until) {
      const made = makeSecret(id, keys)
      await changeSecret(id, ({ ref }) => ({
        secret: made.sealed,
        secret_shown: 1,
        previous_secret: until === undefined ? null : ref('secret'),
        previous_until: until ?? null,
      }))
      // with an overlap it is no emergency, and what both secrets have got lives on
      if (until === undefined) await tokensEnd({ client: id })
      return made.plain
    },
    async endPrevious(id) {
      await changeSecret(id, () => ({ previous_secret: null, previous_until: null }))
      await tokensEnd({ client: id })
    },
  }
}
