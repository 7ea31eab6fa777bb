/** A search whose answer is larger than anybody wants in memory: page by page (RFC 2696) on one connection. */
import type { Entry, Filter } from 'ldapts'
import { randomNumber } from '#core/random'
import { type Connected, type Server, within } from './ldap-connection.ts'

export interface PagedSearch {
  readonly base: string
  readonly filter: Filter
  readonly attributes: readonly string[]
  /** Whose values are bytes. */
  readonly buffers?: readonly string[]
  /** About so many at once; 250 unless given. */
  readonly size?: number | undefined
}

/** Most servers give 500 or 1,000 at most. */
const PAGE = 250

/** An answer that may not be all there is. */
export class Incomplete extends Error {
  readonly code = 'answer-incomplete'
}

/**
 * Each page within the server's time limit; errors come as they are. A cookie is good for its connection only (RFC 2696
 * §3), so whoever lost the connection begins again. May give entries twice.
 */
export async function* paged(
  { client }: Connected,
  server: Server,
  { base, filter, attributes, buffers = [], size = PAGE }: PagedSearch,
): AsyncGenerator<Entry[]> {
  // another size each time: a last page that is just empty, see below, is then not empty again the next time
  const pageSize = size + (randomNumber() % 16)
  for (const asked of [pageSize, pageSize + 1]) {
    const pages = client.searchPaginated(base, {
      scope: 'sub',
      derefAliases: 'never',
      timeLimit: Math.max(1, Math.floor(server.timeout / 1000)),
      filter,
      attributes: [...attributes],
      explicitBufferAttributes: [...buffers],
      paged: { pageSize: asked },
    })
    for (let first = true; ; first = false) {
      const { value, done } = await within(server.timeout, () => pages.next())
      if (done) return
      const { searchEntries: entries, searchReferences: others } = value
      // ATTACK: a server may send an empty page before the last (RFC 2696 §3), and the client stops there without a word;
      // what came so far would look like everything. It may also be the last: that many fit pages of one size, and not of
      // the next, with which all is read again
      if (entries.length + others.length === 0 && !first) break
      yield entries
    }
  }
  throw new Incomplete('a page without entries')
}
