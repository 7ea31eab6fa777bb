/**
 * Receipts: every decision with its facts, under a reference that a person can read out over the phone. Deciding a
 * receipt's facts again with the same policies gives the same result.
 *
 * A silent sign-on costs one compact row: what it shares with the one before (`receipt-parts.ts`) is stored already.
 */
import { type Kysely, sql } from 'kysely'
import type { Clock, Instant } from '#core/clock'
import { formatReference, parseReference } from '#core/reference'
import type { Decision, Facts, Gathered } from '#policy'
import type { Storage } from '#storage'
import { type AppUse, createAppUses } from './app-uses.ts'
import { createNumbering } from './numbering.ts'
import type { Page, Receipt } from './receipt.ts'
import { createReading } from './receipt-reading.ts'
import { createRecording } from './receipt-recording.ts'
import { createRetention } from './receipt-retention.ts'
import { FORGOTTEN, type ReceiptTables } from './receipt-tables.ts'

export interface Receipts {
  /** Answers the reference. `gathered`: what was looked for, found or not. */
  add(facts: Facts, decision: Decision, gathered?: Gathered): Promise<string>
  find(reference: string): Promise<Receipt | undefined>
  /** Of somebody who was removed: what was decided stays, what was known about them goes. */
  forget(person: string): Promise<void>
  /** Newest first. */
  ofPerson(person: string, limit: number): Promise<Receipt[]>
  /** All since then, the oldest first, in pages: nothing is held open in between, and the memory is bounded. */
  since(at: Instant): AsyncGenerator<Page>
  /** Which apps people opened since then, how many of them and when last; `progress` from 0 to 1. */
  appUses(at: Instant, progress?: (done: number) => void): Promise<AppUse[]>
  /**
   * Removes some that are older, at most `limit`, and what only they needed; answers how many. To be called again and
   * again: each call is one short write, and others come between. `through`: no number beyond this one.
   */
  purge(before: Instant, limit: number, through?: number): Promise<number>
  /** Those with `after < id <= through`, the oldest first; unreadable ones are left out. */
  between(after: number, through: number): AsyncGenerator<Receipt>
}

/** The label under which the key of the references is derived from the master key. */
export const RECEIPT_KEY = 'receipt references'

/** `key` shuffles the references. */
export function createReceipts(storage: Storage, clock: Clock, key: Buffer): Receipts {
  const db: Kysely<ReceiptTables> = storage.records.withTables<ReceiptTables>()
  const { shuffle, restore } = createNumbering(key)
  const referenceOf = (id: number) => formatReference(shuffle(id))
  const record = createRecording(storage, clock)
  const reading = createReading(db, referenceOf)
  const retain = createRetention(db, reading.firstSince)

  return {
    async add(facts, decision, gathered) {
      return referenceOf(await record(facts, decision, gathered))
    },

    async find(reference) {
      const number = parseReference(reference)
      return number === undefined ? undefined : reading.find(restore(number))
    },

    async forget(person) {
      const theirs = db.selectFrom('receipt_parts').select('id').where('person', '=', person)
      await db
        .updateTable('receipts')
        .set({ own: null })
        .where('who', 'in', theirs)
        .where('own', 'is not', null)
        .execute()
      await db
        .updateTable('receipt_parts')
        .set({ text: '', hash: sql<string>`${FORGOTTEN} || id` })
        .where('person', '=', person)
        .execute()
    },

    ofPerson: reading.ofPerson,
    since: reading.since,
    appUses: createAppUses(db, reading),
    purge: (before, limit, through = Number.MAX_SAFE_INTEGER) => retain(before, limit, through),
    between: reading.between,
  }
}
