/**
 * Upstream people in our tables. A mirrored person keeps one id for ever, found by what the upstream calls the entry for
 * ever; user names come and go. What only we know (disabled here, groups and attributes given here) is never touched by a
 * mirror, and who is an administrator of ours is for nobody else to say. Whoever a directory switches off is told of like
 * somebody who is disabled here.
 */
import { sql } from 'kysely'
import type { Audit } from '#audit'
import { type Clock, type Instant, minutes } from '#core/clock'
import type { Log } from '#core/log'
import { randomId } from '#core/random'
import type { OpenDirectory } from './kind.ts'
import { isAdministrators, type Person, usernameKey } from './person.ts'
import type { Database, Store } from './store.ts'
import type { PeopleTable } from './tables.ts'
import type { UpstreamPerson } from './upstream-person.ts'

export type Mirror = (directory: OpenDirectory, upstream: UpstreamPerson) => Promise<Person>

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
>

interface Found {
  readonly row: PeopleTable
  readonly home: boolean
}

interface Parts {
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  readonly audit: Audit
  /** Awaited where a directory switches somebody off: what they had ends here. */
  readonly tellDisabled: (id: string) => Promise<void>
}

export function createMirror({ store, clock, log, audit, tellDisabled }: Parts): Mirror {
  const { db } = store
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

  /** `home`: the person belongs to this directory; otherwise it is another identity of somebody who is at home elsewhere. */
  async function find(on: Database, directory: OpenDirectory, upstream: UpstreamPerson): Promise<Found | undefined> {
    const own = await on
      .selectFrom('people')
      .selectAll()
      .where('directory', '=', directory.id)
      .where('upstream_id', '=', upstream.upstreamId)
      .executeTakeFirst()
    if (own) return { row: own, home: true }
    const linked = await on
      .selectFrom('people')
      .innerJoin('identities', 'identities.person_id', 'people.id')
      .selectAll('people')
      .where('identities.directory', '=', directory.id)
      .where('identities.upstream_id', '=', upstream.upstreamId)
      .executeTakeFirst()
    return linked && { row: linked, home: false }
  }

  const groupsFrom = async (on: Database, id: string, source: string): Promise<string[]> =>
    (
      await on
        .selectFrom('memberships')
        .select('group_name')
        .where('person_id', '=', id)
        .where('source', '=', source)
        .execute()
    )
      .map((row) => row.group_name)
      .sort()

  /** True when nothing needs to be written: most sign-ins. */
  async function isCurrent({ row, home }: Found, directory: OpenDirectory, upstream: UpstreamPerson): Promise<boolean> {
    if (!home)
      return upstream.groups === undefined || sameList(await groupsFrom(db, row.id, directory.id), upstream.groups)
    const fields = fieldsOf(directory, upstream, row)
    if ((Object.keys(fields) as (keyof Fields)[]).some((key) => fields[key] !== row[key])) return false
    if (upstream.groups === undefined) return true
    if (row.groups_known !== 1 || clock.now() - Number(row.groups_at) > minutes(1)) return false
    return sameList(await groupsFrom(db, row.id, directory.id), upstream.groups)
  }

  async function write(
    directory: OpenDirectory,
    upstream: UpstreamPerson,
  ): Promise<{ id: string; added: boolean; regrouped: boolean }> {
    return db.transaction().execute(async (trx) => {
      const now = clock.now()
      const found = await find(trx, directory, upstream)
      if (found && !found.home)
        return { id: found.row.id, added: false, regrouped: await regroup(trx, found.row.id, directory, upstream, now) }
      const row = found?.row
      const id = row?.id ?? randomId()
      const fields = fieldsOf(directory, upstream, row)
      // the upstream gave this name to somebody else: the earlier owner stays who they are, without the name
      await trx
        .updateTable('people')
        .set({ username_key: sql`username_key || ${'\u001f'} || id`, changed_at: now })
        .where('directory', '=', directory.id)
        .where('username_key', '=', fields.username_key)
        .where('id', '!=', id)
        .execute()
      if (row)
        await trx
          .updateTable('people')
          .set({ ...fields, changed_at: now })
          .where('id', '=', id)
          .execute()
      else {
        const fixed = {
          id,
          directory: directory.id,
          upstream_id: upstream.upstreamId,
          disabled: 0,
          attributes: '{}',
          created_at: now,
          changed_at: now,
        }
        await trx
          .insertInto('people')
          .values({ ...fixed, ...fields, groups: null, groups_known: 0, groups_at: null })
          .execute()
      }
      const regrouped = await regroup(trx, id, directory, upstream, now)
      if (upstream.groups !== undefined)
        await trx.updateTable('people').set({ groups_known: 1, groups_at: now }).where('id', '=', id).execute()
      await rewriteGroups(trx, id, now)
      return { id, added: !row, regrouped: regrouped && row !== undefined }
    })
  }

  /** What this directory says about groups, instead of what it said before; true where that is something else. */
  async function regroup(
    trx: Database,
    id: string,
    directory: OpenDirectory,
    { groups }: UpstreamPerson,
    now: Instant,
  ): Promise<boolean> {
    if (groups === undefined || sameList(await groupsFrom(trx, id, directory.id), groups)) return false
    await trx.deleteFrom('memberships').where('person_id', '=', id).where('source', '=', directory.id).execute()
    const memberships = groups.map((group_name) => ({ person_id: id, group_name, source: directory.id }))
    if (memberships.length > 0) await trx.insertInto('memberships').values(memberships).execute()
    await rewriteGroups(trx, id, now)
    return true
  }

  return async (directory, given) => {
    const upstream = withoutOurs(directory, given)
    const found = await find(db, directory, upstream)
    if (found && (await isCurrent(found, directory, upstream))) return store.toPerson(found.row)
    // two processes may see the same person for the first time at once; the second then finds the row of the first
    const written = await write(directory, upstream).catch(() => write(directory, upstream))
    const before = found?.home ? found.row.upstream_disabled : 0
    const disabled = found && !found.home ? before : (await store.row(written.id))?.upstream_disabled
    if (written.added) await audit.record('person-added', { actor: 'system', subject: written.id, reason: 'upstream' })
    else if (written.regrouped)
      await audit.record('group-changed', { actor: 'system', subject: written.id, reason: 'upstream' })
    if (disabled !== before) {
      const event = disabled === 1 ? 'person-disabled' : 'person-enabled'
      await audit.record(event, { actor: 'system', subject: written.id, reason: 'upstream' })
      if (disabled === 1) await tellDisabled(written.id)
    }
    return (await store.byId(written.id))!
  }
}

