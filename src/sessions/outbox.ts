/** Sign-outs that apps have yet to hear of: written down before anything is sent, tried until somebody takes them. */
import type { Kysely } from 'kysely'
import type { Audit } from '#audit'
import { type Clock, hours, type Instant, type Millis, minutes, seconds, stopwatch } from '#core/clock'
import type { Log } from '#core/log'
import { randomId } from '#core/random'
import { inDialect, type Storage, settled } from '#storage'
import type { Session } from './record.ts'
import { forgetOutcome, noteOutcome } from './sign-out-outcome.ts'
import type { LogoutOutboxTable, Tables } from './tables.ts'

export interface LogoutRow {
  readonly app: string
  /** The person's id. */
  readonly subject: string
  /** The session id as the app knows it; absent where all sessions of the person have ended. */
  readonly sid?: string
  readonly event: LogoutEvent
  /** Our own id of the session. */
  readonly session: string
  /** What the sender has to know besides. */
  readonly known?: string
}

export const LOGOUT_EVENTS = ['backchannel-logout', 'saml-logout'] as const
export type LogoutEvent = (typeof LOGOUT_EVENTS)[number]

/** `retry`: the app could not be reached or said 5xx. `give-up`: it will never take this one. */
export type Delivery = 'done' | 'retry' | 'give-up'

export type Senders = Readonly<Partial<Record<LogoutEvent, (row: LogoutRow) => Promise<Delivery>>>>

export interface Outbox {
  /** The rows are kept when this resolves. A row that already waits is not written twice. */
  add(rows: readonly LogoutRow[]): Promise<void>
  /**
   * Sends everything that is due by the sender of its event and answers how many were taken. Any number of processes may call it at the same time.
   * `send` must answer within a minute, after that another process may send the same row. A `send` that throws is a
   * `retry`. With `of` only what that session's end, or the end of all of its person, has to say.
   */
  deliver(senders: Senders, of?: Pick<Session, 'id' | 'personId'>): Promise<number>
  pending(): Promise<number>
  /** Since when the one waits that has waited longest. */
  oldest(): Promise<Instant | undefined>
}

/** How long after the first try comes the second, and so on; the last one repeats. */
export const RETRY_AFTER: readonly Millis[] = Object.freeze([seconds(30), minutes(2), minutes(10), hours(1), hours(6)])
export const GIVE_UP_AFTER: Millis = hours(24)

const ALL = ''
const LEASE = minutes(2)
const SENDERS = 8

