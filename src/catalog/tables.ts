/** The tables of this room. */
import type { Instant } from '#core/clock'
import type { Migration } from '#storage'

export type AppRow = {
  id: string
  /** A `Definition`. */
  json: string
  secret: string | null
  created_at: Instant
  changed_at: Instant
}

export type Tables = {
  apps: AppRow
  /** One row. It changes in the same transaction as any app, so no process can miss that. */
  apps_version: { id: number; version: number }
}

export const catalogMigrations: readonly Migration[] = [
  {
    name: 'catalog-001-apps',
    async up(records) {
      await records.schema
        .createTable('apps')
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('json', 'text', (column) => column.notNull())
        .addColumn('secret', 'text')
        .addColumn('created_at', 'bigint', (column) => column.notNull())
        .addColumn('changed_at', 'bigint', (column) => column.notNull())
        .execute()
      await records.schema
        .createTable('apps_version')
        .addColumn('id', 'integer', (column) => column.primaryKey())
        .addColumn('version', 'bigint', (column) => column.notNull())
        .execute()
      await records.insertInto('apps_version').values({ id: 1, version: 0 }).execute()
    },
  },
]
