/** The tables of this room. */
import { type Migration, markWrites } from '#storage'

export type ApiRow = {
  id: string
  audience: string
  /** An `ApiDefinition`. */
  json: string
  changed_at: number
}

/** What a revocation is about. */
export type RevokedKind = 'token' | 'client' | 'key' | 'subject' | 'session' | 'grant'

export type RevocationRow = {
  kind: RevokedKind
  id: string
  at: number
  until: number
}

export type Tables = {
  apis: ApiRow
  token_revocations: RevocationRow
}

export const apisMigrations: readonly Migration[] = [
  {
    name: 'apis-001-apis',
    async up(records) {
      await records.schema
        .createTable('apis')
        .addColumn('id', 'text', (column) => column.primaryKey())
        // INVARIANT: two APIs never have the same one, else a token for one would open the other
        .addColumn('audience', 'text', (column) => column.notNull().unique())
        .addColumn('json', 'text', (column) => column.notNull())
        .addColumn('changed_at', 'bigint', (column) => column.notNull())
        .execute()
    },
  },
  {
    name: 'apis-002-revocations',
    async up(records) {
      await records.schema
        .createTable('token_revocations')
        .addColumn('kind', 'text', (column) => column.notNull())
        .addColumn('id', 'text', (column) => column.notNull())
        .addColumn('at', 'bigint', (column) => column.notNull())
        .addColumn('until', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('token_revocations_pk', ['kind', 'id'])
        .execute()
    },
  },
  {
    name: 'apis-003-marked',
    async up(records) {
      await markWrites(records, 'apis')
      await markWrites(records, 'token_revocations')
    },
  },
]
