/**
 * Who is in which groups, read from the groups: one pass over all of them instead of a question for each person. Says what
 * the search of a sign-in (`group_filter`) would say for each person, or that it cannot.
 */
import { AndFilter, type Entry, EqualityFilter, type Filter, PresenceFilter } from 'ldapts'
import { type Connected, type Server, within } from './ldap-connection.ts'
import { keyOfDn } from './ldap-dn.ts'
import { createGroupNames } from './ldap-group-names.ts'
import { type Group, primarySid } from './ldap-groups.ts'
import { paged } from './ldap-pages.ts'
import { type AskRange, everyValue, rangeSearch } from './ldap-ranges.ts'
import type { Ldap } from './ldap-use.ts'
import { bytesOf, texts, UNREADABLE } from './ldap-values.ts'

/** LDAP_MATCHING_RULE_IN_CHAIN of Active Directory: groups in groups count ([MS-ADTS] 3.1.1.3.4.4.3). */
const IN_CHAIN = '1.2.840.113556.1.4.1941'
/** A group can be large, so fewer of them at once than of people. */
const GROUPS_AT_ONCE = 20

export interface Members {
  readonly groups: number
  /** What groups are called here, of somebody by their place; undefined past the limits of the settings, and where it may not be told. */
  of(place: string): string[] | undefined
}

/** How groups name an entry: one line for each way. */
export function placeOf({ groupFilter, settings }: Ldap, entry: Entry, usernames: readonly string[]): string {
  const keys = groupFilter.compared.flatMap(({ template }) =>
    template === '{dn}' ? [byDn(entry.dn)] : usernames.map((name) => byName(name)),
  )
  const sid = settings.template === 'active-directory' ? primarySid(entry) : undefined
  return [...new Set([...keys, ...(sid ? [bySid(sid)] : [])])].join('\n')
}

const SID = 'objectSid'
const byDn = (dn: string) => `dn ${keyOfDn(dn)}`
/** The primary group of a person in Active Directory holds them without saying so. */
const bySid = (sid: Buffer) => `sid ${sid.toString('hex')}`
const byName = (name: string) => `name ${name.normalize('NFC').trim().toLowerCase()}`

/** Whether `readMembers` can answer what this `group_filter` asks. */
export const canReadMembers = ({ settings, groupFilter: { anyOf, compared } }: Ldap): boolean =>
  settings.groups_from === 'search' &&
  anyOf &&
  compared.every(
    ({ template, rule }) =>
      (template === '{dn}' || template === '{username}') &&
      (rule === undefined || (rule === IN_CHAIN && template === '{dn}')),
  )

interface GroupSearch {
  readonly base: string
  readonly filter: Filter
  /**
   * `holding`: people are in them, as they say. `primary`: any group can be somebody's primary one, which says nothing of
   * it and need not hold anybody else. `leading`: nobody is in them by that, they only lead on to others.
   */
  readonly as: 'holding' | 'primary' | 'leading'
}

const isChain = ({ groupFilter }: Ldap): boolean => groupFilter.compared.some(({ rule }) => rule === IN_CHAIN)
const holdersOf = ({ groupFilter }: Ldap): string[] => [
  ...new Set(groupFilter.compared.map(({ attribute }) => attribute)),
]

/** Where groups are found. `root`: for servers that walk through groups wherever these stand. */
function groupSearches(ldap: Ldap, root: string | undefined): readonly GroupSearch[] {
  const { settings, groupFilter } = ldap
  const base = settings.group_base_dn ?? settings.base_dn
  const searches: GroupSearch[] = [{ base, filter: groupFilter.anybody, as: 'holding' }]
  if (settings.template === 'active-directory')
    searches.push({ base, filter: new EqualityFilter({ attribute: 'objectClass', value: 'group' }), as: 'primary' })
  const filters = holdersOf(ldap).map((attribute) => new PresenceFilter({ attribute }))
  if (isChain(ldap) && root !== undefined)
    searches.push({ base: root, filter: new AndFilter({ filters }), as: 'leading' })
  return searches
}

