/** The gateway in this very process. */
import { createLog } from '#audit'
import type { Context } from '#cli'
import { parseDuration } from '#core/duration'
import { startServer } from './server.ts'
import type { Stopping } from './stopping.ts'
import { warmSoon } from './warm.ts'
import { whyNot } from './why-not.ts'
import { firstWords } from './workers.ts'

/** Resolves with the exit code once it has ended. */
export async function serveAlone({ settings, folder, out, err }: Context, stopping: Stopping): Promise<number> {
  const log = createLog({ level: settings.log.level })
  try {
    const server = await startServer({ settings, folder, log, follow: true })
    process.on('SIGHUP', () => {
      // what decides goes on, and so does the process: whoever sent it reads the log
      server.reload().catch((cause: unknown) => log.error('policies-reload-failed', {}, cause))
    })
    for (const line of firstWords(settings.issuer, server)) out(line)
    warmSoon(server, log)
    await stopping.told
    server.retire()
    await stopping.linger(parseDuration(settings.drain)!)
    await server.close()
    return 0
  } catch (error) {
    const said = whyNot(error, settings)
    if (said === undefined) throw error
    err(said)
    return 2
  }
}
