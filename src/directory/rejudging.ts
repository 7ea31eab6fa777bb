/**
 * A directory is back: whoever it vouched for before, and whoever has a session, is asked about again, whatever they did
 * meanwhile. The list is in the database, so a process that dies in between goes on where it was.
 */
import type { Audit } from '#audit'
import type { Instant } from '#core/clock'
import type { Log } from '#core/log'
import type { ConfirmedPeople } from './confirmed.ts'
import { isUnavailable, type OpenDirectory } from './kind.ts'
import type { Ask } from './mirror.ts'
import type { Person } from './person.ts'
import type { Store } from './store.ts'

export interface RejudgingParts {
  readonly store: Store
  readonly log: Log
  readonly audit: Audit
  readonly confirmed: ConfirmedPeople
  readonly ask: Ask
  /** Sessions and tokens of somebody who is gone end here. */
  readonly tellGone: (id: string) => Promise<void>
  /** Sessions end here that rest on a password which may be another one by now. */
  readonly tellDoubtful: (id: string) => Promise<void>
  /** Whoever else may do something: people with a session. */
  readonly others: () => AsyncIterable<SomeSession>
}

/** What is known of a session here: whose it is, and what of it was given while their directory could not be asked. */
export interface SomeSession {
  readonly personId: string
  readonly authenticated: readonly { readonly factor: string; readonly at: Instant; readonly duringOutage?: boolean }[]
}

const AT_ONCE = 8
const STEP = 200