/** The same groups as `readMembers` reads, each once, with their stamps and without their members. */
export async function* groupHeads(
  ldap: Ldap,
  connected: Connected,
  server: Server,
  { root, stamp }: { root: string | undefined; stamp: string },
): AsyncGenerator<Entry> {
  const known = new Set<string>()
  for (const { base, filter } of groupSearches(ldap, root))
    for await (const page of paged(connected, server, { base, filter, attributes: [stamp] }))
      for (const entry of page) {
        const key = keyOfDn(entry.dn)
        if (known.has(key)) continue
        known.add(key)
        yield entry
      }
}

/** `root` as for `groupSearches`; `seen` is told of every group once. */
export async function readMembers(
  ldap: Ldap,
  connected: Connected,
  server: Server,
  { root, stamps, seen }: { root: string | undefined; stamps: readonly string[]; seen: (entry: Entry) => void },
): Promise<Members> {
  const { settings, groupFilter } = ldap
  const { compared } = groupFilter
  const chain = isChain(ldap)
  const nested = chain || settings.nested_groups
  const namesOf = createGroupNames(settings)
  const holders = holdersOf(ldap)
  const sids = settings.template === 'active-directory' ? [SID] : []
  const groups: Group[] = []
  /** By key of a member: numbers of groups. */
  const memberships = new Map<string, number[]>()
  /** Of groups that can be members of others, by their number. */
  const keys: string[] = []
  /** Whether some group holds somebody whose name is no text: one of those whose own DN is none. */
  let unreadable = false
  const known = new Set<string>()
  const told = new Set<string>()

  function add(entry: Entry, name: string): number {
    const number = groups.push({ dn: entry.dn, name }) - 1
    keys.push(byDn(entry.dn))
    return number
  }

  const further: AskRange = (dn, attribute) =>
    within(server.timeout, async () => (await connected.client.search(dn, rangeSearch(attribute))).searchEntries[0])

  async function take(entry: Entry, as: GroupSearch['as']): Promise<void> {
    const key = byDn(entry.dn)
    if (!told.has(key)) seen(entry)
    told.add(key)
    if (known.has(key)) return
    const number = add(entry, as === 'leading' ? '' : (texts(entry, settings.attributes.group)[0] ?? ''))
    // as at a sign-in, which looks for the primary group where groups are
    const sid = as === 'leading' ? undefined : bytesOf(entry, SID)
    if (sid) memberships.set(bySid(sid), [number])
    if (as === 'primary') return
    known.add(key)
    for (const { attribute, template } of compared)
      for await (const values of everyValue(entry, attribute, further))
        for (const value of values) {
          if (value === undefined) {
            unreadable = true
            continue
          }
          const member = template === '{dn}' ? byDn(value) : byName(value)
          const already = memberships.get(member)
          if (!already) memberships.set(member, [number])
          else if (already.at(-1) !== number) already.push(number)
        }
  }

  let counted = 0
  for (const { base, filter, as } of groupSearches(ldap, root)) {
    const search = {
      base,
      filter,
      attributes: [settings.attributes.group, ...(as === 'primary' ? [] : holders), ...stamps, ...sids],
      buffers: [SID],
      size: as === 'primary' ? undefined : GROUPS_AT_ONCE,
    }
    for await (const page of paged(connected, server, search)) for (const entry of page) await take(entry, as)
    if (as === 'holding') counted = groups.length
  }

  const keyOf = (number: number): string => keys[number]!
  return {
    groups: counted,
    of(place) {
      const found = new Set<number>()
      const { most, depth } = settings.groups
      if (unreadable && place.includes(UNREADABLE)) return undefined
      let level = place.split('\n')
      // the groups that hold the primary one count whatever the settings say of groups in groups
      const primary = memberships.get(level.find((key) => key.startsWith('sid ')) ?? '')
      for (let at = 0; level.length > 0; at++) {
        const fresh = level.flatMap((key) => memberships.get(key) ?? []).filter((number) => !found.has(number))
        for (const number of fresh) found.add(number)
        // as at a sign-in: what would be cut somewhere is unknown
        if (found.size > most || (nested && !chain && fresh.length > 0 && at > depth)) return undefined
        // groups that are there already lead nowhere new, whatever circles they make
        level = nested || (at === 0 && primary !== undefined) ? [...new Set(nested ? fresh : primary)].map(keyOf) : []
      }
      return namesOf([...found].map((number) => groups[number]!).filter(({ name }) => name !== ''))
    },
  }
}
