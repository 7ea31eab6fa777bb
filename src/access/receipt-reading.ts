/** Reading receipts back. */
import type { Kysely, Selectable } from 'kysely'
import { type Instant, minutes } from '#core/clock'
import { createRecent, type Recent } from '#core/recent'
import type { Page, Receipt } from './receipt.ts'
import { joinFacts, parseWhat, parseWho, type What } from './receipt-parts.ts'
import type { ReceiptTables } from './receipt-tables.ts'

type Row = Selectable<ReceiptTables['receipts']>

/** What a part says; undefined where it cannot be read. */
interface Read {
  readonly person: string | undefined
  readonly who: object | undefined
  readonly what: What | undefined
}

const PAGE = 2000
/** Where others are to run in between. */
const BATCH = 200
/** Clocks of several processes may differ by so much, so rows are out of order by as much. */
export const SKEW = minutes(10)
const MOST_READ = 4096

export function createReading(db: Kysely<ReceiptTables>, referenceOf: (id: number) => string) {
  async function read(ids: readonly number[], parts: Recent<number, Read>): Promise<void> {
    const missing = [...new Set(ids)].filter((id) => !parts.get(id))
    if (missing.length === 0) return
    const rows = await db.selectFrom('receipt_parts').selectAll().where('id', 'in', missing).execute()
    for (const row of rows) {
      const isWhat = row.used !== null
      parts.set(row.id, {
        person: row.person ?? undefined,
        who: isWhat ? undefined : parseWho(row),
        what: isWhat ? parseWhat(row) : undefined,
      })
    }
  }

  function receiptOf(row: Row, parts: Recent<number, Read>): Receipt | undefined {
    const what = parts.get(row.what)?.what
    if (!what) return undefined
    const who = parts.get(row.who)
    return {
      reference: referenceOf(row.id),
      at: row.at,
      person: who?.person,
      app: what.app?.id ?? undefined,
      outcome: what.outcome,
      policy: what.policy ?? undefined,
      rule: what.rule ?? undefined,
      policies: what.policies,
      facts: joinFacts(row, who?.who, what),
      gathered: what.gathered,
    }
  }

  async function receiptsOf(rows: readonly Row[], parts = createRecent<number, Read>(MOST_READ)): Promise<Receipt[]> {
    // looked up in pieces that fit both generations of what is kept
    await read(
      rows.flatMap(({ who, what }) => [what, who]),
      parts,
    )
    return rows.flatMap((row) => receiptOf(row, parts) ?? [])
  }

  const rowsFrom = (id: number, limit: number) =>
    db.selectFrom('receipts').selectAll().where('id', '>=', id).orderBy('id').limit(limit).execute()

  async function endId(end: 'asc' | 'desc'): Promise<number> {
    const row = await db.selectFrom('receipts').select('id').orderBy('id', end).limit(1).executeTakeFirst()
    return row?.id ?? 0
  }

  /**
   * The number at which receipts of that time begin, found by halving, for numbers and times grow together: an index on
   * the time would cost every sign-on a write.
   */
  async function firstSince(at: Instant): Promise<number> {
    // from the first that is there: halving the empty space before it would ask that one row again and again, and believe it
    let [low, high] = [await endId('asc'), (await endId('desc')) + 1]
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      const row = await db
        .selectFrom('receipts')
        .select(['id', 'at'])
        .where('id', '>=', middle)
        .orderBy('id')
        .limit(1)
        .executeTakeFirst()
      if (!row || row.at >= at) high = middle
      else low = row.id + 1
    }
    return low
  }

  return {
    endId,
    firstSince,

    async find(id: number): Promise<Receipt | undefined> {
      const [row] = await rowsFrom(id, 1)
      return row?.id === id ? (await receiptsOf([row]))[0] : undefined
    },

    async ofPerson(person: string, limit: number): Promise<Receipt[]> {
      const rows = await db
        .selectFrom('receipts')
        .selectAll()
        .where('who', 'in', db.selectFrom('receipt_parts').select('id').where('person', '=', person))
        .orderBy('id', 'desc')
        .limit(limit)
        .execute()
      return receiptsOf(rows)
    },

    async *between(after: number, through: number): AsyncGenerator<Receipt> {
      const parts = createRecent<number, Read>(MOST_READ)
      for (let next = after + 1; ; ) {
        const rows = (await rowsFrom(next, BATCH)).filter(({ id }) => id <= through)
        if (rows.length === 0) return
        next = rows.at(-1)!.id + 1
        yield* await receiptsOf(rows, parts)
      }
    },

    async *since(at: Instant): AsyncGenerator<Page> {
      const parts = createRecent<number, Read>(MOST_READ)
      const first = await firstSince(at - SKEW)
      // what comes while this runs is not waited for
      const last = await endId('desc')
      let begun: Instant | undefined
      const ends = (await rowsFrom(last, 1))[0]?.at ?? at
      for (let next = first; next <= last; ) {
        const rows = (await rowsFrom(next, PAGE)).filter(({ id }) => id <= last)
        if (rows.length === 0) return
        next = rows.at(-1)!.id + 1
        begun ??= rows[0]!.at
        const reached = rows.at(-1)!.at
        const wanted = rows.filter((row) => row.at >= at)
        const receipts = await receiptsOf(wanted, parts)
        // by the time: numbers leap where a process started
        const done = next > last ? 1 : Math.min(1, Math.max(0, (reached - begun) / Math.max(1, ends - begun)))
        yield { receipts, unreadable: wanted.length - receipts.length, done }
      }
    },
  }
}
