/**
 * Since when a directory's word about somebody's groups is known. A sync writes nothing about those whom it found
 * unchanged: its run says when it began, and a person's row whether the run speaks for them.
 *
 * INVARIANT: only a run that came to its end speaks for anybody, and never for whom it could not read to the end.
 */
import { sql } from 'kysely'
import type { Instant } from '#core/clock'
import type { Database } from './store.ts'

/** When the directory told somebody's groups last: by the person's own row, or by a run that found nothing new. */
export function groupsAsOf(row: {
  readonly groups_at: number | null
  readonly seen: number | null
  readonly groups_told: number | null
  readonly full_run: number | null
  readonly synced_groups_at: number | null
}): Instant | null {
  if (row.groups_at === null) return null
  const own = Number(row.groups_at)
  const spokenFor = row.groups_told === 1 && row.seen !== null && row.full_run !== null && row.seen >= row.full_run
  return spokenFor && row.synced_groups_at !== null ? Math.max(own, Number(row.synced_groups_at)) : own
}

/** From now on no run speaks for these people, until one is told their groups: what was told before keeps its age. */
export async function doubtGroups(trx: Database, directory: string, upstreamIds: readonly string[]): Promise<void> {
  if (upstreamIds.length === 0) return
  const found = await trx
    .selectFrom('people')
    .innerJoin('directory_synced as seen', (join) =>
      join.onRef('seen.person_id', '=', 'people.id').on('seen.directory', '=', directory),
    )
    .innerJoin('directory_syncs as runs', 'runs.directory', 'people.directory')
    .select(['people.id', 'people.groups_at', 'seen.seen', 'seen.groups_told', 'runs.full_run'])
    .select('runs.groups_at as synced_groups_at')
    .where('people.directory', '=', directory)
    .where('people.upstream_id', 'in', upstreamIds)
    .where('seen.groups_told', '=', 1)
    .execute()
  for (const row of found) {
    await trx
      .updateTable('people')
      .set({ groups_at: groupsAsOf(row) })
      .where('id', '=', row.id)
      .execute()
    await trx
      .updateTable('directory_synced')
      .set({ groups_told: sql`0` })
      .where('person_id', '=', row.id)
      .where('directory', '=', directory)
      .execute()
  }
}
