/** What the first password would otherwise wait for. */
import type { Log } from '#core/log'
import type { Server } from './server.ts'

/** Milliseconds; whoever waited for "ready" asks something now. */
const WARM_AFTER = 500

export function warmSoon(server: Server, log: Log): void {
  setTimeout(() => {
    server.house.factors.warm().catch((cause: unknown) => log.error('warm-up-failed', {}, cause))
  }, WARM_AFTER).unref()
}
