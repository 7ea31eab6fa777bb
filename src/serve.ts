/** `portico serve`, and what starts and stops a process. */
import { PoliciesInvalid } from '#access'
import { createLog } from '#audit'
import type { Context, Verb } from '#cli'
import { startServer } from './server.ts'

export const serveVerbs: readonly Verb[] = [
  {
    words: ['serve'],
    usage: 'serve',
    summary: 'run the gateway until SIGTERM; SIGHUP reloads policies and catalog',
    run: (_args, context) => serve(context),
  },
]

async function serve({ settings, folder, out, err }: Context): Promise<number> {
  const log = createLog({ level: settings.log.level })
  // listened for from the beginning: whoever waits for "ready" may send one in the next instant
  const told = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve())
  })
  try {
    const server = await startServer({ settings, folder, log, follow: true })
    process.on('SIGHUP', () => void server.reload())
    if (server.claimUrl) out(`make the first administrator within 30 minutes: ${server.claimUrl}`)
    if (server.claimTooLate)
      out(
        'nobody is here yet, and the link for the first administrator was made before; without it: portico people add USERNAME --name NAME --group administrators --group staff --password-stdin',
      )
    out(`ready ${settings.issuer}`)
    await told
    await server.close()
    return 0
  } catch (error) {
    const { syscall } = error as NodeJS.ErrnoException
    if (error instanceof PoliciesInvalid || syscall === 'listen' || syscall === 'getaddrinfo') {
      err((error as Error).message)
      return 2
    }
    throw error
  }
}
