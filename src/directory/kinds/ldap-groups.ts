/**
 * The groups that hold a person: asked for by `group_filter`, or read from the person's `memberOf`; groups in groups by
 * the server's own rule, or level by level.
 *
 * INVARIANT: all of them or none. Past the limits an Error `group-limit` is thrown, where one of them has a name that is no
 * text an Error `group-unreadable`, and the groups are unknown.
 * ATTACK: whoever can put groups into each other, round in a circle or a thousand deep, must neither keep us busy nor
 * fill the memory; and a list that was cut somewhere would miss the group by which a policy refuses.
 */
import { type Entry, EqualityFilter, type Filter, OrFilter } from 'ldapts'
import type { Connected } from './ldap-connection.ts'
import { isBelow, keyOfDn, nameIn } from './ldap-dn.ts'
import type { LdapSettings } from './ldap-entry.ts'
import type { FilterTemplate } from './ldap-filter.ts'
import { type AskRange, everyValue, rangeSearch } from './ldap-ranges.ts'
import { bytesOf, texts, UNREADABLE } from './ldap-values.ts'

export interface Group {
  readonly dn: string
  readonly name: string
}

export interface GroupSearch {
  /** What it needs to know of the person's entry. */
  readonly attributes: readonly string[]
  of(connected: Connected, entry: Entry, username: string): Promise<readonly Group[]>
}

/** Search requests have to end somewhere as well: so many groups are asked about at once. */
const AT_ONCE = 250
const PAGE = 250
/** [MS-ADTS] 3.1.1.4.5: a security identifier, and the last part of it that says which group is the person's primary one. */
const SID = 'objectSid'
const PRIMARY = 'primaryGroupID'

type SearchOptions = Omit<NonNullable<Parameters<Connected['client']['search']>[1]>, 'filter' | 'attributes' | 'paged'>

