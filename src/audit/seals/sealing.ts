/** Sealing what has been written: afterwards and in batches, so that writing an event costs what it did. */
import type { Kysely } from 'kysely'
import { type Clock, hours, type Instant, type Millis, minutes } from '#core/clock'
import { sha256 } from '#core/digest'
import type { Log } from '#core/log'
import { type Records, settledNumber } from '#storage'
import type { AuditTables } from '../tables.ts'
import type { Chain } from './chain.ts'
import type { Ledger, LedgerRow } from './ledger.ts'
import { createTextsHash, nameOf, type SealKeys, type SignedSeal, sealHash } from './seal.ts'
import type { SealTables } from './tables.ts'

/** Rows of either kind in one seal. */
const MOST = 1000
/** Read and hashed without letting others run: well under a millisecond. */
const PAGE = 100
/** What is not many waits so long for company: a quiet installation must not collect a seal a minute. */
const AGE: Millis = minutes(5)
/** What is sealed together is removed together: a row is kept for so much longer than it had to be. */
const SPAN: Millis = hours(1)

interface Batch {
  readonly through: number
  readonly count: number
  readonly leaves: string
  readonly texts: string
  readonly oldest: Instant
  readonly latest: Instant
  readonly full: boolean
}

export interface SealingRooms {
  readonly records: Records
  readonly clock: Clock
  readonly log: Log
  readonly keys: SealKeys
  readonly chain: Chain
  readonly events: Ledger
  readonly receipts: Ledger
}

export interface Sealing {
  /**
   * Seals what nobody can still write into, as far as it is much or waits for long; `all`: whatever there is. Answers how many
   * seals were made: none where another process was faster. Where seals were taken away or changed it makes none and says so
   * in the log.
   */
  seal(all?: boolean): Promise<number>
  /** Removes events older than `before`, whole seals of them, with a mark that says so; answers how many. */
  purgeEvents(before: Instant): Promise<number>
  /** Up to which number receipts older than `before` can be removed; a mark says so from then on. */
  receiptsGone(before: Instant): Promise<number>
}

export function createSealing({ records, clock, log, keys, chain, events, receipts }: SealingRooms): Sealing {
  const db: Kysely<AuditTables & SealTables> = records
  let broken = false

  async function gather(ledger: Ledger, after: number, through: number): Promise<Batch> {
    const hash = createTextsHash()
    const leaves: string[] = []
    let [at, oldest, latest]: [number, Instant, Instant] = [after, Number.POSITIVE_INFINITY, 0]
    let full = false
    while (!full && at < through) {
      const rows: LedgerRow[] = await ledger.rows(at, through, Math.min(PAGE, MOST - leaves.length))
      for (const row of rows) {
        full = row.at > oldest + SPAN
        if (full) break
        hash.add(row.fixed)
        leaves.push(keys.leafOf(row))
        oldest = Math.min(oldest, row.at)
        latest = Math.max(latest, row.at)
        at = row.id
      }
      if (rows.length === 0) break
      full ||= leaves.length === MOST
      await new Promise(setImmediate)
    }
    return {
      through: full ? at : through,
      ...{ count: leaves.length, leaves: leaves.join(''), texts: hash.end(), oldest, latest, full },
    }
  }

  async function sealOne(last: SignedSeal | undefined, bounds: readonly [number, number], all: boolean) {
    const [after, afterReceipt] = [last?.last_event ?? 0, last?.last_receipt ?? 0]
    const [e, r] = [
      await gather(events, after, Math.max(after, bounds[0])),
      await gather(receipts, afterReceipt, Math.max(afterReceipt, bounds[1])),
    ]
    if (e.count + r.count === 0) return undefined
    if (!all && !e.full && !r.full && Math.min(e.oldest, r.oldest) > clock.now() - AGE) return undefined
    const seal = keys.sign({
      number: (last?.number ?? 0) + 1,
      at: clock.now(),
      previous: last ? sealHash(last) : '',
      ...{ last_event: e.through, last_receipt: r.through, events: e.count, receipts: r.count },
      ...{ events_hash: e.texts, receipts_hash: sha256(r.leaves), latest: Math.max(e.latest, r.latest) },
    })
    if (!(await chain.append(seal, { events: e.leaves, receipts: r.leaves }))) return undefined
    log.info('audit-sealed', { seal: nameOf(seal), events: e.count, receipts: r.count })
    return seal
  }

  /** The last seal up to which everything is older; the rows of later ones may be of any age. */
  async function lastBefore(before: Instant, known: number): Promise<SignedSeal | undefined> {
    const young = await db
      .selectFrom('audit_seals')
      .select('number')
      .where('number', '>', known)
      .where('latest', '>=', before)
      .orderBy('number')
      .limit(1)
      .executeTakeFirst()
    if (young) return young.number > 1 ? chain.find(young.number - 1) : undefined
    return (await chain.head()).last
  }
  const markedSeal = async (name: 'events' | 'receipts'): Promise<number> => {
    const mark = await chain.mark(name)
    return typeof mark === 'object' ? mark.seal : 0
  }

  return {
    async seal(all = false) {
      const { last: first, whole } = await chain.head()
      if (!whole) {
        if (!broken) log.error('audit-trail-altered', { seal: first ? nameOf(first) : '0' })
        broken = true
        return 0
      }
      broken = false
      const bounds = [await settledNumber(records, events.table), await settledNumber(records, receipts.table)]
      // a transaction that writes for long is waited for until the next time
      const [eventBound = 0, receiptBound = 0] = bounds
      let made = 0
      for (let last = first; ; made++) {
        const next = await sealOne(last, [eventBound, receiptBound], all)
        if (!next) return made
        last = next
      }
    },

    async purgeEvents(before) {
      const marked = await markedSeal('events')
      const end = await lastBefore(before, marked)
      if (!end) return 0
      let gone = 0
      for (let number = marked + 1; number <= end.number; number++) {
        const seal = await chain.find(number)
        if (!seal) return gone
        // INVARIANT: the mark and what it tells of in one transaction: what is neither there nor marked was taken by somebody
        gone += await db.transaction().execute(async (on) => {
          await chain.setMark('events', seal, on)
          const removed = await on.deleteFrom('audit_events').where('id', '<=', seal.last_event).executeTakeFirst()
          await on.updateTable('audit_leaves').set({ events: '' }).where('seal', '=', number).execute()
          return Number(removed.numDeletedRows)
        })
      }
      return gone
    },

    async receiptsGone(before) {
      const marked = await markedSeal('receipts')
      const end = await lastBefore(before, marked)
      const { last } = await chain.head()
      const through = end && end.number > marked ? end : marked > 0 ? await chain.find(marked) : undefined
      if (end && end.number > marked) {
        await db.transaction().execute(async (on) => {
          await chain.setMark('receipts', end, on)
          await on
            .updateTable('audit_leaves')
            .set({ receipts: '' })
            .where('seal', '<=', end.number)
            .where('receipts', '<>', '')
            .execute()
        })
      }
      // what is behind the last seal was never sealed, and goes when its time has come
      return through?.number === last?.number ? Number.MAX_SAFE_INTEGER : (through?.last_receipt ?? 0)
    },
  }
}
