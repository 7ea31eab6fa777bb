/** The first migration of every storage: the tables of short-lived state. */
import { sql } from 'kysely'
import { inDialect } from './dialect.ts'
import type { Migration, Records } from './records.ts'

export const stateMigration: Migration = Object.freeze({
  name: 'storage-001-state',
  async up(records: Records) {
    const { schema } = records
    await schema
      .createTable('state')
      .addColumn('k', 'text', (c) => c.primaryKey().notNull())
      .addColumn('v', 'text', (c) => c.notNull())
      .addColumn('expires', 'integer')
      .addColumn('grp', 'text')
      .addColumn('alias', 'text')
      .execute()
    const index = (name: string, column: string) =>
      schema.createIndex(name).on('state').column(column).where(column, 'is not', null)
    await index('state_grp', 'grp').execute()
    await index('state_alias', 'alias').unique().execute()
    await index('state_expires', 'expires').execute()
    const members = schema
      .createTable('state_members')
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('member', 'text', (c) => c.notNull())
      .addColumn('expires', 'integer', (c) => c.notNull())
      .addPrimaryKeyConstraint('state_members_key', ['name', 'member'])
    await inDialect(records, { sqlite: members.modifyEnd(sql`without rowid`), postgres: members }).execute()
    await schema.createIndex('state_members_expires').on('state_members').column('expires').execute()
  },
})
