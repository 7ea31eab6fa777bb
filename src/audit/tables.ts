/** The trail's table. Rows are added and never changed; the database itself refuses anything else. */
import { type Generated, sql } from 'kysely'
import type { Migration } from '#storage'

export type AuditTables = {
  audit_events: {
    /** Counts up over all processes and is never used twice: the cursor of a search. */
    id: Generated<number>
    at: number
    event: string
    actor: string | null
    subject: string | null
    app: string | null
    session: string | null
    receipt: string | null
    factor: string | null
    key_id: string | null
    reason: string | null
    count: number | null
    device: string | null
  }
}

const STATEMENTS = [
  `create table audit_events (
    id integer primary key autoincrement,
    at integer not null,
    event text not null,
    actor text,
    subject text,
    app text,
    session text,
    receipt text,
    factor text,
    key_id text,
    reason text,
    count integer
  )`,
  'create index audit_events_at on audit_events (at)',
  'create index audit_events_event on audit_events (event)',
  'create index audit_events_actor on audit_events (actor) where actor is not null',
  'create index audit_events_subject on audit_events (subject) where subject is not null',
  'create index audit_events_app on audit_events (app) where app is not null',
  'create index audit_events_receipt on audit_events (receipt) where receipt is not null',
  `create trigger audit_events_unchanged before update on audit_events
    begin select raise(abort, 'the audit trail is append-only'); end`,
  `create trigger audit_events_kept before delete on audit_events
    begin select raise(abort, 'the audit trail is append-only'); end`,
]

export const auditMigrations: readonly Migration[] = Object.freeze([
  {
    name: 'audit-001-events',
    async up(records) {
      for (const statement of STATEMENTS) await sql.raw(statement).execute(records)
    },
  } satisfies Migration,
  {
    name: 'audit-002-devices',
    async up(records) {
      await sql`alter table audit_events add column device text`.execute(records)
      await sql`create index audit_events_device on audit_events (device) where device is not null`.execute(records)
    },
  } satisfies Migration,
])
