/**
 * Nothing is kept: PostgreSQL tells by `notify` some time after a commit, and a question must not be answered by what was
 * before it. So every row is read when it is asked for (record 26).
 */
import type { Keep } from '../kept.ts'

export const keepNothing: Keep = (_table, _column, load) => ({ of: load, known: () => undefined })
