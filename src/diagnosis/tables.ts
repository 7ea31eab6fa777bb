/** The table of this room: of each app and cause the last failure, and how often since when. */
import type { Instant } from '#core/clock'
import type { Migration } from '#storage'

export type FailureRow = {
  app: string
  cause: string
  stage: string
  /** 1 where it is a guess. */
  likely: number
  /** The sentences as they were said then. */
  said: string
  /** A list, as JSON. */
  fix: string
  reference: string
  count: number
  first_at: Instant
  last_at: Instant
  /** Of the first success after it; null as long as there was none. */
  mended_at: Instant | null
}

export type Tables = { app_failures: FailureRow }

export const diagnosisMigrations: readonly Migration[] = Object.freeze([
  {
    name: 'diagnosis-001-failures',
    async up({ schema }) {
      await schema
        .createTable('app_failures')
        .addColumn('app', 'text', (column) => column.notNull())
        .addColumn('cause', 'text', (column) => column.notNull())
        .addColumn('stage', 'text', (column) => column.notNull())
        .addColumn('likely', 'integer', (column) => column.notNull())
        .addColumn('said', 'text', (column) => column.notNull())
        .addColumn('fix', 'text', (column) => column.notNull())
        .addColumn('reference', 'text', (column) => column.notNull())
        .addColumn('count', 'bigint', (column) => column.notNull())
        .addColumn('first_at', 'bigint', (column) => column.notNull())
        .addColumn('last_at', 'bigint', (column) => column.notNull())
        .addColumn('mended_at', 'bigint')
        .addPrimaryKeyConstraint('app_failures_key', ['app', 'cause'])
        .execute()
      await schema.createIndex('app_failures_reference').on('app_failures').column('reference').execute()
    },
  },
])
