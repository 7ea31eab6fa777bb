/** A table whose rows are added and never changed: the database itself refuses anything else. */
import { sql } from 'kysely'
import { inDialect } from './dialect.ts'
import type { Records } from './records.ts'

/** In a migration. What the database says to whoever tries it is `sentence`, which is chosen by code. */
export async function appendOnly(records: Records, table: string, sentence: string): Promise<void> {
  const statements = inDialect(records, {
    sqlite: [
      `create trigger ${table}_unchanged before update on ${table} begin select raise(abort, '${sentence}'); end`,
      `create trigger ${table}_kept before delete on ${table} begin select raise(abort, '${sentence}'); end`,
    ],
    postgres: [
      `create function ${table}_refuse() returns trigger language plpgsql as
        $$ begin raise exception '${sentence}' using errcode = 'integrity_constraint_violation'; end $$`,
      `create trigger ${table}_unchanged before update or delete on ${table}
        for each row execute function ${table}_refuse()`,
      `create trigger ${table}_kept before truncate on ${table}
        for each statement execute function ${table}_refuse()`,
    ],
  })
  for (const statement of statements) await sql.raw(statement).execute(records)
}
