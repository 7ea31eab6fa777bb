/** For operators and their probes, on an address of its own: /healthz, /readyz, /metrics. */
import type { Log } from '#core/log'
import { createHttpServer, type HttpServer, json, text } from '#http'
import type { Condition } from './condition.ts'

export interface ShownMetrics {
  readonly text: string
  readonly contentType: string
}

export interface ManagementOptions {
  readonly listen: string
  readonly log: Log
  /** What else it has stands in the answer as well. */
  condition(): Promise<Condition>
  metrics(): Promise<ShownMetrics>
}

export async function openManagement({ listen, log, condition, metrics }: ManagementOptions): Promise<HttpServer> {
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
          const { failing, ...more } = await condition()
          const ready = failing.length === 0
          return json({ status: ready ? 'ok' : 'failing', failing, ...more }, ready ? 200 : 503)
        },
      },
      {
        method: 'GET',
        path: '/metrics',
        handle: async () => {
          const found = await metrics()
          return { ...text(found.text), headers: { 'content-type': found.contentType } }
        },
      },
    ],
    renderRefusal: (refusal) => json({ code: refusal.code }, refusal.status),
  })
}
