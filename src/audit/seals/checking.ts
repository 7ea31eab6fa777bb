/** Looking whether the trail is what was sealed. */
import type { Kysely } from 'kysely'
import { sha256 } from '#core/digest'
import type { Records } from '#storage'
import type { AuditTables } from '../tables.ts'
import type { Chain, Leaves } from './chain.ts'
import type { Ledger, LedgerRow } from './ledger.ts'
import { createTextsHash, HALF, nameOf, type SealKeys, type SignedSeal, sealHash } from './seal.ts'

export const FINDINGS = Object.freeze({
  'row-changed': 'it is not what was sealed',
  'row-gone': 'it is gone',
  'row-added': 'it was not there when this was sealed',
  'facts-gone': 'its facts were taken away, and nobody removed the person',
  'leaves-changed': 'what tells the rows of this seal apart was changed or taken away',
  'seal-gone': 'the seal is gone',
  'seal-changed': 'the seal was changed, or is not ours',
  'seal-unchained': 'the seal does not follow the one before',
  'head-unknown': 'seals at the end are gone, or what names the last one was changed',
  'mark-forged': 'what says which rows may be gone is not ours',
  'not-as-noted': 'the seal that was noted elsewhere is not in the chain',
})

export interface Finding {
  readonly what: keyof typeof FINDINGS
  readonly seal: number
  readonly of?: 'event' | 'receipt'
  /** The row's number; of a row that is gone, of the last one before it. */
  readonly id?: number
}

export interface Checked {
  readonly findings: readonly Finding[]
  /** Seals, and rows that fit one. */
  readonly seals: number
  readonly events: number
  readonly receipts: number
  /** Receipts whose facts were forgotten with their person: what was decided is checked, the facts cannot be. */
  readonly forgotten: number
  /** Seals whose rows were removed when their time was over; the seals themselves were checked. */
  readonly gone: { readonly events: number; readonly receipts: number }
  /** Rows behind the last seal: nothing is known about them. */
  readonly unsealed: { readonly events: number; readonly receipts: number }
  /** `NUMBER:HASH` of the last seal, to be noted elsewhere. */
  readonly head: string | undefined
}

export interface CheckingRooms {
  readonly records: Records
  readonly keys: SealKeys
  readonly chain: Chain
  readonly events: Ledger
  readonly receipts: Ledger
}

const PAGE = 50
/** More rows than a seal has are read so far; whoever adds more is found by the first one. */
const ONE_MORE = 1
const MOST_FINDINGS = 100

