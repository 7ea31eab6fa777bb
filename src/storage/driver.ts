/**
 * What storage drivers are: members of `drivers/list.ts`, chosen by the scheme of `storage.url` (records) and of `state.url`
 * (short-lived state).
 */
import type { Clock, Instant } from '#core/clock'
import type { Log } from '#core/log'
import type { Keep } from './kept.ts'
import type { Prepare, Records } from './records.ts'
import type { State } from './state.ts'

export interface DriverOptions {
  readonly clock: Clock
  readonly log: Log
}

export interface ConnectionLoad {
  readonly busy: number
  readonly idle: number
  /** Statements for a connection, and transactions for their turn. */
  readonly waiting: number
}

export interface OpenedRecords {
  readonly records: Records
  /** The same for migrations, which need not wait for the disk one by one. */
  readonly migrating: Records
  /** The contract of state on the tables of `state-tables.ts`, as durable as the records and committed together with them. */
  readonly state: State
  /** The same rows, written without waiting for the disk where that would hold up others. */
  readonly unsynced: State
  readonly prepare: Prepare
  readonly keep: Keep
  /** Of connections to a server. */
  load?(): ConnectionLoad
  /** Waits for what is being written, then closes. */
  close(): Promise<void>
}

export interface RecordsDriver {
  /** `sqlite` in `sqlite:data/portico.db`. */
  readonly schemes: readonly string[]
  /**
   * Opens what stands behind the scheme and its colon; the tables of `state` need not exist yet.
   * Throws `Refusal('storage-unavailable')` with a sentence for the operator.
   */
  open(place: string, options: DriverOptions): Promise<OpenedRecords>
  /** Opens for looking only and never creates anything; undefined when there is nothing yet. */
  peek(place: string): Promise<Pick<OpenedRecords, 'records' | 'close'> | undefined>
  /** Where the whole database is a file of ours; others have tools of their own for that. */
  readonly copies?: Copies
}

/** Each throws `Refusal('storage-unavailable')` with a sentence. */
export interface Copies {
  /** All that is committed now, in a new file; servers may write meanwhile. */
  copy(place: string, to: string): { readonly bytes: number }
  /** A copy of that copy beside the place, to be looked at; answers its place. */
  draft(from: string, place: string): string
  remove(draft: string): void
  /** The draft becomes the database, if nobody has it open. Answers what the one before is called now, where there was one. */
  put(draft: string, place: string): string | undefined
}

/** Where short-lived state is kept when not in the database of the records. */
export interface StatePlace {
  readonly url: string
  /** Instead of the one in the url. */
  readonly password?: string | undefined
  /** To the sentinels, who have passwords of their own. */
  readonly sentinelUsername?: string | undefined
  readonly sentinelPassword?: string | undefined
  /** PEM file of the authorities that sign the servers' certificates, where they are not publicly known. */
  readonly caFile?: string | undefined
  /** So many replicas have to confirm a write before it counts; as `state.replicas` of the settings says unless given. */
  readonly replicas?: number | undefined
}

export interface OpenedState {
  readonly state: State
  /** What the clock of the server says. Throws `Refusal('storage-unavailable')`. */
  now?(): Promise<Instant>
  close(): Promise<void>
}

export interface StateDriver {
  readonly schemes: readonly string[]
  /** Throws `Refusal('storage-unavailable')` with a sentence for the operator. */
  open(place: StatePlace, options: DriverOptions): Promise<OpenedState>
}
