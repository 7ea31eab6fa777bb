/**
 * How often a table was written, counted by the database itself: whoever has made something of the whole table then knows by one
 * number whether it still holds (`kept.ts`). For tables that are read with every request and written now and then: writers
 * of one table wait for each other.
 */
import { sql } from 'kysely'
import { inDialect } from './dialect.ts'
import type { Migration, Records } from './records.ts'

export const countedMigration: Migration = Object.freeze({
  name: 'storage-002-counted',
  async up(records: Records) {
    const statements = inDialect(records, {
      // it tells by itself whether anybody has written (`drivers/sqlite-kept.ts`)
      sqlite: [],
      postgres: [
        `create table counted (name text collate "C" primary key, version bigint not null)`,
        `create function count_write() returns trigger language plpgsql as
          $$ begin update counted set version = version + 1 where name = tg_table_name; return null; end $$`,
      ],
    })
    for (const statement of statements) await sql.raw(statement).execute(records)
  },
})

/** In a migration, of a table that is there. `table` is chosen by code. */
export async function countWrites(records: Records, table: string): Promise<void> {
  const statements = inDialect(records, {
    sqlite: [],
    postgres: [
      `insert into counted (name, version) values ('${table}', 0)`,
      `create trigger ${table}_counted after insert or update or delete or truncate on ${table}
        for each statement execute function count_write()`,
    ],
  })
  for (const statement of statements) await sql.raw(statement).execute(records)
}
