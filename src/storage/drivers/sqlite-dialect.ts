/** Kysely on `node:sqlite`: selects go to the reader, writes join the group commit, transactions have the writer alone. */

import type { DatabaseSync } from 'node:sqlite'
import {
  CompiledQuery as Compiled,
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import { Refusal } from '#core/refusal'
import { settled } from '../unit.ts'
import { isRead } from './reads.ts'
import { translated } from './sqlite-errors.ts'
import type { Read } from './sqlite-reader.ts'
import { bound, type Statements } from './sqlite-statements.ts'
import { LOST, type Writer } from './sqlite-writer.ts'

/** Kysely would otherwise let only one query run at a time, and a group could never form. */
class ManyConnectionsAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true
  }
}

export interface SqliteConnections {
  readonly read: Read
  /** Absent where the file was opened for looking only. */
  readonly writer?: Writer
  /** No transaction waits for the disk. */
  readonly unsynced?: true
  /** A connection of its own for one stream: an unfinished read would hold the shared reader at an old moment. */
  openReader(): DatabaseSync
  close(): Promise<void>
}

export const sqliteDialect = (connections: SqliteConnections): Dialect => ({
  createAdapter: () => new ManyConnectionsAdapter(),
  createDriver: () => createDriver(connections),
  createIntrospector: (db) => new SqliteIntrospector(db),
  createQueryCompiler: () => new SqliteQueryCompiler(),
})

function execute<R>(statements: Statements, query: CompiledQuery): QueryResult<R> {
  const { rows, changes } = statements.execute<R>(query.sql, query.parameters)
  return { rows, numAffectedRows: BigInt(changes) }
}

class Connection implements DatabaseConnection {
  readonly #connections: SqliteConnections
  ownsTransaction = false

  constructor(connections: SqliteConnections) {
    this.#connections = connections
  }

  get writer(): Writer {
    const { writer } = this.#connections
    if (!writer) throw new Refusal('storage-unavailable', 'the database was opened for reading only')
    return writer
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.ownsTransaction && !this.writer.inTransaction) {
      throw new Refusal('storage-unavailable', LOST)
    }
    try {
      if (this.ownsTransaction) return execute<R>(this.writer.statements, query)
      if (isRead(query)) return this.#connections.read((statements) => execute<R>(statements, query))
    } catch (error) {
      throw translated(error)
    }
    return this.writer.write((statements) => execute<R>(statements, query))
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    if (this.ownsTransaction || !isRead(query)) {
      yield await this.executeQuery<R>(query)
      return
    }
    await settled()
    const database = this.#connections.openReader()
    try {
      for (const row of database.prepare(query.sql).iterate(...bound(query.parameters))) yield { rows: [row as R] }
    } catch (error) {
      throw translated(error)
    } finally {
      database.close()
    }
  }
}

function createDriver(connections: SqliteConnections): Driver {
  const own = (connection: DatabaseConnection) => connection as Connection
  const run = async (connection: DatabaseConnection, sql: string) => {
    await connection.executeQuery(Compiled.raw(sql))
  }
  // savepoint names are chosen by code, never by people; quoted all the same
  const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`
  return {
    init: async () => {},
    acquireConnection: async () => new Connection(connections),
    beginTransaction: async (connection) => {
      await own(connection).writer.begin(connections.unsynced)
      own(connection).ownsTransaction = true
    },
    commitTransaction: async (connection) => {
      own(connection).ownsTransaction = false
      own(connection).writer.commit()
    },
    rollbackTransaction: async (connection) => {
      if (!own(connection).ownsTransaction) return
      own(connection).ownsTransaction = false
      own(connection).writer.rollback()
    },
    savepoint: (connection, name) => run(connection, `savepoint ${quoted(name)}`),
    rollbackToSavepoint: (connection, name) => run(connection, `rollback to ${quoted(name)}`),
    releaseSavepoint: (connection, name) => run(connection, `release ${quoted(name)}`),
    releaseConnection: async (connection) => {
      if (!own(connection).ownsTransaction) return
      own(connection).ownsTransaction = false
      own(connection).writer.rollback()
    },
    destroy: () => connections.close(),
  }
}
