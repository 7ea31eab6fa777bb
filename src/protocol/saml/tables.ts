/** The durable tables of this room: our keys towards apps, and the one secret that persistent names are made with. */
import type { Migration } from '#storage'

export type SamlTables = {
  saml_keys: {
    /** SHA-256 of the certificate, in hex: what administrators compare. */
    id: string
    generation: number
    /** PEM. */
    certificate: string
    /** Null once the key is gone. */
    private_sealed: string | null
    created_at: number
    signs_from: number
    retires_at: number | null
  }
  saml_secrets: {
    name: string
    sealed: string
    created_at: number
  }
}

export const samlMigrations: readonly Migration[] = Object.freeze([
  {
    name: 'saml-001-keys',
    async up({ schema }) {
      await schema
        .createTable('saml_keys')
        .addColumn('id', 'text', (c) => c.primaryKey())
        .addColumn('generation', 'integer', (c) => c.notNull().unique())
        .addColumn('certificate', 'text', (c) => c.notNull())
        .addColumn('private_sealed', 'text')
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .addColumn('signs_from', 'bigint', (c) => c.notNull())
        .addColumn('retires_at', 'bigint')
        .execute()
      await schema
        .createTable('saml_secrets')
        .addColumn('name', 'text', (c) => c.primaryKey())
        .addColumn('sealed', 'text', (c) => c.notNull())
        .addColumn('created_at', 'bigint', (c) => c.notNull())
        .execute()
    },
  },
])
