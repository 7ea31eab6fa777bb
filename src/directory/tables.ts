/** The tables of this room (type aliases, because Kysely wants index signatures and interfaces have none). */
import { sql } from 'kysely'
import type { Migration } from '#storage'
import { type MergesTable, mergeMigrations } from './merging/tables.ts'
import { type OutageTables, outageMigration } from './outage-tables.ts'
import { isAdministrators } from './person.ts'

export type PeopleTable = {
  readonly id: string
  readonly directory: string
  readonly username: string
  /** `usernameKey(username)`; for an upstream person whose name somebody else has now, the key, a 0x1F and the id. */
  readonly username_key: string
  /** What the upstream calls this entry for ever (entryUUID); null for local people. */
  readonly upstream_id: string | null
  readonly name: string
  readonly given_name: string | null
  readonly family_name: string | null
  readonly mail: string | null
  readonly mail_verified: number
  readonly organisation: string | null
  readonly language: string | null
  readonly disabled: number
  /** JSON: name to list of texts. */
  readonly attributes: string
  /** JSON list, sorted, over all sources: what `memberships` says, kept by the same transaction. Null is unknown. */
  readonly groups: string | null
  /** Whether the person's own directory has ever told the groups. */
  readonly groups_known: number
  /** When it did for the last time. */
  readonly groups_at: number | null
  /** 1 where their own directory says so; `disabled` is what was said here. */
  readonly upstream_disabled: number
  /** JSON, like `attributes`: what their own directory says; it wins over what was given here under the same name. */
  readonly upstream_attributes: string
  readonly created_at: number
  readonly changed_at: number
}

export type MembershipsTable = {
  readonly person_id: string
  readonly group_name: string
  /** `LOCAL_SOURCE`, or the id of the upstream that says so: what one source says never deletes what another says. */
  readonly source: string
}

export type PasswordsTable = {
  readonly person_id: string
  /** PHC string format: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. */
  readonly phc: string
  readonly set_at: number
}

/** What another directory knows a person by who is at home elsewhere. */
export type IdentitiesTable = {
  readonly directory: string
  readonly upstream_id: string
  readonly person_id: string
  readonly linked_at: number
  readonly linked_by: string
}

/** Our keys towards providers that want one of their own. */
export type ProviderKeysTable = {
  readonly directory: string
  /** PKCS #8 in PEM, sealed. */
  readonly private_sealed: string
  readonly certificate: string
  readonly created_at: number
}

export type Tables = OutageTables & {
  people: PeopleTable
  identities: IdentitiesTable
  provider_keys: ProviderKeysTable
  memberships: MembershipsTable
  passwords: PasswordsTable
  merges: MergesTable
}

/** The source of memberships that were given here, not by an upstream. No directory can have this id. */
export const LOCAL_SOURCE = '@here'

export const directoryMigrations: readonly Migration[] = Object.freeze([
  {
    name: 'directory-001-people',
    async up(records) {
      const { schema } = records
      await schema
        .createTable('people')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('directory', 'text', (c) => c.notNull())
        .addColumn('username', 'text', (c) => c.notNull())
        .addColumn('username_key', 'text', (c) => c.notNull())
        .addColumn('upstream_id', 'text')
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('given_name', 'text')
        .addColumn('family_name', 'text')
        .addColumn('mail', 'text')
        .addColumn('mail_verified', 'integer', (c) => c.notNull())
        .addColumn('organisation', 'text')
        .addColumn('language', 'text')
        .addColumn('disabled', 'integer', (c) => c.notNull())
        .addColumn('attributes', 'text', (c) => c.notNull())
        .addColumn('groups', 'text')
        .addColumn('groups_known', 'integer', (c) => c.notNull())
        .addColumn('groups_at', 'bigint')
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('changed_at', 'bigint', (c) => c.notNull())
        .execute()
      await schema.createIndex('people_username').on('people').columns(['username_key', 'directory']).unique().execute()
      await schema
        .createIndex('people_upstream')
        .on('people')
        .columns(['directory', 'upstream_id'])
        .unique()
        .where(sql.ref('upstream_id'), 'is not', null)
        .execute()
      await schema
        .createTable('memberships')
        .addColumn('person_id', 'text', (c) => c.notNull())
        .addColumn('group_name', 'text', (c) => c.notNull())
        .addColumn('source', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('memberships_key', ['person_id', 'group_name', 'source'])
        .execute()
      await schema.createIndex('memberships_group').on('memberships').columns(['group_name', 'person_id']).execute()
      await schema
        .createTable('passwords')
        .addColumn('person_id', 'text', (c) => c.primaryKey())
        .addColumn('phc', 'text', (c) => c.notNull())
        .addColumn('set_at', 'bigint', (c) => c.notNull())
        .execute()
    },
  },
  {
    // who was mirrored before directories stopped to make administrators is none from the start, not from a next refresh
    name: 'directory-002-administrators-from-here',
    async up(records) {
      const db = records.withTables<Tables>()
      const others = db.selectFrom('memberships').where('source', '!=', LOCAL_SOURCE)
      const names = (await others.select('group_name').distinct().execute())
        .map((row) => row.group_name)
        .filter(isAdministrators)
      if (names.length === 0) return
      const people = await others.select('person_id').distinct().where('group_name', 'in', names).execute()
      await db.deleteFrom('memberships').where('source', '!=', LOCAL_SOURCE).where('group_name', 'in', names).execute()
      for (const { person_id: id } of people) {
        const left = await db.selectFrom('memberships').select('group_name').where('person_id', '=', id).execute()
        const groups = JSON.stringify([...new Set(left.map((row) => row.group_name))].sort())
        await db.updateTable('people').set({ groups }).where('id', '=', id).where('groups_known', '=', 1).execute()
      }
    },
  },
  {
    name: 'directory-003-identities',
    async up({ schema }) {
      await schema
        .createTable('identities')
        .addColumn('directory', 'text', (c) => c.notNull())
        .addColumn('upstream_id', 'text', (c) => c.notNull())
        .addColumn('person_id', 'text', (c) => c.notNull())
        .addColumn('linked_at', 'bigint', (c) => c.notNull())
        .addColumn('linked_by', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('identities_key', ['directory', 'upstream_id'])
        .execute()
      // one of each directory, whoever links at the same time
      await schema
        .createIndex('identities_person')
        .on('identities')
        .columns(['person_id', 'directory'])
        .unique()
        .execute()
      await schema.createIndex('people_mail').on('people').expression(sql`lower(mail)`).execute()
    },
  },
  {
    name: 'directory-010-told-by-directories',
    async up({ schema }) {
      await schema
        .alterTable('people')
        .addColumn('upstream_disabled', 'integer', (c) => c.notNull().defaultTo(0))
        .execute()
      await schema
        .alterTable('people')
        .addColumn('upstream_attributes', 'text', (c) => c.notNull().defaultTo('{}'))
        .execute()
    },
  },
  {
    name: 'directory-020-provider-keys',
    async up({ schema }) {
      await schema
        .createTable('provider_keys')
        .addColumn('directory', 'text', (c) => c.primaryKey())
        .addColumn('private_sealed', 'text', (c) => c.notNull())
        .addColumn('certificate', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .execute()
    },
  },
  ...mergeMigrations,
  outageMigration,
])
