/** Opening the storage: the drivers by the urls' schemes, then migrations, then the purge. */
import { existsSync } from 'node:fs'
import type { Clock, Instant, Millis } from '#core/clock'
import type { Log } from '#core/log'
import { Refusal } from '#core/refusal'
import type { ConnectionLoad, DriverOptions, OpenedState, RecordsDriver, StatePlace } from './driver.ts'
import { RECORDS_DRIVERS, STATE_DRIVERS } from './drivers/list.ts'
import type { Keep } from './kept.ts'
import { markedMigration } from './marked.ts'
import { applyMigrations, type MigrationState, readMigrationStatus, rehearseMigrations } from './migrations.ts'
import type { Migration, Prepare, Records } from './records.ts'
import type { State } from './state.ts'
import { stateMigration } from './state-tables.ts'

export interface StorageOptions {
  /** `postgres://…`, or `sqlite:data/portico.db` (relative to the working directory), `sqlite::memory:` for tests. */
  readonly url: string
  /** Where short-lived state is kept; with the records unless given, or where its url is theirs. */
  readonly state?: StatePlace | undefined
  readonly clock: Clock
  readonly log: Log
  /** Of all rooms, in the order of their floors. Applied at opening, each once, in one transaction each. */
  readonly migrations: readonly Migration[]
  /** Whether what is over is removed by this process just now; of several one is enough. Always unless given. */
  purges?(): boolean
}

export interface Storage {
  readonly records: Records
  /** What may be lost when its store fails over, as far as docs/operations.md says so. */
  readonly state: State
  /**
   * The same contract in the database of the records, always: for what expires and must not be lost all the same, neither the
   * value nor that it was spent. Where state is kept with the records the two are one.
   */
  readonly durable: State
  /** The rows of `durable` as well, for what is worth nothing after a power cut: it may be answered before it is on the disk. */
  readonly unsynced: State
  /** For what every sign-on reads and writes. */
  readonly prepare: Prepare
  /** For what every question of a proxy rests on. */
  readonly keep: Keep
  /** Of the connections to the database of the records; undefined where it is no server. */
  load(): ConnectionLoad | undefined
  /** What the clock of the server says on which state is kept; undefined where it is kept with the records. */
  stateClock(): Promise<Instant> | undefined
  /** Waits for what is being written, stops the purge, closes what was opened. */
  close(): Promise<void>
}

/** The storage's own tables, before those of all rooms. */
const OWN: readonly Migration[] = [stateMigration, markedMigration]
const PURGE_EVERY: Millis = 5000
/** Small, so that nobody's write waits behind a purge for more than some milliseconds. */
const PURGE_STEP = 500

function driverFor(url: string): { driver: RecordsDriver; place: string } {
  const colon = url.indexOf(':')
  const driver = RECORDS_DRIVERS.find(({ schemes }) => schemes.includes(url.slice(0, colon)))
  // the url itself may carry a password
  if (!driver) {
    const known = RECORDS_DRIVERS.flatMap(({ schemes }) => schemes).join(', ')
    throw new Refusal('storage-unavailable', `storage.url names no known driver; known: ${known}`)
  }
  return { driver, place: url.slice(colon + 1) }
}

async function openState(place: StatePlace, options: DriverOptions): Promise<OpenedState> {
  const named = place.url.slice(0, place.url.indexOf(':'))
  const driver = STATE_DRIVERS.find(({ schemes }) => schemes.includes(named))
  if (!driver) {
    const known = STATE_DRIVERS.flatMap(({ schemes }) => schemes).join(', ')
    throw new Refusal(
      'storage-unavailable',
      `state.url names no known driver; known: ${known}, or what storage.url says`,
    )
  }
  return driver.open(place, options)
}

