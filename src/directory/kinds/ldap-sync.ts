/** A whole LDAP directory, or what changed in it, read on one connection of its own. */
import { AndFilter, type Entry, type Filter, OrFilter, PresenceFilter } from 'ldapts'
import type { Clock, Instant } from '#core/clock'
import { sha256 } from '#core/digest'
import type { SyncAsk, SyncedPerson, SyncReading } from '../kind.ts'
import { isAdministrators } from '../person.ts'
import { type Connected, close, codeOf, type Server, within } from './ldap-connection.ts'
import { idFilter, toUpstream } from './ldap-entry.ts'
import { createMarker } from './ldap-mark.ts'
import { canReadMembers, groupHeads, type Members, placeOf, readMembers } from './ldap-members.ts'
import { Incomplete, paged } from './ldap-pages.ts'
import { readStamp, stampAt } from './ldap-stamps.ts'
import type { Ldap } from './ldap-use.ts'
import { bytesOf, texts } from './ldap-values.ts'

export interface Reading {
  readonly ldap: Ldap
  readonly connected: Connected
  readonly server: Server
  readonly clock: Clock
}

/** So many ids in one question, where groups changed under people who did not. */
const IDS_AT_ONCE = 50

/** Errors come as they are, here and from what is returned. */
export async function readLdap({ ldap, connected, server, clock }: Reading, ask: SyncAsk): Promise<SyncReading> {
  const { settings, users } = ldap
  const names = settings.attributes
  const root = await readRoot(connected, server)
  const { usn, context } = root
  const fingerprint = sha256(JSON.stringify([root.server, ...meaning(ldap)]))
  const by = usn === undefined ? 'time' : 'usn'
  const marker = createMarker({ by, of: fingerprint, usn, before: ask.mark, now: clock.now() })
  const scope = marker.changed ? 'changed' : 'all'
  let members: Members | undefined
  let groups = ''

  const membersNow = async (): Promise<Members> => {
    members ??= await readMembers(ldap, connected, server, {
      root: context,
      stamps: [marker.attribute],
      seen: marker.group,
    })
    if (members.groups === 0 && !ask.believeEmpty && (await anybodyInGroups(ask))) throw new Incomplete('no groups')
    return members
  }

  async function personOf(entry: Entry): Promise<SyncedPerson | undefined> {
    const bare = toUpstream(entry, settings, undefined, clock.now())
    if (!bare) return undefined
    const place = placeOf(ldap, entry, bare.usernames)
    const groups = canReadMembers(ldap)
      ? (await membersNow()).of(place)
      : await within(server.timeout, () => ldap.groups(connected, entry, bare.usernames[0])).catch((error: unknown) => {
          if (['group-limit', 'group-unreadable'].includes(codeOf(error))) return undefined
          throw error
        })
    return { ...bare, place, groups }
  }

  async function* read(filter: Filter) {
    const search = {
      base: settings.base_dn,
      attributes: [...ldap.attributes, marker.attribute],
      buffers: [names.id, 'objectGUID', 'objectSid'],
    }
    for await (const entries of paged(connected, server, { ...search, filter })) {
      const people: SyncedPerson[] = []
      for (const entry of entries) {
        marker.person(entry)
        const person = await personOf(entry)
        if (person) people.push(person)
      }
      yield { people, unusable: entries.length - people.length }
    }
  }
  const anybody = (narrower: Filter) => new AndFilter({ filters: [users.anybody, narrower] })

  /** Whether groups are other ones than at the mark; then their members are known as well. */
  async function groupsChanged(): Promise<boolean> {
    if (!canReadMembers(ldap)) return false
    if (marker.changed && marker.groupsBefore !== '') {
      for await (const head of groupHeads(ldap, connected, server, { root: context, stamp: marker.attribute }))
        marker.group(head)
      groups = marker.groups()
      if (groups === marker.groupsBefore) return false
    }
    await membersNow()
    groups = marker.groups()
    return true
  }

  async function* pages() {
    const regrouped = await groupsChanged()
    yield* read(marker.changed ? anybody(marker.changed) : users.anybody)
    if (!marker.changed || !regrouped) return
    const all = await membersNow()
    const ids: string[] = []
    for await (const some of ask.mirrored())
      for (const { upstreamId, place, groups: before, told } of some)
        if (place === '' || !told || !sameGroups(all.of(place), before)) ids.push(upstreamId)
    for (let i = 0; i < ids.length; i += IDS_AT_ONCE)
      yield* read(anybody(new OrFilter({ filters: ids.slice(i, i + IDS_AT_ONCE).map((id) => idFilter(names.id, id)) })))
  }

  return {
    scope,
    groupsToo: canReadMembers(ldap),
    pages: pages(),
    mark: () => marker.mark(groups),
    async ask(upstreamId) {
      let there = false
      for await (const { people, unusable } of read(anybody(idFilter(names.id, upstreamId)))) {
        for (const person of people) if (person.upstreamId === upstreamId) return person
        there ||= unusable > 0
      }
      return there ? 'unusable' : undefined
    },
    close: () => close(connected.socket),
  }
}

