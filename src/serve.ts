/** `portico serve`: the gateway in this process, or in several that this one looks after. */
import type { Verb } from '#cli'
import { listenForStop } from './stopping.ts'
import { workersOf } from './workers.ts'

export const serveVerbs: readonly Verb[] = [
  {
    words: ['serve'],
    usage: 'serve',
    summary: 'run the gateway until SIGTERM; SIGHUP reloads policies and catalog',
    async run(_args, context) {
      // listened for from the beginning: whoever waits for "ready" may send one in the next instant
      const stopping = listenForStop()
      const workers = workersOf(context.settings)
      // who looks after others needs none of the rooms
      if (workers > 1) return (await import('./supervisor.ts')).supervise({ ...context, workers, stopping })
      return (await import('./alone.ts')).serveAlone(context, stopping)
    },
  },
]
