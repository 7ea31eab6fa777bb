/** What is written down about syncs: which run it is, how far it came, who was seen. Every chunk with its counts, in one transaction. */
import type { Clock, Instant, Millis } from '#core/clock'
import type { SyncedPerson, SyncReading } from './kind.ts'
import { groupsFrom, type Mirrored } from './mirror-write.ts'
import { usernameKey } from './person.ts'
import type { Database } from './store.ts'
import type { SyncsTable } from './sync-tables.ts'

export interface SyncCounts {
  /** Entries that were read; the same one twice counts twice. */
  read: number
  added: number
  changed: number
  unchanged: number
  gone: number
  /** Entries that could not be used: no id, no user name, or the user name of another. */
  failed: number
}

export const nothing = (): SyncCounts => ({ read: 0, added: 0, changed: 0, unchanged: 0, gone: 0, failed: 0 })

export interface Run {
  /** Whoever is seen now; a run that goes on sees everybody anew, for whoever was there an hour ago may be gone. */
  readonly run: number
  /** Whoever was seen since then was counted. */
  readonly first: number
  readonly scope: SyncReading['scope']
  /** Goes on with a run that was broken off. */
  readonly resumed: boolean
  readonly beganAt: Instant
  readonly counts: SyncCounts
}

/** After so long everybody is read again: who was deleted is in no list of changes. */
export const fullIsDue = (row: SyncsTable | undefined, now: Instant, every: Millis): boolean =>
  row?.full_at == null || now - Number(row.full_at) >= every

export function createRuns(db: Database, clock: Clock) {
  const last = (directory: string): Promise<SyncsTable | undefined> =>
    db.selectFrom('directory_syncs').selectAll().where('directory', '=', directory).executeTakeFirst()

  return Object.freeze({
    last,

    /** The open run where it reads the same, else a new one. Writes nothing when `dry`. */
    async begin(directory: string, scope: SyncReading['scope'], dry: boolean): Promise<Run> {
      const before = await last(directory)
      const now = clock.now()
      const run = (before?.run ?? 0) + 1
      if (before?.open === 1 && before.scope === scope && !dry) {
        await db.updateTable('directory_syncs').set({ run }).where('directory', '=', directory).execute()
        const counts = { ...nothing(), ...(JSON.parse(before.counts) as SyncCounts) }
        return { run, first: before.first_run, scope, resumed: true, beganAt: Number(before.began_at), counts }
      }
      const set = { run, first_run: run, scope, open: 1, began_at: now, counts: JSON.stringify(nothing()) }
      if (!dry)
        await db
          .insertInto('directory_syncs')
          .values({ directory, mark: null, ended_at: null, full_at: null, full_run: null, groups_at: null, ...set })
          .onConflict((conflict) => conflict.column('directory').doUpdateSet(set))
          .execute()
      return { run, first: run, scope, resumed: false, beganAt: now, counts: nothing() }
    },

    /** Which of them were counted before: in the part before the run was broken off, or because they come twice. */
    async counted(
      trx: Database,
      directory: string,
      { first }: Run,
      ids: readonly string[],
    ): Promise<ReadonlySet<string>> {
      if (ids.length === 0) return new Set()
      const rows = await trx
        .selectFrom('directory_synced')
        .select('person_id')
        .where('person_id', 'in', ids)
        .where('directory', '=', directory)
        .where('seen', '>=', first)
        .execute()
      return new Set(rows.map((row) => row.person_id))
    },

    /** Without those whose user name somebody else has whom this run has seen: two with one name can both not sign in. */
    async withoutTwins(trx: Database, directory: string, { run }: Run, people: readonly SyncedPerson[]) {
      const keyOf = ({ usernames }: SyncedPerson) => usernameKey(usernames[0])!
      if (people.length === 0) return people
      const rows = await trx
        .selectFrom('people')
        .innerJoin('directory_synced', 'directory_synced.person_id', 'people.id')
        .select(['people.username_key', 'people.upstream_id'])
        .where('people.directory', '=', directory)
        .where('people.username_key', 'in', people.map(keyOf))
        .where('directory_synced.directory', '=', directory)
        .where('directory_synced.seen', '=', run)
        .execute()
      const owners = new Map(rows.map((row) => [row.username_key, row.upstream_id]))
      return people.filter((person) => (owners.get(keyOf(person)) ?? person.upstreamId) === person.upstreamId)
    },

    async see(
      trx: Database,
      directory: string,
      { run, counts }: Run,
      people: readonly (SyncedPerson & Pick<Mirrored, 'id'>)[],
    ): Promise<void> {
      const rows = people.map(({ id, place, groups }) => ({
        ...{ person_id: id, directory, place, seen: run },
        groups_told: groups === undefined ? 0 : 1,
      }))
      if (rows.length > 0)
        await trx
          .insertInto('directory_synced')
          .values(rows)
          .onConflict((conflict) =>
            conflict.columns(['person_id', 'directory']).doUpdateSet((eb) => ({
              place: eb.ref('excluded.place'),
              seen: eb.ref('excluded.seen'),
              groups_told: eb.ref('excluded.groups_told'),
            })),
          )
          .execute()
      await trx
        .updateTable('directory_syncs')
        .set({ counts: JSON.stringify(counts) })
        .where('directory', '=', directory)
        .execute()
    },

    /** `groupsAt`: when it began to read, where it speaks for the groups of those as well whom it did not read. */
    async end(
      directory: string,
      { run, scope, counts }: Run,
      { mark, groupsAt }: { mark: string | undefined; groupsAt: Instant | undefined },
    ): Promise<void> {
      const now = clock.now()
      await db
        .updateTable('directory_syncs')
        .set({
          open: 0,
          mark: mark ?? null,
          ended_at: now,
          counts: JSON.stringify(counts),
          ...(scope === 'all' ? { full_at: now, full_run: run } : {}),
          ...(groupsAt === undefined ? {} : { groups_at: groupsAt }),
        })
        .where('directory', '=', directory)
        .execute()
    },
  })
}

