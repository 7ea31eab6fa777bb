/** The probe's own keys, sealed. Reports are kept with the app, by the catalog. */
import type { Instant } from '#core/clock'
import type { Migration } from '#storage'

export type Tables = {
  probe_keys: {
    alg: string
    sealed: string
    /** PEM, of the RSA key. */
    certificate: string | null
    created_at: Instant
  }
}

export const probeMigrations: readonly Migration[] = [
  {
    name: 'probe-001-keys',
    async up(records) {
      await records.schema
        .createTable('probe_keys')
        .addColumn('alg', 'text', (column) => column.primaryKey())
        .addColumn('sealed', 'text', (column) => column.notNull())
        .addColumn('certificate', 'text')
        .addColumn('created_at', 'bigint', (column) => column.notNull())
        .execute()
    },
  },
]