export function createGroupSearch(
  settings: LdapSettings,
  template: FilterTemplate,
  options: SearchOptions,
): GroupSearch {
  const base = settings.group_base_dn ?? settings.base_dn
  const nameAttribute = settings.attributes.group
  const { most, depth } = settings.groups
  const isActiveDirectory = settings.template === 'active-directory'
  /** Where the primary group of a SID was last found: its groups are asked for in the same request as the person's. */
  const primaries = new Map<string, string>()

  /** One person's groups as they are collected, each once. */
  function collection() {
    const found = new Map<string, Group>()
    const seen = new Set<string>()
    return {
      all: (): readonly Group[] => [...found.values()],
      /** Whether this DN was not there before. */
      isNew(dn: string): boolean {
        const key = keyOfDn(dn)
        if (seen.has(key)) return false
        seen.add(key)
        if (seen.size > most) throw limit()
        return true
      },
      add: (dn: string, name: string | undefined) => void (name && found.set(keyOfDn(dn), { dn, name })),
    }
  }

  /** Page by page, and no further than the limit, whatever the server would send. */
  async function search({ client }: Connected, filter: Filter, attributes: string[]): Promise<Entry[]> {
    const all: Entry[] = []
    const asked = { ...options, filter, attributes, paged: { pageSize: PAGE }, explicitBufferAttributes: [SID] }
    for await (const { searchEntries } of client.searchPaginated(base, asked)) {
      all.push(...searchEntries)
      if (all.length > most) throw limit()
    }
    return all
  }

  async function searchMany(connected: Connected, filters: readonly Filter[], attributes: string[]): Promise<Entry[]> {
    const all: Entry[] = []
    for (let at = 0; at < filters.length; at += AT_ONCE)
      all.push(...(await search(connected, anyOf(filters.slice(at, at + AT_ONCE)), attributes)))
    return all
  }

  /** From `first` upwards; `above` answers what holds the groups of one level. */
  async function walk(first: readonly string[], above: (dns: readonly string[]) => Promise<readonly string[]>) {
    let level = first
    for (let at = 0; level.length > 0; at++) {
      // a group more than so deep is there: what else it leads to nobody looks for
      if (at > depth) throw limit()
      level = await above(level)
    }
  }

  const named = (entry: Entry): string | undefined => texts(entry, nameAttribute)[0]

  async function bySearch(connected: Connected, entry: Entry, username: string): Promise<readonly Group[]> {
    const groups = collection()
    // a DN that was no text is another one by now, and nobody would be in any group by it
    if (entry.dn.includes(UNREADABLE))
      await connected.client.search(entry.dn, { ...options, ...rangeSearch('1.1') }).catch(() => {
        throw unreadable()
      })
    const holding = (dn: string) => template.fill({ dn, username })
    const take = (entries: readonly Entry[]): string[] =>
      entries.flatMap((one) => {
        if (one.dn === '' || !groups.isNew(one.dn)) return []
        groups.add(one.dn, named(one))
        return [one.dn]
      })
    const sid = isActiveDirectory ? primarySid(entry) : undefined
    const known = sid && primaries.get(sid.toString('hex'))
    const first = [holding(entry.dn), ...(sid ? [equals(SID, sid)] : []), ...(known ? [holding(known)] : [])]
    const entries = await search(connected, anyOf(first), [nameAttribute, ...(sid ? [SID] : [])])
    let level = take(entries)
    // the primary group of a person holds them without saying so, and so do the groups above it
    const primary = sid && entries.find((one) => bytesOf(one, SID)?.equals(sid))?.dn
    if (primary && primary !== known) {
      level = [...level, ...take(await search(connected, holding(primary), [nameAttribute]))]
      if (primaries.size > most) primaries.clear()
      primaries.set(sid.toString('hex'), primary)
    }
    if (settings.nested_groups)
      await walk(level, async (dns) => take(await searchMany(connected, dns.map(holding), [nameAttribute])))
    return groups.all()
  }

  /** Without a request where the names stand in the DNs themselves and groups in groups do not count. */
  async function byMemberOf(connected: Connected, entry: Entry): Promise<readonly Group[]> {
    const groups = collection()
    const fresh = (dns: readonly string[]) => dns.filter((dn) => isBelow(dn, base) && groups.isNew(dn))
    const at = isActiveDirectory ? 'distinguishedName' : 'entryDN'
    const wanted = [nameAttribute, 'memberOf']
    const read = async (filters: readonly Filter[]): Promise<Entry[]> => {
      const entries = await searchMany(connected, filters, wanted)
      for (const one of entries) groups.add(one.dn, named(one))
      return entries
    }
    const further: AskRange = async (dn, attribute) =>
      (await connected.client.search(dn, { ...options, ...rangeSearch(attribute) })).searchEntries[0]
    const holding = async (one: Entry): Promise<string[]> => {
      const all: string[] = []
      for await (const values of everyValue(one, 'memberOf', further))
        all.push(
          ...fresh(
            values.map((dn) => {
              if (dn === undefined) throw unreadable()
              return dn
            }),
          ),
        )
      return all
    }
    let first = await holding(entry)
    const sid = isActiveDirectory ? primarySid(entry) : undefined
    if (sid) {
      const [primary] = await read([equals(SID, sid)])
      if (primary && groups.isNew(primary.dn)) first = [...first, primary.dn]
    }
    if (settings.nested_groups)
      await walk(first, async (dns) => {
        const above: string[] = []
        for (const one of await read(dns.map((dn) => equals(at, dn)))) above.push(...(await holding(one)))
        return above
      })
    else {
      const unnamed = first.filter((dn) => nameIn(dn, nameAttribute) === undefined)
      for (const dn of first) groups.add(dn, nameIn(dn, nameAttribute))
      await read(unnamed.map((dn) => equals(at, dn)))
    }
    return groups.all()
  }

  const own = isActiveDirectory ? [SID, PRIMARY] : []
  return settings.groups_from === 'search'
    ? { attributes: own, of: bySearch }
    : { attributes: [...own, 'memberOf'], of: byMemberOf }
}

const unreadable = (): Error => Object.assign(new Error('a group whose name is no text'), { code: 'group-unreadable' })
const limit = (): Error => Object.assign(new Error('more groups than the settings allow'), { code: 'group-limit' })
const equals = (attribute: string, value: string | Buffer) => new EqualityFilter({ attribute, value })
const anyOf = (filters: readonly Filter[]): Filter =>
  filters.length === 1 ? filters[0]! : new OrFilter({ filters: [...filters] })

/** The person's SID with its last part, 32 bits little-endian, replaced by that of the primary group ([MS-DTYP] 2.4.2.2). */
export function primarySid(entry: Entry): Buffer | undefined {
  const sid = bytesOf(entry, SID)
  const group = texts(entry, PRIMARY)[0]
  if (!sid || sid.length < 12 || group === undefined || !/^\d{1,10}$/.test(group) || Number(group) > 0xffffffff)
    return undefined
  const result = Buffer.from(sid)
  result.writeUInt32LE(Number(group), result.length - 4)
  return result
}
