/**
 * Ids of people who became part of somebody else. INVARIANT: nothing that signs in, issues or decides follows an alias: an
 * old id is nobody there. It is for whoever looks something up.
 */
import type { Store } from '../store.ts'

export interface Aliases {
  /** Who somebody of this id is now; undefined where nobody of this id became somebody else. */
  survivorOf(id: string): Promise<string | undefined>
  /** The earlier ids of those who became this person. */
  absorbedBy(id: string): Promise<string[]>
}

export function createAliases({ db }: Store): Aliases {
  const done = db.selectFrom('merges').where('merged_at', 'is not', null)
  return Object.freeze({
    async survivorOf(id: string) {
      return (await done.select('survivor_id').where('absorbed_id', '=', id).executeTakeFirst())?.survivor_id
    },
    async absorbedBy(id: string) {
      const rows = await done.select('absorbed_id').where('survivor_id', '=', id).orderBy('merged_at').execute()
      return rows.map((row) => row.absorbed_id)
    },
  })
}
