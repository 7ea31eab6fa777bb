/** SQLITE_CONSTRAINT_PRIMARYKEY and SQLITE_CONSTRAINT_UNIQUE. */
const SQLITE = new Set([1555, 2067])

/** Whether a write failed because a row with this unique value is already there. */
export const isConflict = (error: unknown): boolean => SQLITE.has((error as { errcode?: number } | null)?.errcode ?? 0)
