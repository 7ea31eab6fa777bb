/**
 * Tables with a mark that each write replaces, by a trigger of the database: whoever has made something of the whole table then knows by
 * one mark whether it still holds (`kept.ts`). For tables that are read with every request and written now and then: writers
 * of one table wait for each other.
 *
 * The mark is random and no number: after a failover that has lost the last writes, a number would come again for others.
 */
import { sql } from 'kysely'
import { inDialect } from './dialect.ts'
import type { Migration, Records } from './records.ts'

export const markedMigration: Migration = Object.freeze({
  name: 'storage-002-marked',
  async up(records: Records) {
    const statements = inDialect(records, {
      // it tells by itself whether anybody has written (`drivers/sqlite-kept.ts`)
      sqlite: [],
      postgres: [
        `create table marked (name text collate "C" primary key, mark uuid not null)`,
        `create function mark_write() returns trigger language plpgsql as
          $$ begin update marked set mark = gen_random_uuid() where name = tg_table_name; return null; end $$`,
      ],
    })
    for (const statement of statements) await sql.raw(statement).execute(records)
  },
})

/** In a migration, of a table that is there. `table` is chosen by code. */
export async function markWrites(records: Records, table: string): Promise<void> {
  const statements = inDialect(records, {
    sqlite: [],
    postgres: [
      `insert into marked (name, mark) values ('${table}', gen_random_uuid())`,
      `create trigger ${table}_marked after insert or update or delete or truncate on ${table}
        for each statement execute function mark_write()`,
    ],
  })
  for (const statement of statements) await sql.raw(statement).execute(records)
}
