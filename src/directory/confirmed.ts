/**
 * For whom a directory vouched, and when: kept where its settings declare what its people can do while it is down. A
 * password that it took is kept as a hash, which is looked at in that time and never otherwise.
 */
import type { Degraded, Settings } from '#config'
import type { Clock, Instant, Millis } from '#core/clock'
import { parseDuration } from '#core/duration'
import type { Storage } from '#storage'
import type { ConfirmedTable } from './outage-tables.ts'
import type { Store } from './store.ts'
import { groupsAsOf } from './sync-groups.ts'

/** What the settings declare, in milliseconds. */
export interface Declared {
  readonly verifiedWithin: Millis
  readonly devices: Degraded['devices']
  readonly tiers: readonly string[]
  readonly for: Millis
  /** Of a provider: so long after it is back whoever signed in meanwhile has to have signed in there. */
  readonly askAgain: Millis
}

/** As what a browser is known at a sign-in. */
export interface SeenDevice {
  /** To this very person. */
  readonly known: boolean
  /** By the organisation. */
  readonly enrolled: boolean
}

export type Confirmed = Omit<ConfirmedTable, 'person_id' | 'directory'> & {
  /** When the directory told the person's groups last, be it by a sync that found them unchanged. */
  readonly groups_at: Instant | null
}

export const fits = ({ devices }: Declared, device: SeenDevice): boolean => devices.some((kind) => device[kind])

/** By directory id. */
export function declaredIn(directories: Settings['directories']): ReadonlyMap<string, Declared> {
  const all = new Map<string, Declared>()
  for (const settings of directories) {
    if (!('degraded' in settings) || !settings.degraded) continue
    const { verified_within, devices, tiers, for: length, ask_again } = settings.degraded as Degraded
    all.set(settings.id, {
      verifiedWithin: parseDuration(verified_within)!,
      devices,
      tiers,
      for: parseDuration(length)!,
      askAgain: ask_again === undefined ? 0 : parseDuration(ask_again)!,
    })
  }
  return all
}

export function createConfirmed(
  { prepare }: Pick<Storage, 'prepare'>,
  { db }: Pick<Store, 'db'>,
  clock: Clock,
  declared: ReadonlyMap<string, Declared>,
) {
  // compiled once: each question about somebody whose directory is down reads it
  const row = prepare(
    db
      .selectFrom('people')
      .leftJoin('directory_confirmed', 'directory_confirmed.person_id', 'people.id')
      .leftJoin('directory_synced as seen', (join) =>
        join.onRef('seen.person_id', '=', 'people.id').onRef('seen.directory', '=', 'people.directory'),
      )
      .leftJoin('directory_syncs as runs', 'runs.directory', 'people.directory')
      .select(['confirmed_at', 'phc', 'password_at', 'entry_changed_at', 'people.groups_at'])
      .select(['seen.seen', 'seen.groups_told', 'runs.full_run', 'runs.groups_at as synced_groups_at'])
      .where('people.id', '=', '')
      .compile(),
  )
  return Object.freeze({
    /** Undefined where the directory never vouched for the person, or too long ago for anything. */
    async find(id: string): Promise<Confirmed | undefined> {
      const found = (await row([id])).rows[0]
      if (!found || found.confirmed_at === null) return undefined
      const { confirmed_at, phc, password_at, entry_changed_at } = found
      return { confirmed_at, phc, password_at, entry_changed_at, groups_at: groupsAsOf(found) }
    },

    /** The directory has vouched for the person, `password` with the hash of the password that it took. */
    async vouched(
      id: string,
      directory: string,
      password?: { readonly phc: string; readonly changedAt: Instant | undefined },
    ): Promise<void> {
      if (!declared.has(directory)) return
      const now = clock.now()
      const taken = password && {
        phc: password.phc,
        password_at: now,
        entry_changed_at: password.changedAt ?? null,
      }
      await db
        .insertInto('directory_confirmed')
        .values({
          ...{ person_id: id, directory, confirmed_at: now, phc: null, password_at: null, entry_changed_at: null },
          ...taken,
        })
        .onConflict((c) => c.column('person_id').doUpdateSet({ confirmed_at: now, ...taken }))
        .execute()
    },

    /** With `phc` only where it is still that one: one that was taken meanwhile stays. */
    async forgetPassword(id: string, phc?: string): Promise<void> {
      const one = db
        .updateTable('directory_confirmed')
        .set({ phc: null, password_at: null, entry_changed_at: null })
        .where('person_id', '=', id)
      await (phc === undefined ? one : one.where('phc', '=', phc)).execute()
    },

    async forget(id: string): Promise<void> {
      await db.deleteFrom('directory_confirmed').where('person_id', '=', id).execute()
    },

    /** What is too old to be good for anything, and what no settings declare any more. */
    async purge(): Promise<void> {
      const now = clock.now()
      const ids = [...declared.keys()]
      await db
        .deleteFrom('directory_confirmed')
        .where('directory', 'not in', ids.length > 0 ? ids : [''])
        .execute()
      for (const [directory, { verifiedWithin }] of declared) {
        const oldest = now - verifiedWithin
        const of = () => db.deleteFrom('directory_confirmed').where('directory', '=', directory)
        await of().where('confirmed_at', '<=', oldest).execute()
        await db
          .updateTable('directory_confirmed')
          .set({ phc: null, password_at: null, entry_changed_at: null })
          .where('directory', '=', directory)
          .where('password_at', '<=', oldest)
          .execute()
      }
    },
  })
}

export type ConfirmedPeople = ReturnType<typeof createConfirmed>
