/** Receipts as what is sealed (`#audit/seals`): what was decided must never change; facts may be forgotten with their person. */
import type { Kysely } from 'kysely'
import type { Ledger, LedgerRow } from '#audit/seals'
import type { Storage } from '#storage'
import { hashOf } from './receipt-parts.ts'
import type { ReceiptTables } from './receipt-tables.ts'

interface Known {
  /** Of the text itself: the hash that stands beside it may have been changed along with it. */
  readonly hash: string
  readonly person: string | null
  readonly forgotten: boolean
}

export function createReceiptLedger(storage: Pick<Storage, 'records'>): Ledger {
  const db: Kysely<ReceiptTables> = storage.records.withTables<ReceiptTables>()

  async function partsOf(ids: readonly number[]): Promise<Map<number, Known>> {
    const rows = await db
      .selectFrom('receipt_parts')
      .select(['id', 'text', 'person', 'used'])
      .where('id', 'in', [...new Set(ids)])
      .execute()
    return new Map(
      rows.map(({ id, text, person, used }) => [
        id,
        { hash: hashOf(text), person, forgotten: used === null && text === '' },
      ]),
    )
  }

  return {
    table: 'receipts',
    personal: true,
    async rows(after, through, limit) {
      const rows = await db
        .selectFrom('receipts')
        .selectAll()
        .where('id', '>', after)
        .where('id', '<=', through)
        .orderBy('id')
        .limit(limit)
        .execute()
      const parts = await partsOf(rows.flatMap(({ who, what }) => [who, what]))
      return rows.map(({ id, at, started, who, what, own }): LedgerRow => {
        const [whoPart, whatPart] = [parts.get(who), parts.get(what)]
        return {
          id,
          at,
          fixed: JSON.stringify([id, at, started, whatPart?.hash ?? null]),
          personal: whoPart?.forgotten ? undefined : JSON.stringify([whoPart?.hash ?? null, own]),
          ...(whoPart?.forgotten && whoPart.person !== null && { forgotten: whoPart.person }),
        }
      })
    },
  }
}