/** ATTACK, and everyday: no group at all is a right that was lost, not a company that gave up all its groups. */
async function anybodyInGroups(ask: SyncAsk): Promise<boolean> {
  for await (const some of ask.mirrored()) if (some.some(({ groups }) => groups.length > 0)) return true
  return false
}

/** Administrators are ours alone and never stand in our tables as what a directory says. */
function sameGroups(told: readonly string[] | undefined, kept: readonly string[]): boolean {
  // more than the settings allow: they are read, so that it is written down that nobody knows; what was known stays
  if (told === undefined) return false
  const ours = told.filter((group) => !isAdministrators(group))
  return ours.length === kept.length && ours.every((group, i) => group === kept[i])
}

/** With other settings than these, an entry is another person. */
const meaning = ({ settings }: Ldap): unknown[] => [
  settings.base_dn,
  settings.user_filter,
  settings.group_base_dn,
  settings.group_filter,
  settings.groups_from,
  settings.nested_groups,
  settings.groups,
  settings.attributes,
  settings.organisation,
]

interface Root {
  readonly server: string
  readonly usn: string | undefined
  readonly context: string | undefined
}

/** Reads one entry by its name; the root of all is ''. */
const reader =
  (connected: Connected, server: Server) =>
  (base: string, attributes: string[], buffers: string[] = []) =>
    within(server.timeout, () =>
      connected.client.search(base, {
        scope: 'base',
        filter: new PresenceFilter({ attribute: 'objectClass' }),
        attributes,
        explicitBufferAttributes: buffers,
      }),
    ).then(({ searchEntries }) => searchEntries[0])

/** Active Directory tells its time ([MS-ADTS] 3.1.1.3.2.3), other servers do not. */
export async function clockOf(connected: Connected, server: Server): Promise<Instant | undefined> {
  const root = await reader(connected, server)('', ['currentTime'])
  const stamp = root && readStamp(texts(root, 'currentTime')[0])
  return stamp === undefined ? undefined : stampAt(stamp)
}

/** What the server says about itself (RFC 4512 §5.1), and which one it is. */
async function readRoot(connected: Connected, server: Server): Promise<Root> {
  const look = reader(connected, server)
  const root = await look('', ['highestCommittedUSN', 'dsServiceName', 'defaultNamingContext'])
  const one = (attribute: string) => (root ? texts(root, attribute)[0] : undefined)
  const usn = one('highestCommittedUSN')
  const context = one('defaultNamingContext')
  const service = one('dsServiceName')
  if (usn === undefined || service === undefined)
    return { server: `${server.host}:${server.port}`, usn: undefined, context }
  // a database that was restored has another id, and counts anew ([MS-ADTS] 3.1.1.1.4)
  const settings = await look(service, ['invocationId'], ['invocationId']).catch(() => undefined)
  const invocation = (settings && bytesOf(settings, 'invocationId'))?.toString('hex') ?? ''
  return {
    server: `${service} ${invocation}`,
    usn,
    context,
  }
}

/** The same reading, whose every failure is what `failed` makes of it. */
export function guarded(reading: SyncReading, failed: (error: unknown) => Error): SyncReading {
  return {
    ...reading,
    pages: (async function* () {
      try {
        yield* reading.pages
      } catch (error) {
        throw failed(error)
      }
    })(),
    ask: (upstreamId) =>
      reading.ask(upstreamId).catch((error: unknown) => {
        throw failed(error)
      }),
  }
}
