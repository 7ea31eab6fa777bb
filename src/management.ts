/** For operators and their probes, on an address of its own: /healthz, /readyz, /metrics. */
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { Log } from '#core/log'
import type { DirectoryState } from '#directory'
import { createHttpServer, type HttpServer, json, text } from '#http'
import type { Storage } from '#storage'

export interface ManagementOptions {
  readonly listen: string
  readonly log: Log
  readonly storage: Storage
  ready(): boolean
  /** Of the password queue. */
  load(): { done: number; running: number; waiting: number }
  directories(): readonly DirectoryState[]
}

/** What a probe or a graph shows of a directory. */
const UP: Readonly<Record<DirectoryState['state'], number | undefined>> = {
  up: 1,
  returning: 1,
  down: 0,
  unknown: undefined,
}

export async function openManagement(options: ManagementOptions): Promise<HttpServer> {
  const { listen, log, storage, ready, load, directories } = options
  const register = new Registry()
  collectDefaultMetrics({ register, prefix: 'portico_' })
  new Gauge({
    name: 'portico_password_queue',
    help: 'Password checks running and waiting',
    labelNames: ['state'],
    registers: [register],
    collect() {
      const { running, waiting } = load()
      this.set({ state: 'running' }, running)
      this.set({ state: 'waiting' }, waiting)
    },
  })
  new Gauge({
    name: 'portico_directory_up',
    help: 'Whether a directory answers; absent before it was asked',
    labelNames: ['directory'],
    registers: [register],
    collect() {
      for (const { id, state } of directories()) if (UP[state] !== undefined) this.set({ directory: id }, UP[state])
    },
  })

  async function failing(): Promise<string[]> {
    const reasons = ready() ? [] : ['starting']
    try {
      await storage.state.get('readyz')
    } catch {
      reasons.push('storage')
    }
    return reasons
  }

  return createHttpServer({
    listen,
    issuer: 'http://localhost',
    proxies: [],
    log,
    routes: [
      { method: 'GET', path: '/healthz', handle: () => json({ status: 'ok' }) },
      {
        method: 'GET',
        path: '/readyz',
        handle: async () => {
          const reasons = await failing()
          return json(
            // a directory that is down is no reason to send people elsewhere: it is down there too
            {
              status: reasons.length === 0 ? 'ok' : 'failing',
              failing: reasons,
              directories: directories().map(stateOf),
            },
            reasons.length === 0 ? 200 : 503,
          )
        },
      },
      {
        method: 'GET',
        path: '/metrics',
        handle: async () => ({ ...text(await register.metrics()), headers: { 'content-type': register.contentType } }),
      },
    ],
    renderRefusal: (refusal) => json({ code: refusal.code }, refusal.status),
  })
}

const stateOf = ({ id, state, since }: DirectoryState) => ({
  id,
  state,
  ...(since === undefined ? {} : { since: new Date(since).toISOString() }),
})
