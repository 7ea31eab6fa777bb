/** The policies that decided a receipt: what the page for the person and the command line explain it by. */
import type { App } from '#catalog'
import { createRecent } from '#core/recent'
import { decide, type Policies } from '#policy'
import type { Receipt } from './receipt.ts'
import { policiesOf, type Versions } from './versions.ts'

/** Undefined where that version is neither in force nor stored. */
export type PoliciesThen = (
  receipt: Pick<Receipt, 'policies'>,
  inForce: Policies | undefined,
) => Promise<Policies | undefined>

/** At least so many are kept, and at most twice as many: a large one takes some tens of megabytes. */
const KEPT = 1

/** ATTACK: reading a large version takes long, and people may open an old receipt as often as they like: it is read once. */
export function createPoliciesThen(versions: Versions | undefined): PoliciesThen {
  const read = createRecent<string, Promise<Policies | undefined>>(KEPT)
  return async ({ policies: version }, inForce) => {
    if (version === inForce?.version) return inForce
    if (!versions) return undefined
    let found = read.get(version)
    if (!found) {
      found = policiesOf(versions, version, inForce?.known)
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

/**
 * What the policies in force say now to what was decided then: it would pass, or something is asked. `no-telling`: an
 * app that goes by another policy since, or is gone, opens by what these facts say nothing about.
 */
export function nowOf(
  { facts }: Pick<Receipt, 'facts'>,
  app: Pick<App, 'policy'> | undefined,
  inForce: Policies,
): 'passes' | 'asks' | 'no-telling' {
  if (!facts || (facts.app?.id && facts.app.policy !== app?.policy)) return 'no-telling'
  return decide(inForce, facts).outcome === 'allow' ? 'passes' : 'asks'
}
