/** Where signing keys are kept: the public half readable, the private half sealed, and erased once the key is gone. */
import type { Migration } from '#storage'

export type KeysTables = {
  signing_keys: {
    kid: string
    alg: string
    generation: number
    public_jwk: string
    /** Null once the key is gone. */
    private_sealed: string | null
    created_at: number
    signs_from: number
    retires_at: number | null
  }
}

export const keysMigrations: readonly Migration[] = Object.freeze([
  {
    name: 'keys-001-signing',
    async up(records) {
      await records.schema
        .createTable('signing_keys')
        .addColumn('kid', 'text', (c) => c.primaryKey().notNull())
        .addColumn('alg', 'text', (c) => c.notNull())
        .addColumn('generation', 'integer', (c) => c.notNull())
        .addColumn('public_jwk', 'text', (c) => c.notNull())
        .addColumn('private_sealed', 'text')
        .addColumn('created_at', 'integer', (c) => c.notNull())
        .addColumn('signs_from', 'integer', (c) => c.notNull())
        .addColumn('retires_at', 'integer')
        .addUniqueConstraint('signing_keys_generation', ['alg', 'generation'])
        .execute()
    },
  } satisfies Migration,
])
