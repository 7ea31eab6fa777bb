/** One of several processes behind one address: serves as `serve.ts` does, and does what its supervisor says. */
import { createLog } from '#audit'
import { parseDuration } from '#core/duration'
import { type Server, startServer } from './server.ts'
import { listenForStop } from './stopping.ts'
import { warmSoon } from './warm.ts'
import { whyNotAtAll } from './why-not.ts'
import type { FromWorker, ToWorker } from './worker-talk.ts'

type Start = Extract<ToWorker, { do: 'start' }>

/** Ends the process when it is over. */
export async function work(): Promise<void> {
  const stopping = listenForStop()
  const { promise: started, resolve: start } = Promise.withResolvers<Start>()
  let server: Server | undefined
  let reload: () => void = () => {}
  // what a terminal says to all at once, the supervisor says as well
  process.on('SIGHUP', () => {})
  // nobody listens for us any more: without a supervisor there is no address
  process.on('disconnect', () => stopping.tell(true))
  process.on('message', (message: ToWorker) => {
    if (message.do === 'start') start(message)
    else if (message.do === 'reload') reload()
    else if (message.do === 'stop') stopping.tell(message.hurry)
    else void answer(message)
  })
  async function answer({ question, what }: Extract<ToWorker, { do: 'tell' }>): Promise<void> {
    const found = await server?.[what]().catch(() => undefined)
    say({ said: 'told', question, answer: found })
  }
  say({ said: 'here' })

  const begun = await Promise.race([started, stopping.told])
  if (!begun) process.exit(0)
  const { worker, settings, folder } = begun
  const log = createLog({ level: settings.log.level, worker: worker.number })
  try {
    server = await startServer({ settings, folder, log, follow: true, worker })
  } catch (error) {
    const why = whyNotAtAll(error, settings)
    if (why === undefined) throw error
    say({ said: 'refused', why })
    process.exit(2)
  }
  const serving = server
  reload = () => serving.reload().catch((cause: unknown) => log.error('policies-reload-failed', {}, cause))
  say({ said: 'serving', claimUrl: server.claimUrl, claimTooLate: server.claimTooLate })
  warmSoon(server, log)
  await stopping.told
  server.retire()
  await stopping.linger(parseDuration(settings.drain)!)
  await server.close()
  process.exit(0)
}

/** To a supervisor that has gone nothing is said. */
function say(message: FromWorker): void {
  if (process.connected) process.send!(message)
}
