/** For operators and their probes, on an address of its own: /healthz, /readyz, /metrics. */
import type { Registry } from 'prom-client'
import type { Log } from '#core/log'
import type { DirectoryState } from '#directory'
import { createHttpServer, type HttpServer, json, text } from '#http'
import type { Storage } from '#storage'
import type { Measured } from './metrics.ts'

export interface ManagementOptions extends Measured {
  readonly listen: string
  readonly log: Log
  readonly storage: Storage
  ready(): boolean
}

export async function openManagement(options: ManagementOptions): Promise<HttpServer> {
  const { listen, log, storage, ready, directories } = options
  // loaded by who measures: a start does not wait for it
  let register: Promise<Registry> | undefined

  async function failing(): Promise<string[]> {
    const { state, durable } = storage
    const reasons = ready() ? [] : ['starting']
    const look = async (name: string, store: Storage['state']) => {
      await store.get('readyz').catch(() => reasons.push(name))
    }
    await look('storage', durable)
    if (state !== durable) await look('state', state)
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
        handle: async () => {
          register ??= import('./metrics.ts').then(({ registerOf }) => registerOf(options))
          const known = await register
          return { ...text(await known.metrics()), headers: { 'content-type': known.contentType } }
        },
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
