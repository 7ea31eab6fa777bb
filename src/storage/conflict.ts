/** SQLITE_CONSTRAINT_PRIMARYKEY and SQLITE_CONSTRAINT_UNIQUE. */
const SQLITE = new Set([1555, 2067])
/** `unique_violation` of PostgreSQL. */
const POSTGRES = '23505'

/** Whether a write failed because a row with this unique value is already there. */
export const isConflict = (error: unknown): boolean => {
  const { errcode = 0, code } = (error ?? {}) as { errcode?: number; code?: unknown }
  return SQLITE.has(errcode) || code === POSTGRES
}
