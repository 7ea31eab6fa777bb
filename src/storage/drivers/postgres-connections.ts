/**
 * The connections of this process to PostgreSQL. A statement by itself is a transaction by itself on whichever connection is
 * free, durable when its promise resolves; PostgreSQL puts the commits of several connections together by itself.
 *
 * INVARIANT: within a unit of work (`unit.ts`) its statements see what it has written before, in the order in which they were
 * asked for; the unit waits for all of them, and is refused where one of them was lost.
 */
import type { Pool, PoolClient, QueryResult } from 'pg'
import type { Millis } from '#core/clock'
import { Refusal } from '#core/refusal'
import type { ConnectionLoad } from '../driver.ts'
import { carriedBy, currentUnit, type Unit } from '../unit.ts'
import type { Address } from './postgres-address.ts'
import { isCrossed, isCut, isOutdated, isSpent, translated } from './postgres-errors.ts'
import { types } from './postgres-values.ts'
import { createTurns } from './turns.ts'

/** For a connection, new or free; and for the turn of a transaction. */
const LONGEST_WAIT: Millis = 5000
/** For one statement; PostgreSQL ends it. What does not answer even then is given up a little later. */
const LONGEST_STATEMENT: Millis = 15_000
const NO_ANSWER: Millis = LONGEST_STATEMENT + 5000
/** Between two statements of a transaction, for which everybody else's waits. */
const LONGEST_IDLE: Millis = 10_000
const MOST_TRIES = 8

export interface Statement {
  readonly text: string
  readonly values: readonly unknown[]
  /** Prepared once for each connection, under this name. */
  readonly name?: string
}

/** Whatever a unit has found out about the writes of all was before one of its own. */
export function lookAgain(unit = currentUnit()): void {
  if (unit) unit.lookedBy = undefined
}

const SETTINGS = [
  `statement_timeout=${LONGEST_STATEMENT}`,
  `lock_timeout=${LONGEST_WAIT}`,
  `idle_in_transaction_session_timeout=${LONGEST_IDLE}`,
  'default_transaction_isolation=read\\ committed',
  'standard_conforming_strings=on',
]

export async function createPool(address: Address, settings: readonly string[] = []): Promise<Pool> {
  // not loaded where nobody needs it
  const { default: pg } = await import('pg')
  const { host, port, user, password, database, ssl, connections } = address
  const pool = new pg.Pool({
    host,
    port,
    user,
    // a function, so that an empty one is not looked for in the environment or in somebody's home
    password: () => password,
    database,
    ssl,
    max: connections,
    types,
    application_name: 'portico',
    options: [...SETTINGS, ...settings].map((one) => `-c ${one}`).join(' '),
    keepAlive: true,
    connectionTimeoutMillis: LONGEST_WAIT,
    idleTimeoutMillis: 60_000,
  })
  // a connection that breaks while nobody asks it anything; whoever asks next hears of it, or gets another one
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}

export class Connections {
  readonly #pool: Pool
  readonly #running = new Set<Promise<unknown>>()
  /** The last write of each unit that has any under way. */
  readonly #tails = new WeakMap<Unit, Promise<unknown>>()
  /** Those who wait hold no connection: whoever has the turn may need a second one to look something up. */
  readonly #turns = createTurns(LONGEST_WAIT)
  #closed = false

  constructor(pool: Pool) {
    this.#pool = pool
  }

