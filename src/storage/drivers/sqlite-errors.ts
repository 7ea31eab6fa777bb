/** Which errors of SQLite are ours (a constraint, a wrong statement) and which mean that the storage cannot serve. */
import { Refusal } from '#core/refusal'

const BUSY = 5
const CORRUPT = 11
const NOT_A_DATABASE = 26
/** The primary result codes after which trying the same statement on a healthy storage would work. */
const UNAVAILABLE = new Map([
  [BUSY, 'the database is locked by another process'],
  [6, 'a table is locked'],
  [7, 'out of memory'],
  [8, 'the database or its folder is read-only'],
  [10, 'the disk reported an error'],
  [CORRUPT, 'the database is damaged'],
  [13, 'the disk is full'],
  [14, 'the file cannot be opened'],
  [15, 'the locking protocol failed'],
  [NOT_A_DATABASE, 'the file is not an SQLite database'],
])

/** The primary result code of SQLite, or undefined for any other error. */
function primaryCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | null)?.errcode
  return typeof code === 'number' ? code & 0xff : undefined
}

export const isBusy = (error: unknown): boolean => primaryCode(error) === BUSY

/** What happened in plain words, for errors that mean "the storage cannot serve"; undefined for all others. */
export function whyUnavailable(error: unknown): string | undefined {
  if ((error as NodeJS.ErrnoException | null)?.code === 'ERR_INVALID_STATE') return 'the storage is closed'
  return UNAVAILABLE.get(primaryCode(error) ?? -1)
}

/** Turns an error of the storage itself into a refusal; constraint violations and bugs stay what they are. */
export function translated(error: unknown): unknown {
  const why = whyUnavailable(error)
  return why === undefined ? error : new Refusal('storage-unavailable', why, { cause: error })
}
