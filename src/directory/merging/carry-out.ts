/**
 * Makes two people one. The survivor is whoever belongs to `into`, always: their id is the `sub` of every app, and one rule
 * that everybody can tell is worth more than a clever one.
 *
 * INVARIANT: of two people there is one or there are two, whenever the process dies: the tables change in one transaction.
 * What is short-lived moves before it, so that no living session is nobody's, and once more after it. Until that is done
 * the row of `merges` says so, and the next run goes on there.
 */
import type { Audit } from '#audit'
import type { Clock } from '#core/clock'
import type { Records } from '#storage'
import type { OpenDirectory } from '../kind.ts'
import { rewriteGroups } from '../memberships.ts'
import type { Database, Store } from '../store.ts'
import { KEPT_BESIDE, type MembershipsTable, type PasswordsTable, type PeopleTable } from '../tables.ts'
import type { MergeRules } from './rules.ts'
import type { MergesTable } from './tables.ts'

/** What other rooms keep about a person and now keep about another. Each may be called again for the same two. */
export interface MergeListener {
  /** INVARIANT: awaits nothing but queries of `on`, which may be a transaction. */
  readonly records: (from: string, into: string, by: string, on: Records) => Promise<void>
  /** Before and after that, outside of any transaction. */
  readonly state: (from: string, into: string, by: string) => Promise<void>
}

export interface MergeParts {
  readonly store: Store
  readonly directories: readonly OpenDirectory[]
  readonly clock: Clock
  readonly audit: Audit
  readonly listeners: readonly MergeListener[]
  tellDisabled(id: string): Promise<void>
}

/** `gone`: one of both is no person any more, and nothing was done. */
type Merged = 'merged' | 'gone'

