/** Kysely on `pg`: statements go to whichever connection is free, transactions have one for themselves and take turns. */
import {
  CompiledQuery as Compiled,
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  type QueryResult,
} from 'kysely'
import type { QueryResult as Answer, PoolClient } from 'pg'
import { Refusal } from '#core/refusal'
import { Compiler } from './postgres-compiler.ts'
import { type Connections, lookAgain, type Statement } from './postgres-connections.ts'
import { isSpent } from './postgres-errors.ts'
import { bound } from './postgres-values.ts'
import { isRead } from './reads.ts'

/** Any number that nobody else locks in this database: `portico` as a number. */
const TURN = 7_092_773_489
const FETCHED = 100

export const postgresDialect = (connections: Connections): Dialect => ({
  createAdapter: () => new PostgresAdapter(),
  createDriver: () => createDriver(connections),
  createIntrospector: (db) => new PostgresIntrospector(db),
  createQueryCompiler: () => new Compiler(),
})

const statementOf = ({ sql, parameters }: CompiledQuery): Statement => ({ text: sql, values: bound(parameters) })

const answerOf = <R>({ rows, rowCount }: Answer): QueryResult<R> => ({ rows, numAffectedRows: BigInt(rowCount ?? 0) })

/** What changes a table for everybody may take long, and PostgreSQL's own limit is what counts. */
const isLimited = ({ query }: CompiledQuery): boolean => /^(Select|Insert|Update|Delete)QueryNode$/.test(query.kind)

class Connection implements DatabaseConnection {
  readonly connections: Connections
  /** Of the transaction that is under way. */
  client: PoolClient | undefined
  /** Where it has broken, the client is not for others. */
  spent = false
  /** Lets the next one begin. */
  endTurn: (() => void) | undefined

  constructor(connections: Connections) {
    this.connections = connections
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.client) return answerOf<R>(await this.own(statementOf(query), isLimited(query)))
    const { connections } = this
    return answerOf<R>(
      await (isRead(query) ? connections.read(statementOf(query)) : connections.write(statementOf(query))),
    )
  }

  /** Within the transaction. */
  async own(statement: Statement, limited = true): Promise<Answer> {
    try {
      return await this.connections.on(this.client!, statement, limited)
    } catch (error) {
      if (error instanceof Refusal && isSpent(error.cause)) this.spent = true
      throw error
    }
  }

  giveBack(): void {
    const { client } = this
    this.client = undefined
    lookAgain()
    client?.release(this.spent)
    this.spent = false
    this.endTurn?.()
    this.endTurn = undefined
  }

  /** By a cursor, in a transaction of its own, which is as old as the stream is. */
  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    if (this.client || !isRead(query)) {
      yield await this.executeQuery<R>(query)
      return
    }
    const streaming = new Connection(this.connections)
    streaming.client = await this.connections.take()
    const run = (text: string, values: readonly unknown[] = []) => streaming.own({ text, values })
    try {
      await run('begin isolation level repeatable read, read only')
      const { text, values } = statementOf(query)
      await run(`declare stream no scroll cursor for ${text}`, values)
      for (;;) {
        const { rows } = await run(`fetch ${FETCHED} from stream`)
        for (const row of rows) yield { rows: [row as R] }
        if (rows.length < FETCHED) return
      }
    } finally {
      await run('rollback').catch(() => {})
      streaming.giveBack()
    }
  }
}

function createDriver(connections: Connections): Driver {
  const own = (connection: DatabaseConnection) => connection as Connection
  const run = async (connection: DatabaseConnection, sql: string) => {
    await connection.executeQuery(Compiled.raw(sql))
  }
  // savepoint names are chosen by code, never by people; quoted all the same
  const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`
  const rollback = async (connection: Connection) => {
    if (!connection.client) return
    try {
      await connection.own({ text: 'rollback', values: [] })
    } catch {
      connection.spent = true
    }
    connection.giveBack()
  }
  return {
    init: async () => {},
    acquireConnection: async () => new Connection(connections),
    beginTransaction: async (connection) => {
      const { client, end } = await connections.takeTurn()
      own(connection).client = client
      own(connection).endTurn = end
      try {
        // one after the other over all processes, each as of the moment when its turn comes
        await own(connection).own({ text: `begin; select pg_advisory_xact_lock(${TURN})`, values: [] })
      } catch (error) {
        await rollback(own(connection))
        throw error
      }
    },
    commitTransaction: async (connection) => {
      try {
        const { command } = await own(connection).own({ text: 'commit', values: [] })
        // what PostgreSQL answers where an error before has ended it
        if (command === 'ROLLBACK') throw new Refusal('storage-unavailable', 'the transaction was ended by an error')
      } finally {
        own(connection).giveBack()
      }
    },
    rollbackTransaction: (connection) => rollback(own(connection)),
    savepoint: (connection, name) => run(connection, `savepoint ${quoted(name)}`),
    rollbackToSavepoint: (connection, name) => run(connection, `rollback to savepoint ${quoted(name)}`),
    releaseSavepoint: (connection, name) => run(connection, `release savepoint ${quoted(name)}`),
    releaseConnection: (connection) => rollback(own(connection)),
    destroy: async () => {},
  }
}
