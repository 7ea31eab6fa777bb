/** Opening the file: what an operator can have wrong is said in a sentence, before anything is written. */
import { accessSync, closeSync, constants, existsSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Millis } from '#core/clock'
import { Refusal } from '#core/refusal'
import { whyUnavailable } from './sqlite-errors.ts'

/** Reading waits only while another process recovers or removes the write-ahead log. */
const READER_WAIT: Millis = 5000
/** Checking 32 MiB takes some tens of milliseconds; larger files are checked page by page as they are read. */
const LARGEST_CHECKED = 32 * 1024 * 1024
const CACHE_KIB = 32 * 1024

const refuse = (file: string, why: string, cause?: unknown): Refusal =>
  new Refusal('storage-unavailable', `database \`${file}\`: ${why}`, { cause })

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown error'

/** Makes the folder (0700) and the file (0600) where they are missing, and finds out whether both can be written. */
function prepareFile(file: string): void {
  const folder = dirname(file)
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw refuse(file, `folder \`${folder}\` cannot be created (${codeOf(error)})`, error)
  }
  try {
    // write-ahead log and shared memory are files of their own beside it, and take over its mode
    accessSync(folder, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw refuse(file, `folder \`${folder}\` cannot be written (${codeOf(error)})`, error)
  }
  try {
    closeSync(openSync(file, existsSync(file) ? constants.O_RDWR : constants.O_RDWR | constants.O_CREAT, 0o600))
  } catch (error) {
    throw refuse(file, `file cannot be written (${codeOf(error)})`, error)
  }
}

export interface OpenedFile {
  readonly writer: DatabaseSync
  readonly reader: DatabaseSync
  openReader(): DatabaseSync
}

/** A connection that only reads; it sees what is committed, as of the moment each statement starts. */
export function openReader(file: string): DatabaseSync {
  const reader = new DatabaseSync(file, { timeout: READER_WAIT })
  reader.exec(`PRAGMA query_only=ON; PRAGMA cache_size=-${CACHE_KIB}`)
  return reader
}

/** `durable: false` is for databases that die with the process: everything is the same except the waiting for the disk. */
export function openFile(file: string, { durable }: { durable: boolean }): OpenedFile {
  prepareFile(file)
  const opened: DatabaseSync[] = []
  try {
    const writer = new DatabaseSync(file, { timeout: READER_WAIT, enableForeignKeyConstraints: true })
    opened.push(writer)
    const mode = writer.prepare('PRAGMA journal_mode=WAL').get() as { journal_mode: string }
    if (mode.journal_mode !== 'wal') throw refuse(file, 'the file system has no shared memory for a write-ahead log')
    // recursive triggers: without them "insert or replace" would slip past a trigger that forbids deleting
    // INVARIANT: FULL waits for the disk at every commit; with NORMAL a power cut takes answered writes along
    writer.exec(`
      PRAGMA synchronous=${durable ? 'FULL' : 'OFF'};
      PRAGMA cache_size=-${CACHE_KIB};
      PRAGMA wal_autocheckpoint=4000;
      PRAGMA journal_size_limit=67108864;
      PRAGMA trusted_schema=OFF;
      PRAGMA recursive_triggers=ON;
      PRAGMA temp_store=MEMORY`)
    if (statSync(file).size <= LARGEST_CHECKED) {
      const { quick_check: found } = writer.prepare('PRAGMA quick_check(1)').get() as { quick_check: string }
      if (found !== 'ok') throw refuse(file, 'the database is damaged; restore a backup')
    }
    // from here on waiting for other writers is the business of writer.ts, without blocking anybody
    writer.exec('PRAGMA busy_timeout=0')
    const reader = openReader(file)
    opened.push(reader)
    return { writer, reader, openReader: () => openReader(file) }
  } catch (error) {
    for (const database of opened) database.close()
    if (error instanceof Refusal) throw error
    throw refuse(file, whyUnavailable(error) ?? `the database cannot be opened (${codeOf(error)})`, error)
  }
}

/** Opens for looking only; undefined when there is no file. */
export function peekFile(file: string): DatabaseSync | undefined {
  if (!existsSync(file)) return undefined
  try {
    const database = openReader(file)
    database.prepare('SELECT count(*) FROM sqlite_schema').get()
    return database
  } catch (error) {
    throw refuse(file, whyUnavailable(error) ?? `the database cannot be opened (${codeOf(error)})`, error)
  }
}
