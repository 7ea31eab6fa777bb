/** Recording what happened and finding it again. */
import type { Kysely, Selectable } from 'kysely'
import type { Clock, Instant } from '#core/clock'
import type { Log } from '#core/log'
import type { Records, Storage } from '#storage'
import { type AuditEvent, EVENTS } from './events.ts'
import { idOnly } from './redaction.ts'
import type { AuditTables } from './tables.ts'

export interface AuditFields {
  /** Who did it: a person's id, a client id, `cli` or `system`. */
  readonly actor?: string | undefined
  /** The person it was done to. */
  readonly subject?: string | undefined
  readonly app?: string | undefined
  readonly session?: string | undefined
  /** An enrolled device. */
  readonly device?: string | undefined
  /** The reference of the decision behind it. */
  readonly receipt?: string | undefined
  readonly factor?: string | undefined
  /** A signing key's id. */
  readonly key?: string | undefined
  /** A code that says why, or a version. */
  readonly reason?: string | undefined
  readonly count?: number | undefined
}

export interface AuditEntry extends AuditFields {
  readonly id: number
  readonly at: Instant
  readonly event: AuditEvent
}

export interface AuditFilter {
  readonly actor?: string | undefined
  /** Of several: any of them. */
  readonly subject?: string | readonly string[] | undefined
  readonly app?: string | undefined
  readonly device?: string | undefined
  readonly event?: AuditEvent | undefined
  readonly receipt?: string | undefined
  /** Inclusive. */
  readonly since?: Instant | undefined
  /** Exclusive. */
  readonly until?: Instant | undefined
  /** Only entries with a smaller id: the last id of the page before. */
  readonly before?: number | undefined
  /** 1 to 1000; 100 by default. */
  readonly limit?: number | undefined
}

export interface Audit {
  /**
   * Adds one event to the trail and to the log. Durable when it resolves. A value that does not look like an id or a code
   * (blanks, `@`, over 200 characters) is replaced by `(unfit)`. Throws `Refusal('storage-unavailable')`.
   * `transaction`: the event is part of it, and durable when that is.
   */
  record(event: AuditEvent, fields: AuditFields, transaction?: Records): Promise<void>
  /** The newest first. */
  search(filter: AuditFilter): Promise<AuditEntry[]>
}

const MOST = 1000
const TEXTS = ['actor', 'subject', 'app', 'session', 'receipt', 'factor', 'key', 'reason', 'device'] as const

export function createAudit({ storage, clock, log }: { storage: Storage; clock: Clock; log: Log }): Audit {
  const db: Kysely<AuditTables> = storage.records
  const values = (event: string, at: Instant, texts: readonly (string | null)[], count: number | null) => ({
    at,
    event,
    ...Object.fromEntries(TEXTS.map((name, place) => [name === 'key' ? 'key_id' : name, texts[place] ?? null])),
    count,
  })
  // compiled once; the parameters follow in the order of `values`
  const compiled = db
    .insertInto('audit_events')
    .values(values('', 0, [], null))
    .returning('id')
    .compile()
  const insert = storage.prepare(compiled)
  return Object.freeze({
    async record(event: AuditEvent, fields: AuditFields, transaction?: Records) {
      if (!Object.hasOwn(EVENTS, event)) throw new Error(`${event} is no audit event`)
      const texts = TEXTS.map((name) => (fields[name] === undefined ? null : idOnly(fields[name])))
      const count = fields.count ?? null
      const at = clock.now()
      const parameters = [at, event, ...texts, count]
      const { rows } = transaction
        ? await transaction.executeQuery<{ id: number }>({ ...compiled, parameters })
        : await insert(parameters)
      const said: Record<string, string | number> = { audit: rows[0]!.id }
      TEXTS.forEach((name, at) => {
        if (texts[at] !== null) said[name] = texts[at]!
      })
      if (count !== null) said['count'] = count
      log.info(event, said)
    },

    async search(filter: AuditFilter) {
      let query = db.selectFrom('audit_events').selectAll()
      for (const name of ['actor', 'subject', 'app', 'device', 'event', 'receipt'] as const) {
        const wanted = filter[name]
        if (wanted !== undefined) query = query.where(name, 'in', [wanted].flat())
      }
      if (filter.since !== undefined) query = query.where('at', '>=', filter.since)
      if (filter.until !== undefined) query = query.where('at', '<', filter.until)
      if (filter.before !== undefined) query = query.where('id', '<', filter.before)
      const limit = Math.min(Math.max(1, Math.trunc(filter.limit ?? 100)), MOST)
      const rows = await query.orderBy('id', 'desc').limit(limit).execute()
      return rows.map(entry)
    },
  })
}

function entry(row: Selectable<AuditTables['audit_events']>): AuditEntry {
  const { id, at, event, key_id: key, ...rest } = row
  const present = Object.entries({ ...rest, key }).filter(([, value]) => value !== null)
  return { id, at, event: event as AuditEvent, ...Object.fromEntries(present) }
}
