/**
 * What an upstream says about people, written into our tables: any number of them in one transaction of the caller. A
 * sign-in writes one, a sync writes a chunk; there is no second way.
 */
import { sql } from 'kysely'
import type { Instant } from '#core/clock'
import type { Log } from '#core/log'
import { randomId } from '#core/random'
import type { OpenDirectory } from './kind.ts'
import { rewriteGroups } from './memberships.ts'
import { isAdministrators, usernameKey } from './person.ts'
import type { Database } from './store.ts'
import type { PeopleTable } from './tables.ts'
import type { UpstreamPerson } from './upstream-person.ts'

type Fields = Pick<
  PeopleTable,
  | 'username'
  | 'username_key'
  | 'name'
  | 'given_name'
  | 'family_name'
  | 'mail'
  | 'mail_verified'
  | 'organisation'
  | 'language'
  | 'upstream_disabled'
  | 'upstream_attributes'
  | 'gone_at'
>

export interface Mirrored {
  readonly id: string
  /** The person belongs to this directory; otherwise it is another identity of somebody who is at home elsewhere. */
  readonly home: boolean
  readonly outcome: 'added' | 'changed' | 'unchanged'
  /** Whether somebody who was here already is in other groups now. */
  readonly regrouped: boolean
  /** Their own directory switched them off or on; what they had has to end where it is off. */
  readonly switched: 'off' | 'on' | undefined
}

interface Work extends Mirrored {
  readonly upstreamId: string
  readonly row: PeopleTable | undefined
  /** Undefined leaves all of them as they are. */
  readonly fields: Fields | undefined
  /** Undefined leaves memberships as they are. */
  readonly groups: readonly string[] | undefined
}

export interface MirrorWriter {
  /**
   * In their order; undefined for whoever has a user name that an earlier one of them has too, and is not written.
   * `write: false` only compares. INVARIANT: `on` is a transaction where `write` is true.
   */
  all(
    on: Database,
    directory: OpenDirectory,
    upstreams: readonly UpstreamPerson[],
    how: { readonly now: Instant; readonly write: boolean },
  ): Promise<(Mirrored | undefined)[]>
}

export function createMirrorWriter({ log }: { log: Log }): MirrorWriter {
  const warned = new Set<string>()

  /** ATTACK: whoever may make groups upstream would otherwise make administrators here. */
  function withoutOurs(directory: OpenDirectory, upstream: UpstreamPerson): UpstreamPerson {
    const groups = upstream.groups?.filter((group) => !isAdministrators(group))
    if (groups?.length === upstream.groups?.length) return upstream
    // once: it is about the directory, not about the person
    if (!warned.has(directory.id)) log.warn('directory-administrators-ignored', { directory: directory.id })
    warned.add(directory.id)
    return { ...upstream, groups }
  }

  return Object.freeze({
    async all(
      on: Database,
      directory: OpenDirectory,
      upstreams: readonly UpstreamPerson[],
      { now, write }: { now: Instant; write: boolean },
    ) {
      if (upstreams.length === 0) return []
      const given = upstreams.map((one) => withoutOurs(directory, one))
      const known = await findAll(on, directory, given)
      const ids = [...known.values()].map(({ row }) => row.id)
      const before = await groupsFrom(on, ids, directory.id)
      const names = new Set<string>()
      const all = given.map((upstream): Work | undefined => {
        const found = known.get(upstream.upstreamId)
        if (found && !found.home) return identityOf(upstream, found.row, before.get(found.row.id) ?? [])
        const row = found?.row
        const fields = fieldsOf(directory, upstream, row)
        if (names.has(fields.username_key)) return undefined
        names.add(fields.username_key)
        return workOf(upstream, row, fields, (row && before.get(row.id)) ?? [])
      })
      if (write) {
        const works = all.filter((one) => one !== undefined && one.outcome !== 'unchanged')
        await put(on, directory, works as Work[], now)
      }
      return all
    },
  })
}

interface Found {
  readonly row: PeopleTable
  readonly home: boolean
}

/** By what the directory calls them: who is at home there, then whose other identity it is. */
async function findAll(
  on: Database,
  { id: directory }: OpenDirectory,
  upstreams: readonly UpstreamPerson[],
): Promise<ReadonlyMap<string, Found>> {
  const ids = upstreams.map(({ upstreamId }) => upstreamId)
  const own = await on
    .selectFrom('people')
    .selectAll()
    .where('directory', '=', directory)
    .where('upstream_id', 'in', ids)
    .execute()
  const found = new Map(own.map((row): [string, Found] => [row.upstream_id!, { row, home: true }]))
  const others = ids.filter((id) => !found.has(id))
  if (others.length === 0) return found
  const linked = await on
    .selectFrom('people')
    .innerJoin('identities', 'identities.person_id', 'people.id')
    .selectAll('people')
    .select('identities.upstream_id as known_as')
    .where('identities.directory', '=', directory)
    .where('identities.upstream_id', 'in', others)
    .execute()
  for (const { known_as, ...row } of linked) found.set(known_as, { row, home: false })
  return found
}

/** Of somebody who is at home elsewhere this directory says groups, and nothing else. */
function identityOf({ upstreamId, groups }: UpstreamPerson, row: PeopleTable, before: readonly string[]): Work {
  const regrouped = groups !== undefined && !sameList(before, groups)
  const outcome = regrouped ? 'changed' : 'unchanged'
  return {
    id: row.id,
    home: false,
    upstreamId,
    row,
    fields: undefined,
    groups,
    regrouped,
    outcome,
    switched: undefined,
  }
}

