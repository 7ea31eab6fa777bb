/** Which queries only read. */
import type { CompiledQuery } from 'kysely'

/** A select without `returning` cannot write; a raw statement is judged by its first word. */
export const isRead = (query: CompiledQuery): boolean =>
  query.query.kind === 'SelectQueryNode' ||
  (query.query.kind === 'RawNode' && /^\s*(select|explain)\b/i.test(query.sql))
