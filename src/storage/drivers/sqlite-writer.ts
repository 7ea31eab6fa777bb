/**
 * The one writing connection of this process.
 *
 * Writes that come close together share a transaction (group commit): the first opens it with BEGIN IMMEDIATE, each is executed
 * at once and in order, and the first turn of the event loop that brings no more commits. A transaction of its own waits for its
 * turn, commits the group before it, and makes everybody behind it wait. Where another process holds the lock we try again every
 * millisecond rather than with SQLite's own busy handler, which would sleep on our event loop and stop the readers too.
 *
 * INVARIANT: a promise given out here settles only after the COMMIT that carries its write, or after that COMMIT failed.
 * Within a unit of work (`unit.ts`) it is the unit that waits for the COMMIT, once for all of its writes.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { type Millis, stopwatch } from '#core/clock'
import { Refusal } from '#core/refusal'
import { carriedBy, currentUnit, type Unit } from '../unit.ts'
import { isBusy, translated } from './sqlite-errors.ts'
import { preparedOn, Statements } from './sqlite-statements.ts'

/** How long a write may wait for its turn; a transaction that waits for a write behind it ends this way as well. */
const LONGEST_WAIT: Millis = 5000
const RETRY: Millis = 1
/**
 * So many turns of the event loop does a group wait at most, while each brings more to it: a COMMIT costs about the same for one
 * write as for twenty. Measured as a tenth more tokens and sign-ons per second of CPU than with one turn.
 */
const MOST_TURNS = 4
/** What somebody is told whose own transaction SQLite has ended. */
export const LOST = 'the transaction was rolled back by an error of the disk'

interface Waiting {
  readonly since: Millis
  /** A write joins the group; a turn gets the connection for itself. */
  readonly write?: () => void
  readonly turn?: () => void
  /** Its COMMIT does not wait for the disk. */
  readonly unsynced?: boolean
  /** Whose turn it is. */
  readonly unit?: Unit | undefined
  readonly reject: (error: unknown) => void
}

/** `PRAGMA synchronous`: the log is written, and the next COMMIT that waits for the disk carries it along. */
const NORMAL = 1

interface Answer {
  readonly settle: () => void
  readonly reject: (error: unknown) => void
}

export class Writer {
  readonly statements: Statements
  readonly #database: DatabaseSync
  readonly #beginStatement: StatementSync
  readonly #commitStatement: StatementSync
  /** As the file was opened, and as it is just now. */
  readonly #synced: number
  #synchronous: number
  #mode: 'idle' | 'group' | 'exclusive' | 'closed' = 'idle'
  #answers: Answer[] = []
  /** Stands for the COMMIT to come; a new one for each group. */
  #group: object = {}
  /** How many have joined the group. */
  #writes = 0
  #waiting: Waiting[] = []
  #commit: NodeJS.Immediate | undefined
  #retry: NodeJS.Timeout | undefined
  #watch: NodeJS.Timeout | undefined

  constructor(database: DatabaseSync) {
    this.#database = database
    this.statements = new Statements(database)
    this.#beginStatement = preparedOn(database, 'BEGIN IMMEDIATE')
    this.#commitStatement = preparedOn(database, 'COMMIT')
    this.#synced = Number(database.prepare('PRAGMA synchronous').get()!['synchronous'])
    this.#synchronous = this.#synced
  }

