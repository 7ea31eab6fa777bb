/** Apps that nobody has registered, by the name that a request says. */
import type { Catalog } from '#catalog'
import { type Clock, type Instant, seconds } from '#core/clock'
import type { Log } from '#core/log'
import { nearest } from '#core/nearest'

const LOGGED_AGAIN = seconds(10)

/**
 * ATTACK: the name is anybody's text, and there is no end of such names: nothing is kept of them but how many there were, and
 * what the line tells is the registered name that comes nearest.
 */
export function createUnknown({ apps, clock, log }: { apps: Pick<Catalog['apps'], 'list'>; clock: Clock; log: Log }) {
  let [count, loggedAt]: [number, Instant] = [0, -Infinity]

  return async (kind: 'client-id' | 'entity-id', name: string): Promise<void> => {
    count++
    const now = clock.now()
    if (now >= loggedAt && now - loggedAt < LOGGED_AGAIN) return
    const said = count
    ;[count, loggedAt] = [0, now]
    const known = await apps.list()
    const names = kind === 'client-id' ? known.map(({ id }) => id) : known.flatMap(({ saml }) => saml?.entityId ?? [])
    log.warn('app-unknown', { kind, near: nearest(name, names), count: said })
  }
}
