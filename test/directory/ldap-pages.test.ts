/** Paged answers: a last page that is just empty is no failure, one that comes in between is no end. */
import { type Entry, PresenceFilter } from 'ldapts'
import { expect, test } from 'vitest'
import type { Connected, Server } from '../../src/directory/kinds/ldap-connection.ts'
import { Incomplete, paged } from '../../src/directory/kinds/ldap-pages.ts'

const SERVER: Server = { host: '127.0.0.1', port: 389, tls: 'none', ca: undefined, timeout: 1000 }
const SEARCH = { base: 'dc=x', filter: new PresenceFilter({ attribute: 'cn' }), attributes: ['cn'], size: 20 }

/** A server that has so many entries, and gives them with an empty page wherever `empty` says. */
function serverWith(count: number, empty: (page: number, pages: number) => boolean): Connected {
  async function* searchPaginated(_base: string, { paged: { pageSize } }: { paged: { pageSize: number } }) {
    const pages = Math.ceil(count / pageSize)
    const last = count % pageSize === 0 ? pages : pages - 1
    for (let page = 0; page <= last; page++) {
      const none = empty(page, pages)
      const all = Array.from({ length: pageSize }, (_, i) => page * pageSize + i).filter((number) => number < count)
      yield { searchEntries: none ? [] : all.map((number) => ({ dn: `cn=${number}` })), searchReferences: [] }
      // the client stops at an empty page
      if (none) return
    }
  }
  return { client: { searchPaginated }, socket: undefined } as unknown as Connected
}

async function read(connected: Connected): Promise<Set<string>> {
  const seen = new Set<string>()
  for await (const page of paged(connected, SERVER, SEARCH)) for (const { dn } of page as Entry[]) seen.add(dn)
  return seen
}

test('any number of entries is read whole, also where the last page is empty', async () => {
  for (let count = 1; count <= 150; count++)
    expect((await read(serverWith(count, () => false))).size, String(count)).toBe(count)
})

test('an empty page before the last is never taken for the end', async () => {
  for (const count of [60, 100, 150])
    await expect(read(serverWith(count, (page) => page === 1))).rejects.toBeInstanceOf(Incomplete)
})
