/**
 * SQLite, embedded: one file, one writing and one reading connection in this process, any number of other processes.
 * `sqlite::memory:` is a file in the folder for temporary files that is removed at closing, so that tests meet the very
 * behaviour of production (two connections, group commit) without waiting for the disk.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CompiledQuery, Kysely } from 'kysely'
import type { RecordsDriver } from '../driver.ts'
import type { Prepare } from '../records.ts'
import { isRead } from './reads.ts'
import { copyFile, draftOf, putInPlace, removeDraft } from './sqlite-copy.ts'
import { type SqliteConnections, sqliteDialect } from './sqlite-dialect.ts'
import { translated } from './sqlite-errors.ts'
import { openFile, peekFile } from './sqlite-file.ts'
import { createKeep } from './sqlite-kept.ts'
import { createRead, type Read } from './sqlite-reader.ts'
import { createSqliteState } from './sqlite-state.ts'
import { Statements } from './sqlite-statements.ts'
import { Writer } from './sqlite-writer.ts'

export const sqliteDriver: RecordsDriver = Object.freeze({
  schemes: ['sqlite'],
  copies: { copy: copyFile, draft: draftOf, remove: removeDraft, put: putInPlace },

  async open(place: string, { clock }: Parameters<RecordsDriver['open']>[1]) {
    const temporary = place === ':memory:' ? mkdtempSync(join(tmpdir(), 'portico-')) : undefined
    const file = openFile(temporary ? join(temporary, 'memory.db') : place, { durable: temporary === undefined })
    const writer = new Writer(file.writer)
    const read = createRead(writer, new Statements(file.reader))
    const keep = createKeep(writer)
    let closing: Promise<void> | undefined
    const connections: SqliteConnections = {
      read,
      writer,
      openReader: file.openReader,
      close: async () => {},
    }
    const close = async () => {
      // Kysely needs some microtasks until a query that was asked for arrives here
      await new Promise(setImmediate)
      await writer.stop()
      file.reader.close()
      // the last connection to close moves the write-ahead log into the file
      file.writer.close()
      if (temporary) rmSync(temporary, { recursive: true, force: true })
    }
    return {
      records: new Kysely({ dialect: sqliteDialect(connections) }),
      // nobody is told anything yet, and what a power cut takes along is done again at the next start
      migrating: new Kysely({ dialect: sqliteDialect({ ...connections, unsynced: true }) }),
      state: createSqliteState({ read, writer, clock, keep }),
      unsynced: createSqliteState({
        ...{ read, clock, keep },
        writer: { statements: writer.statements, write: (run) => writer.writeUnsynced(run) },
      }),
      prepare: createPrepare(read, writer),
      keep,
      close: () => (closing ??= close()),
    }
  },

  async peek(place: string) {
    const database = place === ':memory:' ? undefined : peekFile(place)
    if (!database) return undefined
    const reader = new Statements(database)
    const connections: SqliteConnections = {
      read: (run) => run(reader),
      openReader: () => peekFile(place)!,
      close: async () => {},
    }
    return {
      records: new Kysely({ dialect: sqliteDialect(connections) }),
      close: async () => {
        if (database.isOpen) database.close()
      },
    }
  },
})

const createPrepare =
  (read: Read, writer: Writer): Prepare =>
  <R>(query: CompiledQuery<R>) => {
    const { sql } = query
    if (!isRead(query)) return (parameters) => writer.write((statements) => statements.execute<R>(sql, parameters))
    return async (parameters) => {
      try {
        return read((statements) => statements.execute<R>(sql, parameters))
      } catch (error) {
        throw translated(error)
      }
    }
  }
