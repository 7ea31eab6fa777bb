/** Where signing keys are kept: the public half readable, the private half sealed, and erased once the key is gone. */
import type { Migration } from '#storage'

export type KeysTables = {
  /** Two at most: that of the master key in use, and that of the one it is being changed to. */
  key_roots: {
    slot: number
    /** The name of the master key that opens it. */
    master_key: string
    root_sealed: string
    created_at: number
  }
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
  {
    name: 'keys-002-roots',
    async up(records) {
      await records.schema
        .createTable('key_roots')
        .addColumn('slot', 'integer', (c) => c.primaryKey().notNull())
        .addColumn('master_key', 'text', (c) => c.notNull())
        .addColumn('root_sealed', 'text', (c) => c.notNull())
        .addColumn('created_at', 'integer', (c) => c.notNull())
        .execute()
    },
  } satisfies Migration,
])
