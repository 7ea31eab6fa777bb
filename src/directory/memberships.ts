/** What `memberships` says, put into the rows that everybody reads. */
import type { Instant } from '#core/clock'
import type { Database } from './store.ts'

/** Puts what `memberships` says into the row that `byId` reads. INVARIANT: in the transaction that changed memberships. */
export async function rewriteGroups(trx: Database, id: string, now: Instant): Promise<void> {
  const rows = await trx.selectFrom('memberships').select('group_name').distinct().where('person_id', '=', id).execute()
  const groups = JSON.stringify(rows.map((row) => row.group_name).sort())
  // unknown stays unknown: groups given here are not all there may be
  await trx.updateTable('people').set({ groups }).where('id', '=', id).where('groups_known', '=', 1).execute()
  await trx.updateTable('people').set({ changed_at: now }).where('id', '=', id).execute()
}
