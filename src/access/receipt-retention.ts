/** Removing receipts that are older than they are kept for, in small steps. */
import type { Kysely } from 'kysely'
import { days, type Instant } from '#core/clock'
import { dayOf, type ReceiptTables } from './receipt-tables.ts'

/**
 * A part about "what" goes so long after it was last used: which day that was is noted only once a day, and not when that
 * write failed. There are few of them.
 */
const SLACK = days(30)
/** Of a row without its parts. */
const NONE = 0

export const createRetention =
  (db: Kysely<ReceiptTables>, firstSince: (at: Instant) => Promise<number>) =>
  async (before: Instant, limit: number, through: number): Promise<number> => {
    const rows = db.selectFrom('receipts').select(['id', 'who', 'at'])
    const newest = await rows.orderBy('id', 'desc').limit(1).executeTakeFirst()
    if (!newest) return 0
    const old = await rows
      .where('id', '<', await firstSince(before))
      .where('at', '<', before)
      .where('id', '<', newest.id)
      .where('id', '<=', through)
      .orderBy('id')
      .limit(limit)
      .execute()
    const whos = new Set(old.map(({ who }) => who))
    const ids = old.map(({ id }) => id)
    if (ids.length > 0) await db.deleteFrom('receipts').where('id', 'in', ids).execute()
    // INVARIANT: the last row stays, emptied, or its number, and with it a reference, would be given a second time
    if (newest.at < before && newest.id <= through && newest.who !== NONE) {
      await db.updateTable('receipts').set({ who: NONE, what: NONE, own: null }).where('id', '=', newest.id).execute()
      whos.add(newest.who)
    }
    if (whos.size > 0)
      await db
        .deleteFrom('receipt_parts')
        .where('id', 'in', [...whos])
        .where(({ not, exists, selectFrom }) =>
          not(exists(selectFrom('receipts').select('receipts.id').whereRef('receipts.who', '=', 'receipt_parts.id'))),
        )
        .execute()
    const unused = db
      .selectFrom('receipt_parts')
      .select('id')
      .where('used', 'is not', null)
      .where('used', '<', dayOf(before - SLACK))
      .limit(limit)
    await db.deleteFrom('receipt_parts').where('id', 'in', unused).execute()
    return old.length
  }