export function createRejudging(parts: RejudgingParts) {
  const { store, log, audit, confirmed, ask, tellGone, tellDoubtful, others } = parts
  const { db } = store
  const running = new Map<string, Promise<Person | 'gone'>>()
  let closed = false

  const isListed = async (id: string) =>
    (await db.selectFrom('directory_to_judge').select('person_id').where('person_id', '=', id).executeTakeFirst()) !==
    undefined

  /** INVARIANT: somebody leaves the list only after everything that follows has happened. */
  async function judge(directory: OpenDirectory, id: string): Promise<Person | 'gone'> {
    const person = await store.byId(id)
    const unlist = () => db.deleteFrom('directory_to_judge').where('person_id', '=', id).execute()
    if (person && person.directory !== directory.id) {
      // at home elsewhere by now
      await unlist()
      return person
    }
    const answer = person ? await ask(directory, person) : 'gone'
    const gone = answer === 'gone' || answer.person.disabled
    if (gone) {
      await confirmed.forget(id)
      await tellGone(id)
      await audit.record('person-gone', { actor: 'system', subject: id, reason: directory.id })
    } else {
      const before = await confirmed.find(id)
      // no word about the entry, or another one than with that password: it may be another password
      if (answer.changedAt === undefined || Number(before?.entry_changed_at ?? -1) !== answer.changedAt) {
        await confirmed.forgetPassword(id)
        await tellDoubtful(id)
      }
      await confirmed.vouched(id, directory.id)
    }
    await unlist()
    return gone ? 'gone' : answer.person
  }

  function once(directory: OpenDirectory, id: string): Promise<Person | 'gone'> {
    let judging = running.get(id)
    if (!judging) {
      judging = judge(directory, id)
      running.set(id, judging)
      const over = () => void running.delete(id)
      judging.then(over, over)
    }
    return judging
  }

  /** People who have a session, and for whom the directory has not vouched since. */
  async function listOthers(directory: OpenDirectory): Promise<number> {
    const outage = await db
      .selectFrom('directory_outages')
      .select('back_at')
      .where('directory', '=', directory.id)
      .executeTakeFirst()
    const seen = new Set<string>()
    let count = 0
    for await (const { personId } of others()) {
      if (seen.has(personId)) continue
      seen.add(personId)
      const person = await store.byId(personId)
      const found = await confirmed.find(personId)
      if (person?.directory !== directory.id) continue
      if (found && Number(found.confirmed_at) >= Number(outage?.back_at ?? Number.POSITIVE_INFINITY)) continue
      await list(personId, directory.id)
      count++
    }
    return count
  }

  const listConfirmed = (directory: string) =>
    db
      .insertInto('directory_to_judge')
      .columns(['person_id', 'directory'])
      .expression((eb) =>
        eb
          .selectFrom('directory_confirmed')
          .select(['person_id', 'directory'])
          .where('directory', '=', directory)
          .where('person_id', 'not in', (ids) => ids.selectFrom('directory_to_judge').select('person_id')),
      )
      .execute()

  /** People at home there with a session in which something was given during the outage, and nothing was said since. */
  async function listDoubtful(directory: string): Promise<void> {
    for await (const { personId, authenticated } of others()) {
      const given = authenticated.filter(({ duringOutage }) => duringOutage)
      if (given.length === 0 || (await store.byId(personId))?.directory !== directory) continue
      const confirmedAt = Number((await confirmed.find(personId))?.confirmed_at ?? 0)
      // another provider tells when somebody signed in there, which may be long before they came from there
      if (given.some(({ factor, at }) => factor === 'upstream' || at > confirmedAt)) await list(personId, directory)
    }
  }

  const list = (personId: string, directory: string) =>
    db
      .insertInto('directory_to_judge')
      .values({ person_id: personId, directory })
      .onConflict((c) => c.doNothing())
      .execute()

  /** All on the list once; answers how many are left because the directory could not tell. */
  async function pass(directory: OpenDirectory): Promise<{ left: number; gone: number }> {
    let [left, gone, last] = [0, 0, '']
    for (;;) {
      const ids = await db
        .selectFrom('directory_to_judge')
        .select('person_id')
        .where('directory', '=', directory.id)
        .where('person_id', '>', last)
        .orderBy('person_id')
        .limit(STEP)
        .execute()
      if (ids.length === 0) return { left, gone }
      last = ids.at(-1)!.person_id
      const rest = ids.values()
      const one = async () => {
        for (const { person_id: id } of rest) {
          if (closed || directory.health?.().state === 'down') left++
          else
            try {
              if ((await once(directory, id)) === 'gone') gone++
            } catch (error) {
              if (!isUnavailable(error)) log.error('judging-again-failed', { person: id }, error)
              left++
            }
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, one))
      if (closed || directory.health?.().state === 'down') return { left: Math.max(left, 1), gone }
    }
  }

  return Object.freeze({
    /**
     * Puts everybody on the list for whom the directory vouched not too long ago; of a provider, which cannot be asked
     * about anybody, who signed in meanwhile. Answers how many.
     */
    async list({ id: directory, federated }: Pick<OpenDirectory, 'id' | 'federated'>): Promise<number> {
      if (federated) await listDoubtful(directory)
      else await listConfirmed(directory)
      const { count } = await db
        .selectFrom('directory_to_judge')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('directory', '=', directory)
        .executeTakeFirstOrThrow()
      return Number(count)
    },

    /** Whether something that somebody did in the outage is still to be judged. */
    isListed,

    /** The provider has just vouched for this person: what they did meanwhile is judged by that. */
    async vouched(id: string, directory: string): Promise<void> {
      await db.deleteFrom('directory_to_judge').where('person_id', '=', id).where('directory', '=', directory).execute()
    },

    /** Of a provider: how many have not come by. Once their time is over, what they did in the outage ends. */
    async expire({ id: directory }: OpenDirectory, over: boolean): Promise<{ left: number; gone: number }> {
      // another server may have found out later that it was back
      if (over) await listDoubtful(directory)
      const listed = db.selectFrom('directory_to_judge').select('person_id').where('directory', '=', directory)
      const ids = await listed.execute()
      if (!over) return { left: ids.length, gone: 0 }
      for (const { person_id: id } of ids) {
        await tellDoubtful(id)
        await db.deleteFrom('directory_to_judge').where('person_id', '=', id).execute()
      }
      return { left: 0, gone: ids.length }
    },

    async work(directory: OpenDirectory): Promise<{ left: number; gone: number }> {
      const first = await pass(directory)
      if (first.left > 0 || (await listOthers(directory)) === 0) return first
      const second = await pass(directory)
      return { left: second.left, gone: first.gone + second.gone }
    },

    /** One person at once, because they want something now. Undefined: they were judged already. */
    async now(directory: OpenDirectory, id: string): Promise<Person | 'gone' | 'unavailable' | undefined> {
      if (!(await isListed(id))) return undefined
      try {
        return await once(directory, id)
      } catch (error) {
        if (isUnavailable(error)) return 'unavailable'
        throw error
      }
    },

    close() {
      closed = true
    },
  })
}

export type Rejudging = ReturnType<typeof createRejudging>