  load(): ConnectionLoad {
    const { totalCount, idleCount, waitingCount } = this.#pool
    return { busy: totalCount - idleCount, idle: idleCount, waiting: waitingCount + this.#turns.waiting() }
  }

  /** What the statement finds; asked again where the connection breaks, for it changes nothing. */
  async read(statement: Statement): Promise<QueryResult> {
    this.#refuseClosed()
    const before = this.#before()
    const run = () => this.#attempt(statement, (error) => isCrossed(error) || isOutdated(error) || isCut(error))
    return this.#track(before ? before.then(run) : run())
  }

  /**
   * Resolves when it is committed. `again` says after which of its errors it is tried again, which must be ones after which
   * nothing of it has happened.
   */
  async write(statement: Statement, again: (error: unknown) => boolean = () => false): Promise<QueryResult> {
    this.#refuseClosed()
    const mayAgain = (error: unknown) => isCrossed(error) || isOutdated(error) || again(error)
    const unit = currentUnit()
    if (!unit) return this.#track(this.#attempt(statement, mayAgain))
    // what is looked at from now on waits for this one
    lookAgain(unit)
    const before = this.#tails.get(unit)
    const run = () => {
      if (unit.failure !== undefined) throw unit.failure
      return this.#attempt(statement, mayAgain)
    }
    const carried = carriedBy(unit, statement)
    const done = (before ? before.then(run) : (async () => run())()).then(
      (result) => {
        carried?.settle()
        return result
      },
      (error) => {
        // a refusal of the storage: nobody knows what the unit would be built on
        if (error instanceof Refusal) carried?.reject(error)
        else carried?.settle()
        throw error
      },
    )
    this.#follow(unit, done)
    return this.#track(done)
  }

  /** A connection that belongs to the caller alone, after what the unit has written; to be given back by `release`. */
  async take(): Promise<PoolClient> {
    this.#refuseClosed()
    const before = this.#before()
    if (before) await before
    const unit = currentUnit()
    if (unit?.failure !== undefined) throw unit.failure
    return this.#connect()
  }

  /** The same for a transaction, of which this process has one at a time; `end` comes after the release. */
  async takeTurn(): Promise<{ readonly client: PoolClient; readonly end: () => void }> {
    this.#refuseClosed()
    const end = await this.#turns.take()
    try {
      return { client: await this.take(), end }
    } catch (error) {
      end()
      throw error
    }
  }

  /** One statement on a connection that was taken. */
  async on(client: PoolClient, statement: Statement, limited = true): Promise<QueryResult> {
    try {
      return await send(client, statement, limited)
    } catch (error) {
      throw translated(error)
    }
  }

  /** Waits for what was asked for before, then refuses all that comes later. */
  async close(): Promise<void> {
    // Kysely needs some microtasks until a query that was asked for arrives here
    await new Promise(setImmediate)
    this.#closed = true
    await Promise.allSettled(this.#running)
    await this.#pool.end()
  }

  #before(): Promise<unknown> | undefined {
    const unit = currentUnit()
    return unit && this.#tails.get(unit)
  }

  #follow(unit: Unit, done: Promise<unknown>): void {
    // whoever comes behind goes on whatever became of it
    const tail: Promise<void> = done.then(
      () => this.#leave(unit, tail),
      () => this.#leave(unit, tail),
    )
    this.#tails.set(unit, tail)
  }

  #leave(unit: Unit, tail: Promise<unknown>): void {
    if (this.#tails.get(unit) === tail) this.#tails.delete(unit)
  }

  #track<T>(promise: Promise<T>): Promise<T> {
    const done = promise.then(
      () => {},
      () => {},
    )
    this.#running.add(done)
    done.then(() => this.#running.delete(done))
    return promise
  }

  #refuseClosed(): void {
    if (this.#closed) throw new Refusal('storage-unavailable', 'the storage is closed')
  }

  async #connect(): Promise<PoolClient> {
    try {
      return await this.#pool.connect()
    } catch (error) {
      throw translated(error)
    }
  }

  async #attempt(statement: Statement, again: (error: unknown) => boolean): Promise<QueryResult> {
    for (let tries = 1; ; tries++) {
      const client = await this.#connect()
      try {
        const result = await send(client, statement, true)
        client.release()
        return result
      } catch (error) {
        client.release(isSpent(error))
        if (tries === MOST_TRIES || !again(error)) throw translated(error)
        // the other one of two that were in each other's way is through by then
        await new Promise((resolve) => setTimeout(resolve, tries * tries))
      }
    }
  }
}

const send = (client: PoolClient, { text, values, name }: Statement, limited: boolean): Promise<QueryResult> =>
  client.query({
    text,
    values: values as unknown[],
    ...(name === undefined ? {} : { name }),
    ...(limited ? { query_timeout: NO_ANSWER } : {}),
  })
