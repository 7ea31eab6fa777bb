import type { Clock } from '#core/clock'
import type { Log } from '#core/log'
import type { Migration, Records } from './records.ts'
import type { State } from './state.ts'

export interface StorageOptions {
  /** `sqlite:data/portico.db` (relative to the working directory), `sqlite::memory:` for tests. */
  readonly url: string
  readonly clock: Clock
  readonly log: Log
  /** Of all rooms, in the order of their floors. Applied at opening, each once, in one transaction each. */
  readonly migrations: readonly Migration[]
}

export interface Storage {
  readonly records: Records
  readonly state: State
  /** Waits for what is being written, stops the purge, closes the file. */
  close(): Promise<void>
}
