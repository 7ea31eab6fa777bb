/** For operators and their probes, on an address of its own: /healthz, /readyz, /metrics. */
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { Log } from '#core/log'
import { createHttpServer, type HttpServer, json, text } from '#http'
import type { Storage } from '#storage'

export interface ManagementOptions {
  readonly listen: string
  readonly log: Log
  readonly storage: Storage
  ready(): boolean
  /** Of the password queue. */
  load(): { done: number; running: number; waiting: number }
}

export async function openManagement({ listen, log, storage, ready, load }: ManagementOptions): Promise<HttpServer> {
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
            { status: reasons.length === 0 ? 'ok' : 'failing', failing: reasons },
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
