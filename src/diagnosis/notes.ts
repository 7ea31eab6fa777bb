/**
 * Failures on their way into the log and the records.
 *
 * ATTACK: anybody can send what fails, as often as they like. So there is one note for each app and cause, which the
 * registration bounds and nobody's requests do; and of the same note a few lines and writes a minute. What is not written at
 * once is counted, and written with the next one.
 */
import { type Clock, type Instant, type Millis, minutes, seconds } from '#core/clock'
import type { Log } from '#core/log'
import type { Cause, Found } from './cause.ts'
import type { FailureRecords } from './records.ts'
import type { Failure } from './seen.ts'

/** So many lines and writes of one note a minute, and of all together in ten seconds. */
const MOST_OF_ONE = 6
const MOST_OF_ALL = 100

interface Note {
  reference: string
  /** How often since it was written. */
  count: number
  firstAt: Instant
  lastAt: Instant
  writtenAt: Instant
  failure: Failure
  readonly cause: Cause
  found: Found
  readonly may: Budget
}

interface Budget {
  take(now: Instant): boolean
}

function budget(most: number, length: Millis): Budget {
  let [began, taken] = [-Infinity, 0]
  return {
    take(now) {
      if (now < began || now - began >= length) [began, taken] = [now, 0]
      taken++
      return taken <= most
    },
  }
}

export interface NotesOptions {
  readonly records: FailureRecords
  readonly clock: Clock
  readonly log: Log
}

export function createNotes({ records, clock, log }: NotesOptions) {
  const notes = new Map<string, Promise<Note>>()
  const all = budget(MOST_OF_ALL, seconds(10))

  async function begin(failure: Failure, cause: Cause, found: Found): Promise<Note> {
    const { app, request } = failure
    const before = await records.find(app.id, cause.code)
    return {
      reference: before?.reference ?? request,
      count: 0,
      firstAt: clock.now(),
      lastAt: clock.now(),
      writtenAt: -Infinity,
      failure,
      cause,
      found,
      may: budget(MOST_OF_ONE, minutes(1)),
    }
  }

  async function write(note: Note): Promise<void> {
    const { failure, cause, found, count, firstAt, lastAt } = note
    note.count = 0
    note.writtenAt = lastAt
    note.reference = await records.add({
      app: failure.app.id,
      cause: cause.code,
      stage: failure.stage,
      likely: found.likely ? 1 : 0,
      said: found.cause,
      fix: JSON.stringify(found.fix),
      reference: note.reference,
      count,
      first_at: firstAt,
      last_at: lastAt,
    })
    log.warn('app-failing', {
      request: failure.request,
      reference: note.reference,
      app: failure.app.id,
      cause: cause.code,
      ...(found.likely ? { likely: true } : {}),
      // INVARIANT: what is foreign, like the address that was asked for, stands in the records and never in the log
      fix: found.fix.join('; '),
      count,
    })
  }

  const due = ({ cause, writtenAt }: Note, now: Instant) => now - writtenAt >= (cause.again ?? 0)

  return {
    /** Answers the reference under which it is found. */
    async add(failure: Failure, cause: Cause, found: Found): Promise<string> {
      const key = `${failure.app.id} ${cause.code}`
      let known = notes.get(key)
      if (!known) {
        known = begin(failure, cause, found)
        notes.set(key, known)
        known.catch(() => notes.delete(key))
      }
      const note = await known
      const now = clock.now()
      if (note.count === 0) note.firstAt = now
      note.count++
      Object.assign(note, { failure, found, lastAt: now })
      // a first one is always written: a reference that a page shows must be found
      const first = note.writtenAt === -Infinity
      const may = note.may.take(now)
      if (first || (due(note, now) && may && all.take(now))) await write(note)
      return note.reference
    },

    /** Writes what was only counted; of one app, or of all that are due. */
    async flush(app?: string): Promise<void> {
      const now = clock.now()
      for (const known of [...notes.values()]) {
        const note = await known
        if (note.count > 0 && (app === undefined ? due(note, now) : note.failure.app.id === app)) await write(note)
      }
    },

    forget(app: string): void {
      for (const key of notes.keys()) if (key.startsWith(`${app} `)) notes.delete(key)
    },
  }
}
