/** The trail's table. Rows are added and never changed; the database itself refuses anything else. */
import type { Generated } from 'kysely'
import { appendOnly, type Migration } from '#storage'
import { sealsMigration } from './seals/tables.ts'

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

const TEXTS = ['actor', 'subject', 'app', 'session', 'receipt', 'factor', 'key_id', 'reason'] as const

export const auditMigrations: readonly Migration[] = Object.freeze([
  {
    name: 'audit-001-events',
    async up(records) {
      const { schema } = records
      const table = schema
        .createTable('audit_events')
        .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
        .addColumn('at', 'integer', (c) => c.notNull())
        .addColumn('event', 'text', (c) => c.notNull())
      const texts = TEXTS.reduce((made, name) => made.addColumn(name, 'text'), table)
      await texts.addColumn('count', 'integer').execute()
      for (const name of ['at', 'event'])
        await schema.createIndex(`audit_events_${name}`).on('audit_events').column(name).execute()
      for (const name of ['actor', 'subject', 'app', 'receipt'])
        await schema
          .createIndex(`audit_events_${name}`)
          .on('audit_events')
          .column(name)
          .where(name, 'is not', null)
          .execute()
      await appendOnly(records, 'audit_events', 'the audit trail is append-only')
    },
  } satisfies Migration,
  {
    name: 'audit-002-devices',
    async up(records) {
      await records.schema.alterTable('audit_events').addColumn('device', 'text').execute()
      await records.schema
        .createIndex('audit_events_device')
        .on('audit_events')
        .column('device')
        .where('device', 'is not', null)
        .execute()
    },
  } satisfies Migration,
  sealsMigration,
])
