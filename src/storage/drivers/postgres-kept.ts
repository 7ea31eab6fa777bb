/**
 * PostgreSQL tells by `notify` some time after a commit, and a question must not be answered by what was before it. So rows are read when they
 * are asked for, but for whole tables whose writes are counted (`counted.ts`): one look at all counts for each unit of work says which of
 * them are still what they were (record 26).
 *
 * INVARIANT: a count is written in the transaction of the write that it counts, so whoever sees the count sees the write. What was loaded after a
 * look rests on that look's writes or on later ones.
 */
import type { Keep } from '../kept.ts'
import { currentUnit } from '../unit.ts'
import type { Connections } from './postgres-connections.ts'

type Counts = ReadonlyMap<string, number>

/** What a unit has seen when it looked; after a write of its own it looks again (`Connections`). */
class Look {
  readonly pending: Promise<Counts>
  counts: Counts | undefined

  constructor(pending: Promise<Counts>) {
    this.pending = pending
    pending.then(
      (counts) => {
        this.counts = counts
      },
      () => {},
    )
  }
}

interface Found<T> {
  readonly version: number
  readonly value: Promise<T | undefined>
  /** Once it is there. */
  known?: T
}

const STATEMENT = { name: 'counted', text: 'select name, version from counted', values: [] }

export function createCountedKeep(connections: Connections): Keep {
  async function counts(): Promise<Counts> {
    const { rows } = await connections.read(STATEMENT)
    return new Map(rows.map(({ name, version }) => [name, version]))
  }

  function look(): Look {
    const unit = currentUnit()
    if (unit?.lookedBy instanceof Look) return unit.lookedBy
    const now = new Look(counts())
    if (unit) {
      unit.lookedBy = now
      now.pending.catch(() => {
        if (unit.lookedBy === now) unit.lookedBy = undefined
      })
    }
    return now
  }

  return <T>(table: string, column: string | undefined, load: (key: string) => Promise<T | undefined>) => {
    if (column !== undefined) return { of: load, known: () => undefined }
    const kept = new Map<string, Found<T>>()

    /** One load for all who ask by the same count; one that failed, or found nothing, is tried again by the next. */
    function loadOnce(key: string, version: number): Promise<T | undefined> {
      const found: Found<T> = { version, value: load(key) }
      const forget = () => {
        if (kept.get(key) === found) kept.delete(key)
      }
      found.value.then((value) => {
        if (value === undefined) forget()
        else found.known = value
      }, forget)
      if (version >= (kept.get(key)?.version ?? 0)) kept.set(key, found)
      return found.value
    }

    return {
      known(key) {
        const { lookedBy } = currentUnit() ?? {}
        const version = lookedBy instanceof Look ? lookedBy.counts?.get(table) : undefined
        const there = kept.get(key)
        return version !== undefined && there?.version === version ? there.known : undefined
      },
      async of(key) {
        const { pending, counts: seen } = look()
        const version = (seen ?? (await pending)).get(table)
        // nobody counts
        if (version === undefined) return load(key)
        const there = kept.get(key)
        return there?.version === version ? there.value : loadOnce(key, version)
      },
    }
  }
}
