/** The tables of this room. */
import type { Migration } from '#storage'

export type ApiRow = {
  id: string
  audience: string
  /** An `ApiDefinition`. */
  json: string
  changed_at: number
}

export type Tables = {
  apis: ApiRow
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
]
