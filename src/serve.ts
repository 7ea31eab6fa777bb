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

/** Milliseconds. */
const WARM_AFTER = 500

async function serve({ settings, folder, out, err }: Context): Promise<number> {
  const log = createLog({ level: settings.log.level })
  // listened for from the beginning: whoever waits for "ready" may send one in the next instant
  const told = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve())
  })
  try {
    const server = await startServer({ settings, folder, log, follow: true })
    process.on('SIGHUP', () => {
      // what decides goes on, and so does the process: whoever sent it reads the log
      server.reload().catch((cause: unknown) => log.error('policies-reload-failed', {}, cause))
    })
    if (server.claimUrl) out(`make the first administrator within 30 minutes: ${server.claimUrl}`)
    if (server.claimTooLate)
      out(
        'nobody is here yet, and the link for the first administrator was made before; without it: portico people add USERNAME --name NAME --group administrators --group staff --password-stdin',
      )
    out(`ready ${settings.issuer}`)
    // a moment later: whoever waited for "ready" asks something now
    setTimeout(() => {
      server.house.factors.warm().catch((cause: unknown) => log.error('warm-up-failed', {}, cause))
    }, WARM_AFTER).unref()
    await told
    await server.close()
    return 0
  } catch (error) {
    const said = whyNot(error, settings)
    if (said === undefined) throw error
    err(said)
    return 2
  }
}

const LISTENING: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program, or another Portico, listens on this address',
  EADDRNOTAVAIL: 'this machine does not have this address',
  EACCES: 'only a privileged user may listen on this port',
}

/** For what an operator can mend: one sentence that names the setting. */
function whyNot(error: unknown, settings: Context['settings']): string | undefined {
  if (error instanceof PoliciesInvalid) return error.message
  const { syscall, code = '', port } = error as NodeJS.ErrnoException & { port?: number }
  if (syscall === 'getaddrinfo') return (error as Error).message
  if (syscall !== 'listen') return undefined
  const addresses = { listen: settings.listen, 'management.listen': settings.management.listen }
  const found = Object.entries(addresses).find(([, address]) => address.endsWith(`:${port}`))
  const [name, address] = found ?? ['listen', String(port)]
  return `\`${name}: ${address}\`: ${LISTENING[code] ?? 'cannot be listened on'} (${code})`
}
