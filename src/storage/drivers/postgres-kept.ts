/**
 * PostgreSQL tells by `notify` some time after a commit, and a question must not be answered by what was before it. So rows are read when they
 * are asked for, but for whole tables that are marked (`marked.ts`): one look at all marks for each unit of work says which of
 * them are still what they were (record 26).
 *
 * INVARIANT: a mark is replaced in the transaction of the write, so whoever sees the new one sees the write. What was loaded after a
 * look rests on what that look saw or on later writes.
 */
import type { Keep } from '../kept.ts'
import { currentUnit } from '../unit.ts'
import type { Connections } from './postgres-connections.ts'

type Marks = ReadonlyMap<string, string>

/** What a unit has seen when it looked; after a write of its own it looks again (`Connections`). */
class Look {
  readonly pending: Promise<Marks>
  marks: Marks | undefined

  constructor(pending: Promise<Marks>) {
    this.pending = pending
    pending.then(
      (marks) => {
        this.marks = marks
      },
      () => {},
    )
  }
}

interface Found<T> {
  readonly mark: string
  readonly value: Promise<T | undefined>
  /** Once it is there. */
  known?: T
}

const STATEMENT = { name: 'marked', text: 'select name, mark from marked', values: [] }

export function createMarkedKeep(connections: Connections): Keep {
  async function marks(): Promise<Marks> {
    const { rows } = await connections.read(STATEMENT)
    return new Map(rows.map(({ name, mark }) => [name, mark]))
  }

  function look(): Look {
    const unit = currentUnit()
    if (unit?.lookedBy instanceof Look) return unit.lookedBy
    const now = new Look(marks())
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

    /** One load for all who ask by the same mark; one that failed, or found nothing, is tried again by the next. */
    function loadOnce(key: string, mark: string): Promise<T | undefined> {
      const found: Found<T> = { mark, value: load(key) }
      const forget = () => {
        if (kept.get(key) === found) kept.delete(key)
      }
      found.value.then((value) => {
        if (value === undefined) forget()
        else found.known = value
      }, forget)
      kept.set(key, found)
      return found.value
    }

    return {
      known(key) {
        const { lookedBy } = currentUnit() ?? {}
        const mark = lookedBy instanceof Look ? lookedBy.marks?.get(table) : undefined
        const there = kept.get(key)
        return mark !== undefined && there?.mark === mark ? there.known : undefined
      },
      async of(key) {
        const { pending, marks: seen } = look()
        const mark = (seen ?? (await pending)).get(table)
        // nobody marks it
        if (mark === undefined) return load(key)
        const there = kept.get(key)
        return there?.mark === mark ? there.value : loadOnce(key, mark)
      },
    }
  }
}
