/** Prepared statements of one connection, compiled once and kept; the longest unused leave first. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { refuseTooLarge } from '../too-large.ts'

const MOST_KEPT = 500

/**
 * Prepares a statement. Of one that yields no rows Node tells, each time, the last number that was inserted on its connection, whatever the statement
 * was, and throws where that is beyond 2^53, though the statement has happened: a COMMIT as well. As `bigint` it never does.
 */
export function preparedOn(database: DatabaseSync, sql: string): StatementSync {
  const statement = database.prepare(sql)
  if (statement.columns().length === 0) statement.setReadBigInts(true)
  return statement
}

export interface Prepared {
  readonly statement: StatementSync
  /** Whether running it yields rows: `select`, or anything with `returning`. */
  readonly yieldsRows: boolean
}

export class Statements {
  readonly database: DatabaseSync
  readonly #kept = new Map<string, Prepared>()
  readonly #own = new Map<string, StatementSync>()

  constructor(database: DatabaseSync) {
    this.database = database
  }

  prepare(sql: string): Prepared {
    const found = this.#kept.get(sql)
    if (found) {
      this.#kept.delete(sql)
      this.#kept.set(sql, found)
      return found
    }
    const statement = preparedOn(this.database, sql)
    const prepared = { statement, yieldsRows: statement.columns().length > 0 }
    this.#kept.set(sql, prepared)
    if (this.#kept.size > MOST_KEPT) this.#kept.delete(this.#kept.keys().next().value!)
    return prepared
  }

  /** A statement of our own code: there are few of them, and they stay. */
  keep(sql: string): StatementSync {
    let statement = this.#own.get(sql)
    if (!statement) {
      statement = preparedOn(this.database, sql)
      this.#own.set(sql, statement)
    }
    return statement
  }

  execute<R>(sql: string, parameters: readonly unknown[]): { rows: R[]; changes: number } {
    const { statement, yieldsRows } = this.prepare(sql)
    if (yieldsRows) {
      const rows = statement.all(...bound(parameters)) as R[]
      return { rows, changes: rows.length }
    }
    return { rows: [], changes: Number(statement.run(...bound(parameters)).changes) }
  }
}

/** SQLite has no booleans; everything else Kysely hands over it knows or refuses itself. Throws for what could not be read again. */
export function bound(parameters: readonly unknown[]): SQLInputValue[] {
  return parameters.map((value) => {
    if (typeof value === 'boolean') return value ? 1 : 0
    refuseTooLarge(value)
    return value === undefined ? null : (value as SQLInputValue)
  })
}
