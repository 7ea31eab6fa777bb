/** Where signing keys are kept: the public half readable, the private half sealed, and erased once the key is gone. */
import { sql } from 'kysely'
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
      await sql
        .raw(`create table signing_keys (
          kid text primary key not null,
          alg text not null,
          generation integer not null,
          public_jwk text not null,
          private_sealed text,
          created_at integer not null,
          signs_from integer not null,
          retires_at integer,
          unique (alg, generation)
        )`)
        .execute(records)
    },
  } satisfies Migration,
])
