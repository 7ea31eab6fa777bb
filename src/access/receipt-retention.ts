/** Removing receipts that are older than they are kept for, in small steps. */
import type { Kysely } from 'kysely'
import { days, type Instant } from '#core/clock'
import { dayOf, type ReceiptTables } from './receipt-tables.ts'

/**
 * A part about "what" goes so long after it was last used: which day that was is noted only once a day, and not when that
 * write failed. There are few of them.
 */
const SLACK = days(30)

export const createRetention =
  (db: Kysely<ReceiptTables>, firstSince: (at: Instant) => Promise<number>) =>
  async (before: Instant, limit: number): Promise<number> => {
    // INVARIANT: the last row stays, or its number, and with it a reference, would be given a second time
    const last = db.selectFrom('receipts').select('id').orderBy('id', 'desc').limit(1)
    const old = await db
      .selectFrom('receipts')
      .select(['id', 'who'])
      .where('id', '<', await firstSince(before))
      .where('at', '<', before)
      .where('id', '<', last)
      .orderBy('id')
      .limit(limit)
      .execute()
    if (old.length > 0) {
      const ids = old.map(({ id }) => id)
      await db.deleteFrom('receipts').where('id', 'in', ids).execute()
      await db
        .deleteFrom('receipt_parts')
        .where('id', 'in', [...new Set(old.map(({ who }) => who))])
        .where(({ not, exists, selectFrom }) =>
          not(exists(selectFrom('receipts').select('receipts.id').whereRef('receipts.who', '=', 'receipt_parts.id'))),
        )
        .execute()
    }
    const unused = db
      .selectFrom('receipt_parts')
      .select('id')
      .where('used', 'is not', null)
      .where('used', '<', dayOf(before - SLACK))
      .limit(limit)
    await db.deleteFrom('receipt_parts').where('id', 'in', unused).execute()
    return old.length
  }
