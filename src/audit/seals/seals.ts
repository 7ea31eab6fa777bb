/**
 * Seals of the trail: whether what stands in it is what was written. A second door of this room, for what is sealed is wider than the
 * trail: receipts, of a room above, as well.
 *
 * - `ledger.ts`    what is sealed: rows under growing numbers; `event-ledger.ts` the events as such
 * - `seal.ts`      the form of a seal, its hash and signature
 * - `sealing.ts`   making seals, and removing what is over
 * - `chain.ts`     the seals as they are stored; `tables.ts`
 * - `checking.ts`  the trail against its seals
 * - `exporting.ts` the trail as lines, each chained to the one before; `exported.ts` checks such a file by itself
 *
 * INVARIANT: a seal covers only what nobody can still write into, and the numbers behind the seal before.
 */
import type { Clock } from '#core/clock'
import type { Log } from '#core/log'
import type { Records } from '#storage'
import { createChain } from './chain.ts'
import { type Checked, checkTrail } from './checking.ts'
import { createEventLedger } from './event-ledger.ts'
import { type ExportOptions, exportTrail } from './exporting.ts'
import type { Ledger } from './ledger.ts'
import { createSealKeys, fingerprintOf } from './seal.ts'
import { createSealing, type Sealing } from './sealing.ts'

export { type Checked, FINDINGS, type Finding } from './checking.ts'
export { checkExport, type ExportChecked } from './exported.ts'
export type { ExportOptions } from './exporting.ts'
export type { Ledger, LedgerRow } from './ledger.ts'

export interface Seals extends Sealing {
  /** `expected`: `NUMBER:HASH` of a seal that was noted elsewhere. */
  check(options: { expected?: string | undefined; progress?: (done: number) => void }): Promise<Checked>
  /** After a break that somebody has looked at: seals go on from those that are there. Answers whether there was one. */
  acknowledge(): Promise<boolean>
  /** Lines of JSON. */
  exported(options: ExportOptions): AsyncGenerator<string>
  /** By what people compare the key of seals. */
  readonly fingerprint: string
}

export interface SealsRooms {
  readonly storage: { readonly records: Records }
  readonly clock: Clock
  readonly log: Log
  /** Of `#keys`. */
  derive(label: string): Buffer
  readonly receipts: Ledger
}

export function openSeals({ storage, clock, log, derive, receipts }: SealsRooms): Seals {
  const { records } = storage
  const keys = createSealKeys(derive)
  const chain = createChain(records, keys, clock)
  const events = createEventLedger(records)
  const rooms = { records, clock, log, keys, chain, events, receipts }
  return Object.freeze({
    ...createSealing(rooms),
    check: (options: Parameters<Seals['check']>[0]) => checkTrail(rooms, options),
    acknowledge: chain.acknowledge,
    exported: (options: ExportOptions) => exportTrail({ ...rooms, events }, options),
    fingerprint: fingerprintOf(keys.publicKey),
  })
}
