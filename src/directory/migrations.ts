/** How the tables of this room came to be, in order. */
import { sql } from 'kysely'
import type { Migration } from '#storage'
import { mergeMigrations } from './merging/tables.ts'
import { outageMigration } from './outage-tables.ts'
import { isAdministrators } from './person.ts'
import { searchMigration } from './search.ts'
import { syncGroupsMigration, syncMigration } from './sync-tables.ts'
import { LOCAL_SOURCE, type Tables } from './tables.ts'

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
  {
    name: 'directory-030-identities-refused',
    async up({ schema }) {
      await schema
        .createTable('identities_refused')
        .addColumn('directory', 'text', (c) => c.notNull())
        .addColumn('upstream_id', 'text', (c) => c.notNull())
        .addColumn('person_id', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('identities_refused_key', ['directory', 'upstream_id', 'person_id'])
        .execute()
    },
  },
  ...mergeMigrations,
  outageMigration,
  syncMigration,
  searchMigration,
  syncGroupsMigration,
])