/** `expected`: a seal `NUMBER:HASH` that was noted elsewhere. `progress`: 0 to 1. */
export async function checkTrail(
  { records, keys, chain, events, receipts }: CheckingRooms,
  { expected, progress = () => {} }: { expected?: string | undefined; progress?: (done: number) => void },
): Promise<Checked> {
  const db: Kysely<AuditTables> = records
  const findings: Finding[] = []
  const counts = { seals: 0, events: 0, receipts: 0, forgotten: 0 }
  const forgotten = new Set<string>()
  const find = (finding: Finding) => {
    if (findings.length < MOST_FINDINGS) findings.push(finding)
  }
  const { last, whole } = await chain.head()
  const gone = { events: 0, receipts: 0 }
  for (const name of ['events', 'receipts'] as const) {
    const mark = await chain.mark(name)
    const sealed = typeof mark === 'object' ? await chain.find(mark.seal) : undefined
    if (typeof mark === 'object' && sealed && sealHash(sealed) === mark.hash) gone[name] = mark.seal
    else if (mark !== undefined) find({ what: 'mark-forged', seal: typeof mark === 'object' ? mark.seal : 0 })
  }

  async function checkRows(ledger: Ledger, seal: SignedSeal, after: number, leaves: string): Promise<void> {
    const isEvents = ledger === events
    const of = isEvents ? 'event' : 'receipt'
    const [count, through] = isEvents ? [seal.events, seal.last_event] : [seal.receipts, seal.last_receipt]
    const width = ledger.personal ? 2 * HALF : HALF
    const expected = Array.from({ length: leaves.length / width }, (_, n) => leaves.slice(n * width, (n + 1) * width))
    const texts = createTextsHash()
    const rows: LedgerRow[] = []
    const most = count + ONE_MORE
    for (let at = after; rows.length < most; ) {
      const page = await ledger.rows(at, through, Math.min(PAGE * 2, most - rows.length))
      for (const row of page) texts.add(row.fixed)
      rows.push(...page)
      if (page.length === 0) break
      at = page.at(-1)!.id
      await new Promise(setImmediate)
    }
    const taken = isEvents ? expected.length !== count : sha256(leaves) !== seal.receipts_hash
    if (taken) find({ what: 'leaves-changed', seal: seal.number })
    // the hash alone tells whether the events are right; the leaves only tell which of them is not
    if (isEvents && rows.length === count && texts.end() === seal.events_hash) {
      counts.events += count
      return
    }
    if (taken && !isEvents) return
    const actual = rows.map((row) => ({ row, leaf: keys.leafOf(row) }))
    const same = (e: string | undefined, a: (typeof actual)[number] | undefined): boolean =>
      e !== undefined &&
      a !== undefined &&
      ('personal' in a.row && a.row.personal === undefined ? e.slice(0, HALF) === a.leaf.slice(0, HALF) : e === a.leaf)
    const wrong = firstWrong(expected, actual, same)
    if (wrong) {
      const { what, place } = wrong
      const id = what === 'row-gone' ? (actual[place - 1]?.row.id ?? after) : actual[place]!.row.id
      return find({ what, seal: seal.number, of, ...(id > Number.MIN_SAFE_INTEGER && { id }) })
    }
    // all leaves fit and the hash does not: 48 bits were met, or the leaves are not those of this seal
    if (isEvents) return find({ what: 'row-changed', seal: seal.number, of })
    counts.receipts += count
    for (const { row } of actual)
      if ('personal' in row && row.personal === undefined) {
        counts.forgotten++
        if (row.forgotten !== undefined) forgotten.add(row.forgotten)
      }
  }

  let before: SignedSeal | undefined
  const all = last?.number ?? 0
  for (let at = 0; ; ) {
    const page = await chain.seals(at, PAGE)
    if (page.length === 0) break
    for (const seal of page) {
      const number = (before?.number ?? 0) + 1
      if (seal.number !== number) find({ what: 'seal-gone', seal: number })
      else if (!keys.isOurs(seal)) find({ what: 'seal-changed', seal: number })
      else if (seal.previous !== (before ? sealHash(before) : '')) find({ what: 'seal-unchained', seal: number })
      const leaves: Leaves = (await chain.leaves(seal.number)) ?? { events: '', receipts: '' }
      // before the first seal there is nothing, not even under a number below 1
      const none = Number.MIN_SAFE_INTEGER
      // rows of a seal that is not there were told by its absence
      const [from, fromReceipt] = before ? [before.last_event, before.last_receipt] : [none, none]
      if (seal.number === number) {
        if (seal.number > gone.events) await checkRows(events, seal, from, leaves.events)
        if (seal.number > gone.receipts) await checkRows(receipts, seal, fromReceipt, leaves.receipts)
      }
      counts.seals++
      before = seal
      progress(seal.number / Math.max(1, all))
    }
    at = page.at(-1)!.number
  }
  if (!whole) find({ what: 'head-unknown', seal: last?.number ?? 0 })
  if (gone.events > 0 && (await leftOver(db, await chain.find(gone.events)))) {
    find({ what: 'row-added', seal: gone.events, of: 'event' })
  }
  if (expected !== undefined) {
    const noted = await chain.find(Number(expected.split(':')[0]))
    if (!noted || nameOf(noted) !== expected) find({ what: 'not-as-noted', seal: Number(expected.split(':')[0]) || 0 })
  }
  // with events that have gone, the one that tells of a removal may have gone as well
  if (gone.events === 0)
    for (const person of forgotten)
      if (!(await wasRemoved(db, person))) find({ what: 'facts-gone', seal: 0, of: 'receipt' })
  return {
    findings,
    ...counts,
    gone,
    unsealed: {
      events: await countBehind(records, events.table, last?.last_event),
      receipts: await countBehind(records, receipts.table, last?.last_receipt),
    },
    head: last && nameOf(last),
  }
}

/** The first place where the rows are not what is expected, and what happened to them there. */
function firstWrong<T>(
  expected: readonly string[],
  actual: readonly T[],
  same: (expected: string | undefined, actual: T | undefined) => boolean,
): { readonly what: 'row-changed' | 'row-gone' | 'row-added'; readonly place: number } | undefined {
  for (let place = 0; place < Math.max(expected.length, actual.length); place++) {
    if (same(expected[place], actual[place])) continue
    if (place >= actual.length) return { what: 'row-gone', place }
    if (place >= expected.length) return { what: 'row-added', place }
    if (expected.slice(place + 1).some((one) => same(one, actual[place]))) return { what: 'row-gone', place }
    if (actual.slice(place + 1).some((one) => same(expected[place], one))) return { what: 'row-added', place }
    return { what: 'row-changed', place }
  }
  return undefined
}

async function leftOver(db: Kysely<AuditTables>, seal: SignedSeal | undefined): Promise<boolean> {
  if (!seal) return false
  const row = await db.selectFrom('audit_events').select('id').where('id', '<=', seal.last_event).executeTakeFirst()
  return row !== undefined
}

async function wasRemoved(db: Kysely<AuditTables>, person: string): Promise<boolean> {
  const events = db.selectFrom('audit_events').select('id')
  const removed = await events.where('event', '=', 'person-removed').where('subject', '=', person).executeTakeFirst()
  // who became another person went with them
  return (
    (removed ?? (await events.where('event', '=', 'person-merged').where('reason', '=', person).executeTakeFirst())) !==
    undefined
  )
}

async function countBehind(records: Records, table: string, last = 0): Promise<number> {
  const db: Kysely<Record<string, { id: number }>> = records
  const { count } = await db
    .selectFrom(table)
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('id', '>', last)
    .executeTakeFirstOrThrow()
  return Number(count)
}
