/** The tables of this room. */
import type { Instant } from '#core/clock'
import { type Migration, markWrites } from '#storage'

export type AppRow = {
  id: string
  /** A `Definition`. */
  json: string
  secret: string | null
  /** 0: `apps apply` made the secret and has not said yet that somebody saw it. */
  secret_shown: number
  /** The secret before this one, sealed like it, and until when it is taken too. */
  previous_secret: string | null
  previous_until: Instant | null
  created_at: Instant
  changed_at: Instant
  first_opened_at: Instant | null
  /** Of a partner's: somebody ended it then. */
  ended_at: Instant | null
  /** Tokens that were issued before are over. */
  tokens_from: Instant | null
}

/** By what an app is named outside: the entity id of SAML, the hosts behind a proxy. */
export type AppNameRow = {
  kind: string
  name: string
  app: string
}

/** The last probe of an app, for one of its protocols. */
export type AppProbeRow = {
  app: string
  protocol: string
  grade: string
  at: Instant
  report: string
}

export type Tables = {
  apps: AppRow
  app_probes: AppProbeRow
  app_names: AppNameRow
  /** One row. It changes in the same transaction as any app, so no process can miss that. */
  apps_version: { id: number; version: number }
  /** Tokens with which clients register themselves, by their SHA-256. */
  invitations: { hash: string; name: string; uses_left: number; ends_at: Instant }
  /** Those who have, with the SHA-256 of the token with which they manage what is registered. */
  registered_clients: { app: string; hash: string }
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
  {
    name: 'catalog-002-names',
    async up(records) {
      await records.schema
        .createTable('app_names')
        .addColumn('kind', 'text', (column) => column.notNull())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('app', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('app_names_key', ['kind', 'name'])
        .execute()
      await records.schema.createIndex('app_names_app').on('app_names').column('app').execute()
    },
  },
  {
    name: 'catalog-003-secret-shown',
    async up(records) {
      await records.schema
        .alterTable('apps')
        .addColumn('secret_shown', 'integer', (column) => column.notNull().defaultTo(1))
        .execute()
    },
  },
  {
    name: 'catalog-004-two-secrets',
    async up(records) {
      await records.schema.alterTable('apps').addColumn('previous_secret', 'text').execute()
      await records.schema.alterTable('apps').addColumn('previous_until', 'bigint').execute()
    },
  },
  {
    name: 'catalog-005-first-opened',
    async up(records) {
      await records.schema.alterTable('apps').addColumn('first_opened_at', 'bigint').execute()
    },
  },
  {
    name: 'catalog-006-probes',
    async up(records) {
      await records.schema
        .createTable('app_probes')
        .addColumn('app', 'text', (column) => column.notNull())
        .addColumn('protocol', 'text', (column) => column.notNull())
        .addColumn('grade', 'text', (column) => column.notNull())
        .addColumn('at', 'bigint', (column) => column.notNull())
        .addColumn('report', 'text', (column) => column.notNull())
        .addPrimaryKeyConstraint('app_probes_key', ['app', 'protocol'])
        .execute()
    },
  },
  {
    name: 'catalog-007-ended',
    async up(records) {
      await records.schema.alterTable('apps').addColumn('ended_at', 'bigint').execute()
      await records.schema.alterTable('apps').addColumn('tokens_from', 'bigint').execute()
    },
  },
  {
    name: 'catalog-008-registered-clients',
    async up(records) {
      await records.schema
        .createTable('invitations')
        .addColumn('hash', 'text', (column) => column.primaryKey())
        .addColumn('name', 'text', (column) => column.notNull())
        .addColumn('uses_left', 'integer', (column) => column.notNull())
        .addColumn('ends_at', 'bigint', (column) => column.notNull())
        .execute()
      await records.schema
        .createTable('registered_clients')
        .addColumn('app', 'text', (column) => column.primaryKey())
        .addColumn('hash', 'text', (column) => column.notNull())
        .execute()
    },
  },
  {
    name: 'catalog-009-marked',
    async up(records) {
      await markWrites(records, 'apps_version')
    },
  },
]
