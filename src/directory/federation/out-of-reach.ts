/**
 * Whom no other provider brings in. People of the setting `break_glass` are there for the day on which everything else fails, or has
 * been taken over: they sign in here, with what they have here.
 * ATTACK: a provider that is taken over must not become one of them, nor an administrator, by saying so.
 */
import { isAdministrators, usernameKey } from '../person.ts'
import type { Store } from '../store.ts'

export interface OutOfReach {
  /** Whether this is a name of `break_glass`, as names are compared: nobody from elsewhere is called so. */
  isBreakGlassName(key: string): boolean
  /** Somebody of `break_glass`: never connected by a rule, and never signed in as from another provider, however connected. */
  isBreakGlass(personId: string): Promise<boolean>
  /** By what was given here, whatever directories can tell at the moment: never connected by a rule. */
  isAdministrator(personId: string): Promise<boolean>
}

/** `breakGlass`: user names. */
export function createOutOfReach({ db }: Pick<Store, 'db'>, breakGlass: readonly string[]): OutOfReach {
  const names: ReadonlySet<string | undefined> = new Set(breakGlass.map(usernameKey))
  return {
    isBreakGlassName: (key) => names.has(key),
    async isBreakGlass(personId) {
      if (names.size === 0) return false
      const row = await db.selectFrom('people').select('username_key').where('id', '=', personId).executeTakeFirst()
      return row !== undefined && names.has(row.username_key)
    },
    async isAdministrator(personId) {
      const rows = await db.selectFrom('memberships').select('group_name').where('person_id', '=', personId).execute()
      return rows.some((row) => isAdministrators(row.group_name))
    },
  }
}
