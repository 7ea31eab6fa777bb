/**
 * How this process knows that a row is still what it was, with one look for each unit of work:
 *
 * - what the writing connection does itself is told row by row, by triggers that only this connection has (`temp`): whatever the
 *   statement was, a cascade or an upsert, they see what it did;
 * - what any other connection has committed moves `PRAGMA data_version`; then nothing is kept any more.
 *
 * INVARIANT: only what is committed is kept. So nothing is kept that was read while a transaction of ours was open, and what a
 * transaction writes is forgotten when it is written: a COMMIT that fails can only have made us forget too much.
 */
import { createRecent } from '#core/recent'
import type { Keep } from '../kept.ts'
import { currentUnit } from '../unit.ts'
import type { Writer } from './sqlite-writer.ts'

/** Of each kind at least so many are kept, and at most twice as many. */
const KEPT = 10_000
const WRITTEN = 'portico_written'

interface Watched {
  written(key: unknown): void
  forget(): void
}

const quoted = (name: string) => `"${name}"`

export function createKeep(writer: Writer): Keep {
  const { database } = writer.statements
  const watched: Watched[] = []
  const dataVersion = database.prepare('PRAGMA data_version')
  dataVersion.setReturnArrays(true)
  let version: unknown
  /** How often everything was forgotten. */
  let moves = 0

  database.function(WRITTEN, (number, key) => {
    watched[Number(number)]!.written(key)
    return null
  })

  /** False where it cannot be known: while another process recovers the write-ahead log, or after closing. */
  function look(): boolean {
    const unit = currentUnit()
    if (unit?.lookedBy === dataVersion) return true
    let now: unknown
    try {
      now = (dataVersion.get() as unknown as unknown[])[0]
    } catch {
      return false
    }
    if (now !== version) {
      version = now
      moves++
      for (const one of watched) one.forget()
    }
    if (unit) unit.lookedBy = dataVersion
    return true
  }

  /** Not while a transaction is open: it would be undone with it. */
  function watch(number: number, table: string, column: string | undefined): boolean {
    const events = column === undefined ? ['insert', 'update', 'delete'] : ['update', 'delete']
    const key = column === undefined ? 'null' : `old.${quoted(column)}`
    try {
      for (const event of events)
        database.exec(`
          create temp trigger if not exists ${quoted(`kept_${number}_${event}`)} after ${event} on main.${quoted(table)}
          begin select ${WRITTEN}(${number}, ${key}); end`)
      return true
    } catch {
      return false
    }
  }

  return <T>(table: string, column: string | undefined, load: (key: string) => Promise<T | undefined>) => {
    const number = watched.length
    let kept = createRecent<string, T>(KEPT)
    let writes = 0
    let watching = false
    const forget = () => {
      kept = createRecent(KEPT)
    }
    watched.push({
      written(key) {
        writes++
        if (column === undefined) forget()
        else kept.delete(key as string)
      },
      forget,
    })
    const known = (key: string): T | undefined => (look() ? kept.get(key) : undefined)
    return {
      known,
      async of(key) {
        const there = known(key)
        if (there !== undefined) return there
        const committed = look() && writer.idle
        if (committed && !watching) watching = watch(number, table, column)
        const [writesBefore, movesBefore] = [writes, moves]
        const value = await load(key)
        if (committed && watching && value !== undefined && writes === writesBefore && moves === movesBefore)
          kept.set(key, value)
        return value
      },
    }
  }
}
