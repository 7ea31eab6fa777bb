/** Groups, and who is in them because somebody here said so. */
import type { Audit } from '#audit'
import type { Clock } from '#core/clock'
import { Refusal } from '#core/refusal'
import { keepAdministrator, type Taking } from './administrators.ts'
import { rewriteGroups } from './memberships.ts'
import { checkGroups } from './rows.ts'
import type { Store } from './store.ts'
import { LOCAL_SOURCE } from './tables.ts'

export interface Groups {
  /** All groups that anybody is in, by name, over all sources. */
  groups(): Promise<{ name: string; members: number }[]>
  addToGroup(id: string, group: string, by: string): Promise<void>
  removeFromGroup(id: string, group: string, by: string, taking?: Taking): Promise<void>
}

export function createGroups({ store, clock, audit }: { store: Store; clock: Clock; audit: Audit }): Groups {
  const { db } = store
  const known = async (id: string) => {
    if (!(await store.row(id))) throw new Refusal('person-unknown', 'directory: groups')
  }
  return Object.freeze({
    async groups() {
      const rows = await db
        .selectFrom('memberships')
        .select((eb) => ['group_name', eb.fn.count<number>('person_id').distinct().as('members')])
        .groupBy('group_name')
        .orderBy('group_name')
        .execute()
      return rows.map((row) => ({ name: row.group_name, members: Number(row.members) }))
    },

    async addToGroup(id: string, group: string, by: string) {
      checkGroups([group])
      await known(id)
      await db.transaction().execute(async (trx) => {
        await trx
          .insertInto('memberships')
          .values({ person_id: id, group_name: group, source: LOCAL_SOURCE })
          .onConflict((conflict) => conflict.doNothing())
          .execute()
        await rewriteGroups(trx, id, clock.now())
      })
      await audit.record('group-changed', { actor: by, subject: id, reason: 'added' })
    },

    /** What an upstream says stays: throws `directory-read-only` when the person is in the group because of it. */
    async removeFromGroup(id: string, group: string, by: string, { force = false }: Taking = {}) {
      await known(id)
      const before = await store.row(id)
      const left = await db.transaction().execute(async (trx) => {
        await trx
          .deleteFrom('memberships')
          .where('person_id', '=', id)
          .where('group_name', '=', group)
          .where('source', '=', LOCAL_SOURCE)
          .execute()
        await rewriteGroups(trx, id, clock.now())
        if (!force) await keepAdministrator(trx, store, [before])
        return trx
          .selectFrom('memberships')
          .select('source')
          .where('person_id', '=', id)
          .where('group_name', '=', group)
          .execute()
      })
      await audit.record('group-changed', { actor: by, subject: id, reason: 'removed' })
      if (left.length > 0) throw new Refusal('directory-read-only', `group kept by directory ${left[0]!.source}`)
    },
  })
}