function workOf(
  { upstreamId, groups }: UpstreamPerson,
  row: PeopleTable | undefined,
  fields: Fields,
  groupsBefore: readonly string[],
): Work {
  const before = row?.upstream_disabled ?? 0
  const switched = fields.upstream_disabled === before ? undefined : before === 0 ? 'off' : 'on'
  const work = { home: true, upstreamId, row, fields, groups, switched } as const
  if (!row) return { ...work, id: randomId(), outcome: 'added', regrouped: false }
  const regrouped = groups !== undefined && !sameList(groupsBefore, groups)
  const told = groups !== undefined && row.groups_known !== 1
  const outcome = regrouped || told || !sameFields(fields, row) ? 'changed' : 'unchanged'
  return { ...work, id: row.id, regrouped, outcome }
}

async function put(trx: Database, directory: OpenDirectory, all: readonly Work[], now: Instant): Promise<void> {
  await freeNames(trx, directory, all, now)
  const added = all.flatMap((work) => (work.row || !work.fields ? [] : [newRow(work, work.fields, directory, now)]))
  if (added.length > 0) await trx.insertInto('people').values(added).execute()
  const known = all.filter(({ row }) => row)
  for (const { id, fields } of known) {
    if (!fields) continue
    await trx
      .updateTable('people')
      .set({ ...fields, changed_at: now })
      .where('id', '=', id)
      .execute()
  }
  const told = known.filter(({ groups }) => groups !== undefined).map(({ id }) => id)
  if (told.length > 0)
    await trx.deleteFrom('memberships').where('person_id', 'in', told).where('source', '=', directory.id).execute()
  const memberships = all.flatMap(({ id, groups }) =>
    (groups ?? []).map((group_name) => ({ person_id: id, group_name, source: directory.id })),
  )
  // a database takes some ten thousand parameters in one statement
  for (let i = 0; i < memberships.length; i += 1000)
    await trx
      .insertInto('memberships')
      .values(memberships.slice(i, i + 1000))
      .execute()
  const home = known.filter(({ home, groups }) => home && groups !== undefined).map(({ id }) => id)
  if (home.length > 0)
    await trx.updateTable('people').set({ groups_known: 1, groups_at: now }).where('id', 'in', home).execute()
  for (const id of told) await rewriteGroups(trx, id, now)
}

/**
 * The upstream gave these names to others: the earlier owners stay who they are, without the name, until their own entry
 * tells another one. Before anything else is written, so that two people can swap their names.
 */
async function freeNames(trx: Database, directory: OpenDirectory, all: readonly Work[], now: Instant): Promise<void> {
  const names = all.flatMap(({ row, fields }) =>
    fields && row?.username_key !== fields.username_key ? [fields.username_key] : [],
  )
  if (names.length === 0) return
  await trx
    .updateTable('people')
    .set({ username_key: sql`username_key || ${'\u001f'} || id`, changed_at: now })
    .where('directory', '=', directory.id)
    .where('username_key', 'in', names)
    .execute()
}

const newRow = (
  { id, upstreamId, groups }: Work,
  fields: Fields,
  { id: directory }: OpenDirectory,
  now: Instant,
): PeopleTable => ({
  id,
  directory,
  upstream_id: upstreamId,
  disabled: 0,
  attributes: '{}',
  created_at: now,
  changed_at: now,
  ...fields,
  // nobody can have put somebody into a group here who was not here
  groups: groups === undefined ? null : JSON.stringify(groups),
  groups_known: groups === undefined ? 0 : 1,
  groups_at: groups === undefined ? null : now,
})

export function fieldsOf(directory: OpenDirectory, upstream: UpstreamPerson, row: PeopleTable | undefined): Fields {
  // an entry may have several names; the one we know stays while it is among them
  const username = upstream.usernames.find((name) => usernameKey(name) === row?.username_key) ?? upstream.usernames[0]
  return {
    username: username.normalize('NFC').trim(),
    username_key: usernameKey(username)!,
    name: upstream.name,
    given_name: upstream.givenName ?? null,
    family_name: upstream.familyName ?? null,
    mail: upstream.mail ?? null,
    mail_verified: upstream.mail !== undefined && upstream.mailVerified === true ? 1 : 0,
    organisation: directory.organisation ?? null,
    language: upstream.language ?? null,
    upstream_disabled: upstream.disabled === undefined ? (row?.upstream_disabled ?? 0) : upstream.disabled ? 1 : 0,
    upstream_attributes:
      upstream.attributes === undefined ? (row?.upstream_attributes ?? '{}') : JSON.stringify(upstream.attributes),
    // whom the directory tells of is there
    gone_at: null,
  }
}

const sameFields = (fields: Fields, row: PeopleTable): boolean =>
  (Object.keys(fields) as (keyof Fields)[]).every((key) => fields[key] === row[key])

/** By person, sorted: what one source says. */
export async function groupsFrom(
  on: Database,
  ids: readonly string[],
  source: string,
): Promise<ReadonlyMap<string, readonly string[]>> {
  if (ids.length === 0) return new Map()
  const rows = await on
    .selectFrom('memberships')
    .select(['person_id', 'group_name'])
    .where('source', '=', source)
    .where('person_id', 'in', ids)
    .execute()
  const byPerson = Map.groupBy(rows, (row) => row.person_id)
  return new Map([...byPerson].map(([id, some]) => [id, some.map((row) => row.group_name).sort()]))
}

export const sameList = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i])
