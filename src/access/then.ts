/** The policies that decided a receipt: what the page for the person and the command line explain it by. */
import type { Policies } from '#policy'
import type { Receipt } from './receipt.ts'
import { createRecent } from './recent.ts'
import { policiesOf, type Versions } from './versions.ts'

/** Undefined where that version is neither in force nor stored. */
export type PoliciesThen = (receipt: Pick<Receipt, 'policies'>, inForce: Policies) => Promise<Policies | undefined>

/** At least so many are kept, and at most twice as many: a large one takes some tens of megabytes. */
const KEPT = 1

/** ATTACK: reading a large version takes long, and people may open an old receipt as often as they like: it is read once. */
export function createPoliciesThen(versions: Versions | undefined): PoliciesThen {
  const read = createRecent<string, Promise<Policies | undefined>>(KEPT)
  return async ({ policies: version }, inForce) => {
    if (version === inForce.version || !versions) return version === inForce.version ? inForce : undefined
    let found = read.get(version)
    if (!found) {
      found = policiesOf(versions, version, inForce.known)
      read.set(version, found)
      // it may be published yet, and an error may pass
      void found.then(
        (policies) => policies ?? read.delete(version),
        () => read.delete(version),
      )
    }
    return found
  }
}
