/** Opening the storage: the driver by the url's scheme, then migrations, then the purge. */
import type { Clock, Millis } from '#core/clock'
import type { Log } from '#core/log'
import { Refusal } from '#core/refusal'
import type { StorageDriver } from './driver.ts'
import { DRIVERS } from './drivers/list.ts'
import type { Keep } from './kept.ts'
import { applyMigrations, type MigrationState, readMigrationStatus } from './migrations.ts'
import type { Migration, Prepare, Records } from './records.ts'
import type { State } from './state.ts'
import { stateMigration } from './state-tables.ts'

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
  /** For what every sign-on reads and writes. */
  readonly prepare: Prepare
  /** For what every question of a proxy rests on. */
  readonly keep: Keep
  /** Waits for what is being written, stops the purge, closes the file. */
  close(): Promise<void>
}

const PURGE_EVERY: Millis = 5000
/** Small, so that nobody's write waits behind a purge for more than some milliseconds. */
const PURGE_STEP = 500

function driverFor(url: string): { driver: StorageDriver; place: string } {
  const colon = url.indexOf(':')
  const driver = DRIVERS.find(({ scheme }) => scheme === url.slice(0, colon))
  // the url itself may carry a password
  if (!driver)
    throw new Refusal(
      'storage-unavailable',
      `storage.url names no known driver; known: ${DRIVERS.map((d) => d.scheme).join(', ')}`,
    )
  return { driver, place: url.slice(colon + 1) }
}

/**
 * Opens the storage, applies what migrations are missing and starts the purge of expired state.
 * Throws `Refusal('storage-unavailable')` whose detail tells the operator in a sentence what is wrong: folder or file not
 * writable, not a database, damaged, of a newer version.
 */
export async function openStorage({ url, clock, log, migrations }: StorageOptions): Promise<Storage> {
  const { driver, place } = driverFor(url)
  const opened = await driver.open(place, { clock, log })
  try {
    const applied = await applyMigrations(opened.records, [stateMigration, ...migrations], clock)
    if (applied.length > 0) log.info('storage-migrated', { count: applied.length })
  } catch (error) {
    await opened.close()
    throw error
  }
  const stopPurge = startPurge(opened.state, clock, log)
  return Object.freeze({
    records: opened.records,
    state: opened.state,
    prepare: opened.prepare,
    keep: opened.keep,
    close: async () => {
      await stopPurge()
      await opened.close()
    },
  })
}

/** What `portico migrate --dry-run` prints. Creates nothing and changes nothing. */
export async function migrationStatus(url: string, migrations: readonly Migration[]): Promise<MigrationState[]> {
  const { driver, place } = driverFor(url)
  const opened = await driver.peek(place)
  try {
    return await readMigrationStatus(opened, [stateMigration, ...migrations])
  } finally {
    await opened?.close()
  }
}

/** Removes expired state in small steps, other writes between them; answers how to stop. */
function startPurge(state: State, clock: Clock, log: Log): () => Promise<void> {
  let running: Promise<void> | undefined
  let stopped = false
  const purge = async () => {
    try {
      while (!stopped && (await state.purge(clock.now(), PURGE_STEP)) >= PURGE_STEP);
    } catch (error) {
      log.warn('storage-purge-failed', {}, error)
    } finally {
      running = undefined
    }
  }
  const timer = setInterval(() => (running ??= purge()), PURGE_EVERY)
  timer.unref()
  return async () => {
    stopped = true
    clearInterval(timer)
    await running
  }
}