export function openOutbox({
  storage,
  clock,
  log,
  audit,
}: {
  storage: Storage
  clock: Clock
  log: Log
  audit: Audit
}): Outbox {
  const db: Kysely<Tables> = storage.records.withTables<Tables>()

  /** One row that is due, leased to this caller by one statement. */
  async function claim(of?: Pick<Session, 'id' | 'personId'>): Promise<LogoutOutboxTable | undefined> {
    const now = clock.now()
    const all = db.selectFrom('logout_outbox').select('id').where('next_at', '<=', now).where('leased_until', '<=', now)
    const due = of
      ? all.where((e) => e.or([e('session', '=', of.id), e.and([e('subject', '=', of.personId), e('sid', '=', ALL)])]))
      : all
    const first = due.orderBy('next_at').limit(1)
    // several ask at the same moment: whoever does not get this row shall have the next one, not go away
    const free = inDialect(storage.records, { sqlite: first, postgres: first.forUpdate().skipLocked() })
    return (
      db
        .updateTable('logout_outbox')
        .set((e) => ({ lease: randomId(), leased_until: now + LEASE, tries: e('tries', '+', 1) }))
        .where('id', 'in', free)
        // said again: where two statements chose the same row, the second looks at it once more before it writes
        .where('leased_until', '<=', now)
        .returningAll()
        .executeTakeFirst()
    )
  }

  const remove = (row: LogoutOutboxTable) => db.deleteFrom('logout_outbox').where('id', '=', row.id).execute()

  async function later(row: LogoutOutboxTable): Promise<void> {
    const now = clock.now()
    const wait = RETRY_AFTER[Math.min(Number(row.tries), RETRY_AFTER.length) - 1]!
    await db
      .updateTable('logout_outbox')
      .set({ next_at: Math.min(now + wait, Number(row.created_at) + GIVE_UP_AFTER), lease: null, leased_until: 0 })
      .where('id', '=', row.id)
      .where('lease', '=', row.lease)
      .execute()
    // ATTACK: an app that hangs would keep all senders waiting, row after row. Its other rows wait a little as well.
    await db
      .updateTable('logout_outbox')
      .set({ next_at: now + RETRY_AFTER[0]! })
      .where('app', '=', row.app)
      .where('next_at', '<=', now)
      .where('leased_until', '<=', now)
      .execute()
  }

  const aboutWhat = ({ sid, subject, session }: Pick<LogoutOutboxTable, 'sid' | 'subject' | 'session'>): string =>
    sid === ALL ? subject : session

  async function settle(row: LogoutOutboxTable, outcome: Delivery): Promise<void> {
    const about = { actor: 'system', subject: row.subject, app: row.app, count: Number(row.tries) }
    const old = clock.now() >= Number(row.created_at) + GIVE_UP_AFTER
    const said = outcome === 'done' ? 'confirmed' : outcome === 'give-up' || old ? 'refused' : 'trying'
    await noteOutcome(storage.state, aboutWhat(row), row.app, said)
    if (outcome === 'done') {
      await remove(row)
      await audit.record('logout-delivered', about)
    } else if (outcome === 'give-up' || old) {
      await remove(row)
      log.warn('logout-given-up', { app: row.app, tries: Number(row.tries) })
      await audit.record('logout-given-up', { ...about, reason: outcome === 'give-up' ? 'refused' : 'unreachable' })
    } else await later(row)
  }

  return Object.freeze({
    async add(rows: readonly LogoutRow[]) {
      const now = clock.now()
      if (rows.length === 0) return
      // what an app said to an earlier end of everything says nothing about this one
      for (const { app, subject, sid } of rows) if (sid === undefined) await forgetOutcome(storage.state, subject, app)
      await db
        .insertInto('logout_outbox')
        .values(
          rows.map(({ app, subject, sid = ALL, event, session, known = null }) => ({
            id: randomId(),
            event,
            app,
            subject,
            sid,
            session,
            known,
            created_at: now,
            tries: 0,
            next_at: now,
            lease: null,
            leased_until: 0,
          })),
        )
        .onConflict((c) => c.columns(['event', 'app', 'subject', 'sid']).doNothing())
        .execute()
    },

    async deliver(senders: Senders, of?: Pick<Session, 'id' | 'personId'>) {
      let taken = 0
      const send = async (row: LogoutOutboxTable): Promise<Delivery> => {
        const { app, subject, sid, event, session, known } = row
        const sender = senders[event as LogoutEvent]
        if (!sender) return 'retry'
        // inside of a request: nobody hears of what is not on the disk yet
        await settled()
        return sender({
          app,
          subject,
          event: event as LogoutEvent,
          session,
          ...(sid === ALL ? {} : { sid }),
          ...(known === null ? {} : { known }),
        })
      }
      const sender = async (first?: LogoutOutboxTable) => {
        let claiming = began
        for (let row = first ?? (await claim(of)); row; claiming = stopwatch(), row = await claim(of)) {
          // a process that stood still meanwhile: the row may be somebody else's by now, and is taken by whoever finds it free
          if (stopwatch() - claiming > LEASE / 2) continue
          const outcome = await send(row).catch((error: unknown) => {
            log.warn('logout-not-sent', { app: row.app }, error)
            return 'retry' as const
          })
          await settle(row, outcome)
          if (outcome === 'done') taken++
        }
      }
      const began = stopwatch()
      const first = await claim(of)
      if (first) await Promise.all([sender(first), ...Array.from({ length: SENDERS - 1 }, () => sender())])
      return taken
    },

    async pending() {
      const { count } = await db
        .selectFrom('logout_outbox')
        .select((e) => e.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow()
      return Number(count)
    },

    async oldest() {
      const { since } = await db
        .selectFrom('logout_outbox')
        .select((e) => e.fn.min<number | null>('created_at').as('since'))
        .executeTakeFirstOrThrow()
      return since === null ? undefined : Number(since)
    },
  })
}
