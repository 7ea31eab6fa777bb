/** The events of the trail as what is sealed. */
import type { Kysely, Selectable } from 'kysely'
import type { Records } from '#storage'
import type { AuditTables } from '../tables.ts'
import type { Ledger } from './ledger.ts'

type Row = Selectable<AuditTables['audit_events']>

/** The canonical text of an event. A column that comes later is appended, and only where it is not null. */
export const eventText = (row: Row): string =>
  JSON.stringify([
    ...[row.id, row.at, row.event, row.actor, row.subject, row.app, row.session, row.receipt],
    ...[row.factor, row.key_id, row.reason, row.count, row.device],
  ])

export function createEventLedger(records: Records): Ledger & { stored: typeof stored } {
  const db: Kysely<AuditTables> = records
  const stored = (after: number, through: number, limit: number): Promise<Row[]> =>
    db
      .selectFrom('audit_events')
      .selectAll()
      .where('id', '>', after)
      .where('id', '<=', through)
      .orderBy('id')
      .limit(limit)
      .execute()
  return {
    table: 'audit_events',
    personal: false,
    stored,
    rows: async (after, through, limit) =>
      (await stored(after, through, limit)).map((row) => ({ id: row.id, at: row.at, fixed: eventText(row) })),
  }
}