/** What the person's directory says of them now. `changedAt`: when it says that anything about the entry was changed. */
export type Answer = { readonly person: Person; readonly changedAt: Instant | undefined } | 'gone'

/** Throws `directory-unavailable`. */
export type Ask = (directory: OpenDirectory, person: Person) => Promise<Answer>

/** `directory` is the person's own, and not ours. */
export const createAsk =
  (mirror: Mirror): Ask =>
  async (directory, person) => {
    const upstream = await directory.lookup!(person.username)
    const current = upstream && (await mirror(directory, upstream))
    return current?.id === person.id ? { person: current, changedAt: upstream!.changedAt } : 'gone'
  }

/** Puts what `memberships` says into the row that `byId` reads. INVARIANT: in the transaction that changed memberships. */
export async function rewriteGroups(trx: Database, id: string, now: Instant): Promise<void> {
  const rows = await trx.selectFrom('memberships').select('group_name').distinct().where('person_id', '=', id).execute()
  const groups = JSON.stringify(rows.map((row) => row.group_name).sort())
  // unknown stays unknown: groups given here are not all there may be
  await trx.updateTable('people').set({ groups }).where('id', '=', id).where('groups_known', '=', 1).execute()
  await trx.updateTable('people').set({ changed_at: now }).where('id', '=', id).execute()
}

function fieldsOf(directory: OpenDirectory, upstream: UpstreamPerson, row: PeopleTable | undefined): Fields {
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
  }
}

const sameList = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i])
