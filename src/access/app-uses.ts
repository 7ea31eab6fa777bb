/**
 * Who opened which app, counted from receipts: how many people, and when last. A row is looked at once, and of a person
 * there is one bit for each app, so that millions of receipts of 200,000 people fit.
 */
import type { Kysely } from 'kysely'
import type { Instant } from '#core/clock'
import { createRecent } from '#core/recent'
import { parseWhat } from './receipt-parts.ts'
import { type createReading, SKEW } from './receipt-reading.ts'
import type { ReceiptTables } from './receipt-tables.ts'

export interface AppUse {
  readonly app: string
  readonly people: number
  readonly last: Instant
}

const PAGE = 10_000
const MOST_KEPT = 50_000
/** SQLite takes 32,766 parameters in a statement. */
const AT_ONCE = 10_000

interface Part {
  /** Of a part that tells what came of it: the app that was opened, `null` where none was. */
  readonly app?: string | null
  readonly person?: string | null
}

export function createAppUses(
  db: Kysely<ReceiptTables>,
  { firstSince, endId }: Pick<ReturnType<typeof createReading>, 'firstSince' | 'endId'>,
) {
  async function read(ids: readonly number[], parts: ReturnType<typeof createRecent<number, Part>>): Promise<void> {
    const missing = [...new Set(ids)].filter((id) => !parts.get(id))
    for (let next = 0; next < missing.length; next += AT_ONCE) {
      const some = missing.slice(next, next + AT_ONCE)
      for (const row of await db.selectFrom('receipt_parts').selectAll().where('id', 'in', some).execute()) {
        const what = row.used === null ? undefined : parseWhat(row)
        parts.set(
          row.id,
          what ? { app: what.outcome === 'allow' ? (what.app?.id ?? null) : null } : { person: row.person },
        )
      }
    }
  }

  /** Since then; `progress` is told how much of it is done, 0 to 1. */
  return async (at: Instant, progress: (done: number) => void = () => {}): Promise<AppUse[]> => {
    const parts = createRecent<number, Part>(MOST_KEPT)
    const people = new Map<string, number>()
    const uses = new Map<string, { marks: Marks; last: Instant }>()
    const first = await firstSince(at - SKEW)
    const end = await endId('desc')
    for (let next = first; next <= end; ) {
      const rows = await db
        .selectFrom('receipts')
        .select(['id', 'at', 'who', 'what'])
        .where('id', '>=', next)
        .where('id', '<=', end)
        .orderBy('id')
        .limit(PAGE)
        .execute()
      if (rows.length === 0) break
      await read(
        rows.flatMap(({ who, what }) => [who, what]),
        parts,
      )
      for (const row of rows) {
        const app = parts.get(row.what)?.app
        const person = parts.get(row.who)?.person
        if (row.at < at || typeof app !== 'string' || typeof person !== 'string') continue
        const number = people.get(person) ?? people.size
        people.set(person, number)
        const use = uses.get(app) ?? { marks: createMarks(), last: row.at }
        use.marks.add(number)
        use.last = Math.max(use.last, row.at)
        uses.set(app, use)
      }
      next = rows.at(-1)!.id + 1
      progress(Math.min(1, (next - first) / (end - first + 1)))
    }
    return [...uses].map(([app, { marks, last }]) => ({ app, people: marks.size(), last }))
  }
}

interface Marks {
  add(number: number): void
  size(): number
}

/** A set of small numbers, a bit each. */
function createMarks(): Marks {
  let bits = new Uint8Array(8)
  let size = 0
  return {
    add(number) {
      const at = number >> 3
      if (at >= bits.length) {
        const wider = new Uint8Array(Math.max(at + 1, bits.length * 2))
        wider.set(bits)
        bits = wider
      }
      const bit = 1 << (number & 7)
      if (bits[at]! & bit) return
      bits[at]! |= bit
      size++
    },
    size: () => size,
  }
}
