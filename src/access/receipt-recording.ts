/** Writing a receipt: the hot path of every silent sign-on. */
import { type Kysely, sql } from 'kysely'
import type { Clock } from '#core/clock'
import { createRecent } from '#core/recent'
import { Refusal } from '#core/refusal'
import type { Decision, Facts, Gathered } from '#policy'
import { rowNumbers, type Storage } from '#storage'
import { floorOf } from './numbering.ts'
import { hashOf, takeApart } from './receipt-parts.ts'
import { dayOf, type ReceiptTables } from './receipt-tables.ts'

/** A part that was stored not long ago; `day` is the last one on which it was noted as used. */
interface Known {
  readonly hash: string
  readonly day: number
}

const MOST_WHO = 16_384
const MOST_WHAT = 16_384
/** Stands for a parameter in a statement that is compiled once. */
const HERE = sql<never>`${0}`

/** Answers the number of the new row. */
export function createRecording(
  storage: Storage,
  clock: Clock,
): (facts: Facts, decision: Decision, gathered: Gathered) => Promise<number> {
  const db: Kysely<ReceiptTables> = storage.records.withTables<ReceiptTables>()
  const whos = createRecent<string, Known>(MOST_WHO)
  const whats = createRecent<string, Known>(MOST_WHAT)
  const floor = floorOf(clock.now())
  // explicit, for after a restore the row's number is not the next one
  const numbers = rowNumbers(storage.records, 'receipts', floor)
  // the parts are looked up by their hashes in the very statement that refers to them
  const partOf = db.selectFrom('receipt_parts').select('id').where('hash', '=', HERE)
  const insertReceipt = storage.prepare(
    db
      .insertInto('receipts')
      .columns(['id', 'at', 'started', 'who', 'what', 'own'])
      .values({ id: numbers.next, at: HERE, started: HERE, who: partOf, what: partOf, own: HERE })
      .returning('id')
      .compile(),
  )
  const insertPart = storage.prepare(
    db
      .insertInto('receipt_parts')
      .columns(['hash', 'person', 'used', 'text'])
      .values({ hash: HERE, person: HERE, used: HERE, text: HERE })
      .onConflict((conflict) =>
        conflict
          .column('hash')
          .doUpdateSet({ used: sql`excluded.used` })
          .whereRef('excluded.used', '>', 'receipt_parts.used'),
      )
      .compile(),
  )

  return async (facts, decision, gathered) => {
    const { at, started, own, who, what } = takeApart(facts, decision, clock.now(), gathered)
    const day = dayOf(at)
    const knownWho = whos.get(who)
    const knownWhat = whats.get(what)
    const write = async (whoHash: string, whatHash: string) =>
      (await insertReceipt([floor, at, started, whoHash, whatHash, own])).rows[0]!.id

    /**
     * INVARIANT: the parts are there before the row that needs them. Within a unit of work SQLite writes all of it in one tick,
     * with one commit.
     */
    const writeAll = async (fresh: boolean): Promise<number> => {
      const whoHash = knownWho?.hash ?? hashOf(who)
      const whatHash = knownWhat?.hash ?? hashOf(what)
      const parts: Promise<unknown>[] = []
      if (fresh || !knownWho) parts.push(insertPart([whoHash, facts.user?.id ?? null, null, who]))
      if (fresh || knownWhat?.day !== day) parts.push(insertPart([whatHash, null, day, what]))
      whos.set(who, { hash: whoHash, day })
      whats.set(what, { hash: whatHash, day })
      await Promise.all(parts)
      return write(whoHash, whatHash)
    }

    await numbers.ready()
    try {
      if (knownWho && knownWhat?.day === day) return await write(knownWho.hash, knownWhat.hash)
      return await writeAll(false)
    } catch (error) {
      if (error instanceof Refusal || !(knownWho || knownWhat)) throw error
      // the row was refused because a part is gone: a commit that failed took it along, or it was too old to be kept
      return writeAll(true)
    }
  }
}
