/** One person, several identities: what other directories know a person by, beside the directory the person belongs to. */
import type { Audit } from '#audit'
import type { Clock, Instant } from '#core/clock'
import { Refusal } from '#core/refusal'
import { rewriteGroups } from './memberships.ts'
import type { Store } from './store.ts'

export interface Identity {
  readonly directory: string
  /** What that directory calls the entry for ever. */
  readonly upstreamId: string
  readonly linkedAt: Instant
  /** A person's id, `cli`, or `rule` where the settings trust what the directory said. */
  readonly linkedBy: string
}

export type IdentityListener = (personId: string) => Promise<void>

export interface Identities {
  /** Whose identity this is, at home there or linked. */
  owner(directory: string, upstreamId: string): Promise<string | undefined>
  /** Those that were linked; the one with which a person came into our tables is not among them. */
  identities(personId: string): Promise<Identity[]>
  /**
   * Whoever this is at that directory is this person from now on. Throws `identity-taken` where it is somebody else, or
   * the person has another identity of that directory; linking again what is linked changes nothing.
   */
  link(personId: string, identity: Pick<Identity, 'directory' | 'upstreamId'>, by: string): Promise<void>
  /** Takes it back, with the groups that came from there; sessions end. False where there was none. */
  unlink(personId: string, directory: string, by: string): Promise<boolean>
  /** Whether this identity was taken from this person: what the settings believe does not give it back, `link` does. */
  refused(personId: string, directory: string, upstreamId: string): Promise<boolean>
  /** Awaited by `unlink`: what was begun with that identity ends. */
  onUnlinked(listener: IdentityListener): void
}

interface Parts {
  readonly store: Store
  readonly clock: Clock
  readonly audit: Audit
}

export function createIdentities({ store, clock, audit }: Parts): Identities {
  const { db } = store
  const listeners: IdentityListener[] = []
  const taken = (detail: string) => new Refusal('identity-taken', detail)

  async function ownerIn(on: typeof db, directory: string, upstreamId: string): Promise<string | undefined> {
    const home = on.selectFrom('people').select('id').where('directory', '=', directory)
    const linked = on.selectFrom('identities').select('person_id as id').where('directory', '=', directory)
    const found =
      (await home.where('upstream_id', '=', upstreamId).executeTakeFirst()) ??
      (await linked.where('upstream_id', '=', upstreamId).executeTakeFirst())
    return found?.id
  }

  return {
    owner: (directory, upstreamId) => ownerIn(db, directory, upstreamId),

    async identities(personId) {
      const rows = await db.selectFrom('identities').selectAll().where('person_id', '=', personId).execute()
      return rows
        .map((row) => ({
          directory: row.directory,
          upstreamId: row.upstream_id,
          linkedAt: Number(row.linked_at),
          linkedBy: row.linked_by,
        }))
        .sort((a, b) => (a.directory < b.directory ? -1 : 1))
    },

    async link(personId, { directory, upstreamId }, by) {
      const added = await db.transaction().execute(async (trx) => {
        const person = await trx.selectFrom('people').select('directory').where('id', '=', personId).executeTakeFirst()
        if (!person) throw new Refusal('person-unknown', 'directory: link')
        if (person.directory === directory) throw taken('the person belongs to that directory')
        const owner = await ownerIn(trx, directory, upstreamId)
        if (owner === personId) return false
        if (owner !== undefined) throw taken('the identity is somebody else here')
        const other = await trx
          .selectFrom('identities')
          .select('upstream_id')
          .where('person_id', '=', personId)
          .where('directory', '=', directory)
          .executeTakeFirst()
        if (other) throw taken('the person has another identity of that directory')
        await trx
          .insertInto('identities')
          .values({
            directory,
            upstream_id: upstreamId,
            person_id: personId,
            linked_at: clock.now(),
            linked_by: by,
          })
          .execute()
        await trx
          .deleteFrom('identities_refused')
          .where('directory', '=', directory)
          .where('upstream_id', '=', upstreamId)
          .where('person_id', '=', personId)
          .execute()
        return true
      })
      if (added) await audit.record('person-linked', { actor: by, subject: personId, reason: directory })
    },

    async unlink(personId, directory, by) {
      const removed = await db.transaction().execute(async (trx) => {
        const found = await trx
          .selectFrom('identities')
          .selectAll()
          .where('person_id', '=', personId)
          .where('directory', '=', directory)
          .executeTakeFirst()
        if (!found) return false
        const { upstream_id } = found
        await trx
          .deleteFrom('identities')
          .where('directory', '=', directory)
          .where('upstream_id', '=', upstream_id)
          .execute()
        await trx
          .insertInto('identities_refused')
          .values({ directory, upstream_id, person_id: personId })
          .onConflict((conflict) => conflict.doNothing())
          .execute()
        await trx.deleteFrom('memberships').where('person_id', '=', personId).where('source', '=', directory).execute()
        await rewriteGroups(trx, personId, clock.now())
        return true
      })
      if (!removed) return false
      await audit.record('person-unlinked', { actor: by, subject: personId, reason: directory })
      for (const listener of listeners) await listener(personId)
      return true
    },

    async refused(personId, directory, upstreamId) {
      const row = await db
        .selectFrom('identities_refused')
        .select('person_id')
        .where('directory', '=', directory)
        .where('upstream_id', '=', upstreamId)
        .where('person_id', '=', personId)
        .executeTakeFirst()
      return row !== undefined
    },

    onUnlinked: (listener) => void listeners.push(listener),
  }
}
