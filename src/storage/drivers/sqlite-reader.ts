/**
 * Where a read goes. The writing connection knows its own pages by heart, while a second one has to read them anew after
 * each commit: so reads go there wherever it shows nothing that the caller must not see, and to a second one otherwise.
 */
import { isBusy } from './sqlite-errors.ts'
import type { Statements } from './sqlite-statements.ts'
import type { Writer } from './sqlite-writer.ts'

export type Read = <T>(run: (statements: Statements) => T) => T

export const createRead =
  (writer: Writer, second: Statements): Read =>
  (run) => {
    const { readable } = writer
    if (!readable) return run(second)
    try {
      return run(readable)
    } catch (error) {
      // another process recovers or removes the write-ahead log: the second connection waits for that
      if (!isBusy(error)) throw error
      return run(second)
    }
  }