export type Runs = ReturnType<typeof createRuns>

const PAGE = 500

/** Somebody whom a directory has to tell of: at home there, or known there besides. */
export interface Known {
  readonly id: string
  readonly upstreamId: string
  readonly home: boolean
  readonly place: string | null
  readonly seen: number | null
  readonly groups_told: number | null
}

/** Everybody of a directory who is not gone, page by page. Who is only known there counts while groups come from it. */
export async function* knownIn(db: Database, directory: string): AsyncGenerator<Known[]> {
  for (const home of [true, false])
    for (let after = ''; ; ) {
      const page = await (home ? atHome : knownBesides)(db, directory, after)
      yield page.map(({ known_as, ...row }) => ({ ...row, upstreamId: known_as!, home }))
      if (page.length < PAGE) break
      after = page.at(-1)!.known_as!
    }
}

const atHome = (db: Database, directory: string, after: string) =>
  db
    .selectFrom('people')
    .leftJoin('directory_synced as s', (join) =>
      join.onRef('s.person_id', '=', 'people.id').on('s.directory', '=', directory),
    )
    .select(['people.id', 'people.upstream_id as known_as', 's.place', 's.seen', 's.groups_told'])
    .where('people.directory', '=', directory)
    .where('people.upstream_id', 'is not', null)
    .where('people.gone_at', 'is', null)
    .where('people.upstream_id', '>', after)
    .orderBy('people.upstream_id')
    .limit(PAGE)
    .execute()

const knownBesides = (db: Database, directory: string, after: string) =>
  db
    .selectFrom('identities')
    .leftJoin('directory_synced as s', (join) =>
      join.onRef('s.person_id', '=', 'identities.person_id').on('s.directory', '=', directory),
    )
    .select(['identities.person_id as id', 'identities.upstream_id as known_as', 's.place', 's.seen', 's.groups_told'])
    .where('identities.directory', '=', directory)
    .where('identities.upstream_id', '>', after)
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('memberships')
          .select('memberships.person_id')
          .whereRef('memberships.person_id', '=', 'identities.person_id')
          .where('memberships.source', '=', directory),
      ),
    )
    .orderBy('identities.upstream_id')
    .limit(PAGE)
    .execute()

/** The same with the groups that the directory says. */
export async function* mirrored(db: Database, directory: string) {
  for await (const page of knownIn(db, directory)) {
    const groups = await groupsFrom(
      db,
      page.map(({ id }) => id),
      directory,
    )
    yield page.map(({ id, upstreamId, place, groups_told }) => ({
      upstreamId,
      place: place ?? '',
      groups: groups.get(id) ?? [],
      told: groups_told === 1,
    }))
  }
}
