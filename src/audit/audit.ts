/**
 * Audit: what happened, in one closed vocabulary, and what is said to the operator's log. This room owns the table of
 * events and the one place where logs are cleaned of personal data.
 *
 * - `events.ts`    every event's name and what it means
 * - `trail.ts`     recording and searching
 * - `tables.ts`    the append-only table
 * - `log.ts`       pino as JSON lines
 * - `redaction.ts` what may leave the house in a log line
 *
 * INVARIANT: fields are opaque ids, codes and counts. What does not look like one is not stored and not printed.
 */
export { type AuditEvent, EVENTS } from './events.ts'
export { createLog, type LogLevel } from './log.ts'
export { auditMigrations } from './tables.ts'
export { type Audit, type AuditEntry, type AuditFields, type AuditFilter, createAudit } from './trail.ts'