/**
 * Opens the storage, applies what migrations are missing and starts the purge of expired state.
 * Throws `Refusal('storage-unavailable')` whose detail tells the operator in a sentence what is wrong: folder or file not
 * writable, not a database, damaged, of a newer version.
 */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  const { url, state, clock, log, migrations, purges = () => true } = options
  const { driver, place } = driverFor(url)
  const opened = await driver.open(place, { clock, log })
  let elsewhere: OpenedState | undefined
  try {
    const applied = await applyMigrations(opened.migrating, [...OWN, ...migrations], clock)
    if (applied.length > 0) log.info('storage-migrated', { count: applied.length })
    if (state && state.url !== url) elsewhere = await openState(state, { clock, log })
  } catch (error) {
    await opened.close()
    throw error
  }
  const stopPurges = [opened, ...(elsewhere ? [elsewhere] : [])].map((one) => startPurge(one.state, purges, clock, log))
  return Object.freeze({
    records: opened.records,
    state: (elsewhere ?? opened).state,
    durable: opened.state,
    unsynced: opened.unsynced,
    prepare: opened.prepare,
    keep: opened.keep,
    load: () => opened.load?.(),
    stateClock: () => elsewhere?.now?.(),
    close: async () => {
      await Promise.all(stopPurges.map((stop) => stop()))
      await elsewhere?.close()
      await opened.close()
    },
  })
}

/** What `portico migrate --dry-run` prints. Creates nothing and changes nothing. */
export async function migrationStatus(url: string, migrations: readonly Migration[]): Promise<MigrationState[]> {
  const { driver, place } = driverFor(url)
  const opened = await driver.peek(place)
  try {
    return await readMigrationStatus(opened, [...OWN, ...migrations])
  } finally {
    await opened?.close()
  }
}

/**
 * Tries the migrations that are missing and leaves everything as it was: on a copy beside the database where it is a file, else
 * in one transaction that is rolled back, for which writers wait. Answers the names. Throws `Refusal('storage-unavailable')` for a
 * database of a newer version, `MigrationFailed` for a migration that does not do.
 */
export async function tryMigrations(
  url: string,
  { clock, log, migrations }: Pick<StorageOptions, 'clock' | 'log' | 'migrations'>,
): Promise<string[]> {
  const { driver, place } = driverFor(url)
  const all = [...OWN, ...migrations]
  const { copies } = driver
  if (!copies) {
    const opened = await driver.open(place, { clock, log })
    try {
      return await rehearseMigrations(opened.records, all)
    } finally {
      await opened.close()
    }
  }
  const draft = copies.draft(place, place)
  try {
    const opened = await driver.open(draft, { clock, log })
    try {
      return await applyMigrations(opened.migrating, all, clock)
    } finally {
      await opened.close()
    }
  } finally {
    copies.remove(draft)
  }
}

function copiesOf(url: string) {
  const { driver, place } = driverFor(url)
  if (driver.copies) return { copies: driver.copies, place }
  const tools = 'pg_dump and pg_restore, or what your provider offers'
  throw new Refusal('storage-unavailable', `a database on a server is backed up with its own tools: ${tools}`)
}

/**
 * Everything that is committed now, in a new file for its owner alone; servers may go on. Throws `Refusal('storage-unavailable')`
 * with a sentence, also for a database on a server.
 */
export function backUp(url: string, file: string): { readonly bytes: number } {
  const { copies, place } = copiesOf(url)
  return copies.copy(place, file)
}

/**
 * Makes the backup the database behind `url`. `look` opens a copy of it by its url and throws where it should not be used; the
 * migrations that are missing in it are applied there. Throws `Refusal('storage-unavailable')` where there is a database and
 * `replace` is not said, or somebody has it open. Answers what the one before is called now.
 */
export async function restore<T>(
  { url, file, replace }: { readonly url: string; readonly file: string; readonly replace: boolean },
  look: (url: string) => Promise<T>,
): Promise<{ readonly found: T; readonly kept: string | undefined }> {
  const { copies, place } = copiesOf(url)
  if (!replace && existsSync(place))
    throw new Refusal('storage-unavailable', `there is a database at \`${place}\` already: --replace keeps it aside`)
  const draft = copies.draft(file, place)
  try {
    const found = await look(`${url.slice(0, url.indexOf(':'))}:${draft}`)
    return { found, kept: copies.put(draft, place) }
  } finally {
    copies.remove(draft)
  }
}

/** Removes expired state in small steps, other writes between them; answers how to stop. */
function startPurge(state: State, purges: () => boolean, clock: Clock, log: Log): () => Promise<void> {
  let running: Promise<void> | undefined
  let stopped = false
  const purge = async () => {
    try {
      while (!stopped && purges() && (await state.purge(clock.now(), PURGE_STEP)) >= PURGE_STEP);
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