export function createCarryOut({ store, directories, clock, audit, listeners, tellDisabled }: MergeParts) {
  const { db } = store
  const isLocal = (directory: string) => directories.some(({ id, local }) => id === directory && local)

  async function begin(from: string, into: string, rules: MergeRules, by: string): Promise<void> {
    const row = await store.row(from)
    if (!row) return
    await db
      .insertInto('merges')
      .values({
        absorbed_id: from,
        survivor_id: into,
        from_directory: rules.from,
        into_directory: rules.into,
        home: rules.home,
        username: row.username,
        begun_by: by,
        begun_at: clock.now(),
        merged_at: null,
        finished_at: null,
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }

  async function moveState(from: string, into: string, by: string): Promise<void> {
    for (const { state } of listeners) await state(from, into, by)
  }

  /** Several at once, because each transaction waits for the disk. Answers who is gone, by the id that was to be absorbed. */
  async function finish(begun: readonly MergesTable[], by: string): Promise<ReadonlySet<string>> {
    const gone = new Set<string>()
    if (begun.length === 0) return gone
    for (const { absorbed_id: from, survivor_id: into } of begun) await moveState(from, into, by)
    await db.transaction().execute(async (trx) => {
      const known = await readFor(trx, begun)
      for (const { absorbed_id: from } of begun) if ((await inOne(trx, from, known, by)) === 'gone') gone.add(from)
      const left = begun.map(({ absorbed_id: from }) => from).filter((from) => !gone.has(from))
      if (left.length === 0) return
      for (const table of ['passwords', 'memberships', ...KEPT_BESIDE] as const)
        await trx.deleteFrom(table).where('person_id', 'in', left).execute()
    })
    const merged = begun.filter(({ absorbed_id: from }) => !gone.has(from))
    for (const { absorbed_id: from, survivor_id: into } of merged) {
      // what was begun for the earlier id while that ran
      await moveState(from, into, by)
      // INVARIANT: disabled once is disabled; whoever was so on one side only had sessions that must end
      if ((await store.byId(into))?.disabled) await tellDisabled(into)
    }
    await db.transaction().execute(async (trx) => {
      for (const { absorbed_id: from, survivor_id: into } of merged) {
        for (const { records } of listeners) await records(from, into, by, trx)
        await trx.updateTable('merges').set({ finished_at: clock.now() }).where('absorbed_id', '=', from).execute()
      }
    })
    return gone
  }

  async function inOne(trx: Database, from: string, known: Known, by: string): Promise<Merged> {
    const mark = known.marks.get(from)
    if (!mark) return 'gone'
    if (mark.merged_at !== null) return 'merged'
    const into = mark.survivor_id
    const [absorbed, survivor] = [known.people.get(from), known.people.get(into)]
    if (!absorbed || !survivor) {
      await trx.deleteFrom('merges').where('absorbed_id', '=', from).execute()
      return 'gone'
    }
    const [home, other] = mark.home === 'from' ? [absorbed, survivor] : [survivor, absorbed]
    await movePassword(trx, home, other, into, known)
    await moveMemberships(trx, into, known.memberships.get(from) ?? [])
    await moveIdentities(trx, absorbed, home, into)
    for (const { records } of listeners) await records(from, into, by, trx)
    const now = clock.now()
    // the name of the home is free for the survivor only now
    await trx.deleteFrom('people').where('id', '=', from).execute()
    await trx
      .updateTable('people')
      .set(columnsOf(home, other, now))
      .where('id', '=', into)
      .execute()
    if (other.upstream_id !== null && other.directory !== home.directory)
      await trx
        .insertInto('identities')
        .values({
          directory: other.directory,
          upstream_id: other.upstream_id,
          person_id: into,
          linked_at: now,
          linked_by: by,
        })
        .execute()
    await rewriteGroups(trx, into, now)
    // whoever became the absorbed one before is the survivor now
    await trx.updateTable('merges').set({ survivor_id: into }).where('survivor_id', '=', from).execute()
    await trx.updateTable('merges').set({ merged_at: now }).where('absorbed_id', '=', from).execute()
    await audit.record('person-merged', { actor: by, subject: into, reason: from }, trx)
    return 'merged'
  }

  /** The password of the home counts; where that has none, one that was set here for the other is better than none. */
  async function movePassword(trx: Database, home: PeopleTable, other: PeopleTable, into: string, known: Known) {
    const of = ({ id, directory }: PeopleTable) => (isLocal(directory) ? known.passwords.get(id) : undefined)
    // whose home is elsewhere has the password of that place, and none of ours
    const kept = isLocal(home.directory) ? (of(home) ?? of(other)) : undefined
    if (kept?.person_id === into) return
    if (known.passwords.has(into)) await trx.deleteFrom('passwords').where('person_id', '=', into).execute()
    if (kept)
      await trx
        .insertInto('passwords')
        .values({ ...kept, person_id: into })
        .execute()
  }

  return Object.freeze({ begin, finish })
}

/** What the transaction found of all that it makes one, in a few questions instead of some for each pair. */
interface Known {
  readonly marks: ReadonlyMap<string, MergesTable>
  readonly people: ReadonlyMap<string, PeopleTable>
  readonly passwords: ReadonlyMap<string, PasswordsTable>
  /** Of those who are absorbed. */
  readonly memberships: ReadonlyMap<string, readonly MembershipsTable[]>
}

async function readFor(trx: Database, begun: readonly MergesTable[]): Promise<Known> {
  const from = begun.map((mark) => mark.absorbed_id)
  const marks = await trx.selectFrom('merges').selectAll().where('absorbed_id', 'in', from).execute()
  const both = [...from, ...marks.map((mark) => mark.survivor_id)]
  const people = await trx.selectFrom('people').selectAll().where('id', 'in', both).execute()
  const passwords = await trx.selectFrom('passwords').selectAll().where('person_id', 'in', both).execute()
  const memberships = await trx.selectFrom('memberships').selectAll().where('person_id', 'in', from).execute()
  return {
    marks: new Map(marks.map((row) => [row.absorbed_id, row])),
    people: new Map(people.map((row) => [row.id, row])),
    passwords: new Map(passwords.map((row) => [row.person_id, row])),
    memberships: Map.groupBy(memberships, (row) => row.person_id),
  }
}

/** INVARIANT: what each source says stays what that source says: nobody is in a group by another source than before. */
async function moveMemberships(trx: Database, into: string, rows: readonly MembershipsTable[]): Promise<void> {
  if (rows.length === 0) return
  await trx
    .insertInto('memberships')
    .values(rows.map((row) => ({ ...row, person_id: into })))
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** One account of each directory: where somebody linked a second one in this very moment, the survivor's stays. */
async function moveIdentities(trx: Database, absorbed: PeopleTable, home: PeopleTable, into: string): Promise<void> {
  const theirs = trx.selectFrom('identities').select('directory').where('person_id', '=', into)
  await trx
    .deleteFrom('identities')
    .where('person_id', '=', absorbed.id)
    .where((eb) => eb.or([eb('directory', 'in', theirs), eb('directory', '=', home.directory)]))
    .execute()
  await trx.updateTable('identities').set({ person_id: into }).where('person_id', '=', absorbed.id).execute()
}

/** The person as the home knows them. What only the other one has is kept where the home says nothing about it. */
function columnsOf(home: PeopleTable, other: PeopleTable, now: number): Partial<PeopleTable> {
  const attributes = { ...JSON.parse(other.attributes), ...JSON.parse(home.attributes) }
  return {
    directory: home.directory,
    upstream_id: home.upstream_id,
    username: home.username,
    username_key: home.username_key,
    name: home.name,
    given_name: home.given_name,
    family_name: home.family_name,
    mail: home.mail,
    mail_verified: home.mail_verified,
    organisation: home.organisation,
    language: home.language,
    attributes: JSON.stringify(attributes),
    // unknown stays unknown; what is known is written anew from the memberships
    groups: home.groups,
    groups_known: home.groups_known,
    groups_at: home.groups_at,
    upstream_attributes: home.upstream_attributes,
    upstream_disabled: home.upstream_disabled,
    gone_at: home.gone_at,
    // what the other's directory said would be forgotten with its row
    disabled: Math.max(home.disabled, other.disabled, other.upstream_disabled),
    changed_at: now,
  }
}
