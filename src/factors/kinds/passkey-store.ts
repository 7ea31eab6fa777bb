/** The table of passkeys, and the statements that decide something by themselves. */
import type { Kysely } from 'kysely'
import type { Instant } from '#core/clock'
import type { Migration, Records, Storage } from '#storage'

export type PasskeyRow = {
  id: string
  person_id: string
  /** As the authenticator calls it: base64url, canonical. */
  credential_id: string
  /** COSE key, base64url. */
  public_key: string
  counter: number
  /** JSON list. */
  transports: string
  device_type: 'singleDevice' | 'multiDevice'
  backed_up: number
  aaguid: string
  label: string
  created_at: number
  last_used_at: number | null
  /** Whom it was made for, where that is an earlier id of the person: the authenticator knows no other. */
  made_for: string | null
}

type Tables = { factor_passkeys: PasskeyRow }

export function createPasskeyStore(storage: Storage) {
  const db: Kysely<Tables> = storage.records.withTables<Tables>()

  return Object.freeze({
    ofPerson: (personId: string): Promise<PasskeyRow[]> =>
      db.selectFrom('factor_passkeys').selectAll().where('person_id', '=', personId).orderBy('created_at').execute(),

    byCredential: (credentialId: string): Promise<PasskeyRow | undefined> =>
      db.selectFrom('factor_passkeys').selectAll().where('credential_id', '=', credentialId).executeTakeFirst(),

    /** False when a credential of this name is there already. */
    async add(row: PasskeyRow): Promise<boolean> {
      const added = await db
        .insertInto('factor_passkeys')
        .values(row)
        .onConflict((c) => c.column('credential_id').doNothing())
        .returning('id')
        .executeTakeFirst()
      return added !== undefined
    },

    /**
     * Takes note of a use. INVARIANT: false unless the counter went up, or the authenticator has none and it is 0 as
     * ever; one statement, so that a copy of the key cannot slip in beside the original.
     */
    async use(id: string, used: { counter: number; backedUp: boolean; now: Instant }): Promise<boolean> {
      const { counter, backedUp, now } = used
      const noted = await db
        .updateTable('factor_passkeys')
        .set({ counter, backed_up: backedUp ? 1 : 0, last_used_at: now })
        .where('id', '=', id)
        .where((e) => (counter === 0 ? e('counter', '=', 0) : e('counter', '<', counter)))
        .returning('id')
        .executeTakeFirst()
      return noted !== undefined
    },

    async remove(personId: string, id: string, keepOne: boolean): Promise<'removed' | 'kept' | 'absent'> {
      const mine = await db
        .selectFrom('factor_passkeys')
        .select('id')
        .where('person_id', '=', personId)
        .where('id', '=', id)
        .executeTakeFirst()
      if (!mine) return 'absent'
      let gone = db.deleteFrom('factor_passkeys').where('person_id', '=', personId).where('id', '=', id)
      if (keepOne) {
        // one statement: two tabs that each remove one of the last two must not both succeed
        gone = gone.where((e) =>
          e(
            e
              .selectFrom('factor_passkeys as all')
              .select((count) => count.fn.countAll<number>().as('count'))
              .where('all.person_id', '=', personId),
            '>',
            1,
          ),
        )
      }
      return (await gone.returning('id').executeTakeFirst()) ? 'removed' : keepOne ? 'kept' : 'absent'
    },

    /** The authenticator goes on naming whom it was made for. */
    async move(from: string, into: string, on: Records): Promise<number> {
      const tables: Kysely<Tables> = on
      await tables
        .updateTable('factor_passkeys')
        .set((e) => ({ person_id: into, made_for: e.fn.coalesce('made_for', e.val(from)) }))
        .where('person_id', '=', from)
        .execute()
      return 0
    },

    async removeAll(personId: string): Promise<number> {
      return (await db.deleteFrom('factor_passkeys').where('person_id', '=', personId).returning('id').execute()).length
    },
  })
}

export const passkeyMigrations: readonly Migration[] = Object.freeze([
  {
    name: 'factors-001-passkeys',
    async up(records) {
      await records.schema
        .createTable('factor_passkeys')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('person_id', 'text', (c) => c.notNull())
        .addColumn('credential_id', 'text', (c) => c.notNull().unique())
        .addColumn('public_key', 'text', (c) => c.notNull())
        .addColumn('counter', 'bigint', (c) => c.notNull())
        .addColumn('transports', 'text', (c) => c.notNull())
        .addColumn('device_type', 'text', (c) => c.notNull())
        .addColumn('backed_up', 'integer', (c) => c.notNull())
        .addColumn('aaguid', 'text', (c) => c.notNull())
        .addColumn('label', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('last_used_at', 'bigint')
        .execute()
      await records.schema.createIndex('factor_passkeys_person').on('factor_passkeys').column('person_id').execute()
    },
  },
  {
    name: 'factors-004-passkeys-of-earlier-ids',
    async up({ schema }) {
      await schema.alterTable('factor_passkeys').addColumn('made_for', 'text').execute()
    },
  },
])
