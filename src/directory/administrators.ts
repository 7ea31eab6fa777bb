/** The last administrator who is not switched off is not taken away by mistake: nobody could put them back from a page. */
import { Refusal } from '#core/refusal'
import { ADMINISTRATORS } from './person.ts'
import type { Database, Store } from './store.ts'
import type { PeopleTable } from './tables.ts'

/** `force`: also where nobody could open the console any more. */
export interface Taking {
  readonly force?: boolean
}

/**
 * Called after a change of people, in its transaction, with their rows as they were before. Throws `last-administrator` where one
 * of them was an administrator who could sign in and nobody is any more. INVARIANT: asked after the change, so that of two which
 * take away one each at once the second is refused.
 */
export async function keepAdministrator(
  trx: Database,
  { directories }: Pick<Store, 'directories'>,
  before: readonly (PeopleTable | undefined)[],
): Promise<void> {
  const counts = (row: PeopleTable | undefined): boolean =>
    row !== undefined &&
    row.disabled === 0 &&
    directories.has(row.directory) &&
    (JSON.parse(row.groups ?? '[]') as string[]).includes(ADMINISTRATORS)
  if (!before.some(counts)) return
  const left = await trx
    .selectFrom('memberships')
    .innerJoin('people', 'people.id', 'memberships.person_id')
    .select('people.id')
    .where('memberships.group_name', '=', ADMINISTRATORS)
    .where('people.disabled', '=', 0)
    .where('people.directory', 'in', [...directories])
    .limit(1)
    .executeTakeFirst()
  if (!left) throw new Refusal('last-administrator', 'nobody else could open the console')
}
