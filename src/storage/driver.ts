/** What a storage driver is: one member of `drivers/list.ts`, chosen by the scheme of `storage.url`. */
import type { Clock } from '#core/clock'
import type { Log } from '#core/log'
import type { Keep } from './kept.ts'
import type { Prepare, Records } from './records.ts'
import type { State } from './state.ts'

export interface DriverOptions {
  readonly clock: Clock
  readonly log: Log
}

export interface OpenedStorage {
  readonly records: Records
  readonly state: State
  readonly prepare: Prepare
  readonly keep: Keep
  /** Waits for what is being written, then closes. */
  close(): Promise<void>
}

export interface StorageDriver {
  /** `sqlite` in `sqlite:data/portico.db`. */
  readonly scheme: string
  /**
   * Opens what stands behind `scheme:`; the tables of `state` need not exist yet.
   * Throws `Refusal('storage-unavailable')` with a sentence for the operator.
   */
  open(place: string, options: DriverOptions): Promise<OpenedStorage>
  /** Opens for looking only and never creates anything; undefined when there is nothing yet. */
  peek(place: string): Promise<Pick<OpenedStorage, 'records' | 'close'> | undefined>
}