  /**
   * Runs statements in the group transaction; `run` is synchronous, and where it fails, what it wrote before its failing
   * statement stays: order its statements so that this is harmless. Rejects with its error, or with a refusal.
   */
  write<T>(run: (statements: Statements) => T): Promise<T> {
    const unit = currentUnit()
    return new Promise<T>((resolve, reject) => {
      const write = () => {
        this.#writes++
        try {
          if (unit?.failure !== undefined) throw unit.failure
          const result = run(this.statements)
          if (!unit) this.#answers.push({ settle: () => resolve(result), reject })
          else {
            this.#carry(unit)
            resolve(result)
          }
        } catch (error) {
          const reason = translated(error)
          if (unit) {
            // what it was refused for may be what somebody else in this group has written
            if (this.#database.isTransaction) this.#carry(unit)
            reject(reason)
          } else this.#answers.push({ settle: () => reject(reason), reject })
          // a full disk or a failing one rolls the whole transaction back by itself
          if (!this.#database.isTransaction) this.#endGroup(reason)
        }
      }
      if (this.#waiting.length === 0 && this.#mode === 'group') write()
      else {
        this.#enqueue({ write, reject })
        this.#advance()
      }
    })
  }

  /**
   * This connection's statements where the caller may read by them: what is committed while nothing is open; and within a
   * unit of work also what the open group has written so far, for whose COMMIT the unit then waits.
   */
  get readable(): Statements | undefined {
    if (this.#mode === 'idle') return this.statements
    const unit = this.#mode === 'group' ? currentUnit() : undefined
    if (!unit) return undefined
    this.#carry(unit)
    return this.statements
  }

  /** Whether nothing is open: all that can be read is committed. */
  get idle(): boolean {
    return this.#mode === 'idle'
  }

  #carry(unit: Unit): void {
    const answer = carriedBy(unit, this.#group)
    if (answer) this.#answers.push(answer)
  }

  /** Resolves when this connection is inside a transaction that belongs to the caller alone. */
  begin(unsynced = false): Promise<void> {
    const unit = currentUnit()
    return new Promise((resolve, reject) => {
      this.#enqueue({ turn: resolve, unsynced, unit, reject })
      this.#advance()
    })
  }

  /**
   * In a transaction of its own whose COMMIT does not wait for the disk, for what a power cut may take along: nobody's request
   * stands still for it.
   */
  async writeUnsynced<T>(run: (statements: Statements) => T): Promise<T> {
    await this.begin(true)
    try {
      const result = run(this.statements)
      this.commit()
      return result
    } catch (error) {
      if (this.#mode === 'exclusive') this.rollback()
      throw translated(error)
    }
  }

  /** False after a disk error has ended the transaction by itself: what came now would be outside of any. */
  get inTransaction(): boolean {
    return this.#database.isTransaction
  }

  /** Ends the caller's own transaction. Throws when it could not be committed; it is rolled back then. */
  commit(): void {
    try {
      if (!this.inTransaction) throw new Refusal('storage-unavailable', LOST)
      this.#commitStatement.run()
    } catch (error) {
      this.#rollback()
      throw translated(error)
    } finally {
      this.#mode = 'idle'
      this.#advanceSoon()
    }
  }

  rollback(): void {
    this.#rollback()
    this.#mode = 'idle'
    this.#advanceSoon()
  }

  /** Waits for everything that was asked for before, then refuses all that comes later. */
  async stop(): Promise<void> {
    await this.begin()
    this.#rollback()
    this.#mode = 'closed'
    this.#advance()
  }

  #enqueue(job: Omit<Waiting, 'since'>): void {
    this.#waiting.push({ ...job, since: stopwatch() })
  }

  /** Gives turns in order for as long as that is possible now; whoever still waits then is watched. */
  #advance(): void {
    this.#giveTurns()
    if (this.#waiting.length > 0) this.#watch ??= setTimeout(() => this.#dropOverdue(), LONGEST_WAIT)
    else if (this.#watch) {
      clearTimeout(this.#watch)
      this.#watch = undefined
    }
  }

  #giveTurns(): void {
    while (this.#waiting.length > 0 && this.#mode !== 'exclusive') {
      const first = this.#waiting[0]!
      if (this.#mode === 'closed') {
        this.#waiting.shift()
        first.reject(new Refusal('storage-unavailable', 'the storage is closed'))
        continue
      }
      if (first.turn && this.#mode === 'group') this.#endGroup()
      // only now is it known: that COMMIT may have been the unit's own
      if (first.turn && first.unit?.failure !== undefined) {
        this.#waiting.shift()
        first.reject(first.unit.failure)
        continue
      }
      if (this.#mode === 'idle') {
        try {
          this.#setSynchronous(first.unsynced ? Math.min(this.#synced, NORMAL) : this.#synced)
          this.#beginStatement.run()
        } catch (error) {
          if (isBusy(error)) {
            this.#retry ??= setTimeout(() => {
              this.#retry = undefined
              this.#advance()
            }, RETRY)
            return
          }
          this.#waiting.shift()
          first.reject(translated(error))
          continue
        }
      }
      this.#waiting.shift()
      if (first.turn) {
        this.#mode = 'exclusive'
        first.turn()
      } else {
        if (this.#mode === 'idle') {
          this.#mode = 'group'
          this.#group = {}
          this.#writes = 0
          this.#commitSoon()
        }
        first.write!()
      }
    }
  }

  /** INVARIANT: before each transaction, for whoever did not need the disk may have gone away before its turn came. */
  #setSynchronous(wanted: number): void {
    if (wanted === this.#synchronous) return
    this.#database.exec(`PRAGMA synchronous=${wanted}`)
    this.#synchronous = wanted
  }

  /** Commits once a turn of the event loop has brought nothing more, or enough of them went by. */
  #commitSoon(turn = 1, before = 0): void {
    this.#commit = setImmediate(() => {
      if (turn < MOST_TURNS && this.#writes > before) return this.#commitSoon(turn + 1, this.#writes)
      this.#endGroup()
      this.#advance()
    })
  }

  /** After a transaction the others go on in the next microtask, so that its own caller hears first. */
  #advanceSoon(): void {
    queueMicrotask(() => this.#advance())
  }

  /** Commits the group and answers everybody in it; with `lost` the transaction is already gone. */
  #endGroup(lost?: unknown): void {
    if (this.#mode !== 'group') return
    clearImmediate(this.#commit)
    const answers = this.#answers
    this.#answers = []
    this.#mode = 'idle'
    let failure = lost
    if (failure === undefined) {
      try {
        this.#commitStatement.run()
      } catch (error) {
        failure = translated(error)
        this.#rollback()
      }
    }
    for (const answer of answers) {
      if (failure === undefined) answer.settle()
      else answer.reject(failure)
    }
  }

  #rollback(): void {
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
  }

  #dropOverdue(): void {
    this.#watch = undefined
    const limit = stopwatch() - LONGEST_WAIT
    const overdue = this.#waiting.filter((job) => job.since <= limit)
    this.#waiting = this.#waiting.filter((job) => job.since > limit)
    for (const job of overdue)
      job.reject(new Refusal('storage-unavailable', `a write waited ${LONGEST_WAIT / 1000} s for its turn`))
    const next = this.#waiting[0]
    if (next) this.#watch = setTimeout(() => this.#dropOverdue(), Math.max(1, next.since - limit))
  }
}
