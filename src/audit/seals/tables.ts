/** Where seals are kept. They are only added; what says which rows are where in a seal goes when the rows have gone. */
import { sql } from 'kysely'
import { appendOnly, inDialect, type Migration, type Records } from '#storage'
import type { Mark, SignedSeal } from './seal.ts'

export type SealTables = {
  audit_seals: { [Column in keyof SignedSeal]: SignedSeal[Column] }
  /** The leaves of a seal's rows, in their order. */
  audit_leaves: { seal: number; events: string; receipts: string }
  audit_marks: { [Column in keyof Mark]: Mark[Column] } & { signature: string }
}

const NUMBERS = ['at', 'last_event', 'last_receipt', 'events', 'receipts', 'latest'] as const
const TEXTS = ['previous', 'events_hash', 'receipts_hash', 'signature'] as const

export const sealsMigration: Migration = {
  name: 'audit-003-seals',
  async up(records) {
    const { schema } = records
    const seals = schema.createTable('audit_seals').addColumn('number', 'integer', (c) => c.primaryKey().notNull())
    const numbered = NUMBERS.reduce((made, name) => made.addColumn(name, 'integer', (c) => c.notNull()), seals)
    await TEXTS.reduce((made, name) => made.addColumn(name, 'text', (c) => c.notNull()), numbered).execute()
    await appendOnly(records, 'audit_seals', 'seals of the audit trail are append-only')
    await schema
      .createTable('audit_leaves')
      .addColumn('seal', 'integer', (c) => c.primaryKey().notNull())
      .addColumn('events', 'text', (c) => c.notNull())
      .addColumn('receipts', 'text', (c) => c.notNull())
      .execute()
    await schema
      .createTable('audit_marks')
      .addColumn('name', 'text', (c) => c.primaryKey().notNull())
      .addColumn('seal', 'integer', (c) => c.notNull())
      .addColumn('hash', 'text', (c) => c.notNull())
      .addColumn('at', 'integer', (c) => c.notNull())
      .addColumn('signature', 'text', (c) => c.notNull())
      .execute()
    await letMarkedGo(records)
  },
}

/** Events that a mark says may be gone can be removed, and no others. */
async function letMarkedGo(records: Records): Promise<void> {
  const sentence = 'the audit trail is append-only'
  const marked = `coalesce((select max(s.last_event) from audit_marks m join audit_seals s on s.number = m.seal
    where m.name = 'events'), 0)`
  const statements = inDialect(records, {
    sqlite: [
      'drop trigger audit_events_kept',
      `create trigger audit_events_kept before delete on audit_events when old.id > ${marked}
        begin select raise(abort, '${sentence}'); end`,
    ],
    postgres: [
      `create or replace function audit_events_refuse() returns trigger language plpgsql as $$ begin
        if tg_op = 'DELETE' then
          if old.id <= ${marked} then return old; end if;
        end if;
        raise exception '${sentence}' using errcode = 'integrity_constraint_violation'; end $$`,
    ],
  })
  for (const statement of statements) await sql.raw(statement).execute(records)
}
