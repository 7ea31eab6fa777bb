/**
 * What is published for everybody and the same for everybody (discovery, keys), kept as the engine wrote it: asked for by every app at
 * every start, and by some at every sign-on.
 */
import type { IncomingMessage } from 'node:http'
import type { KoaContextWithOIDC } from 'oidc-provider'
import { type Clock, type Instant, seconds } from '#core/clock'
import type { ReadyAnswer } from '#http'

/** Then the engine writes it anew: what it rests on may have changed on another process, and nobody asked anything else. */
const KEPT = seconds(1)

export interface Documents {
  /** Undefined: to be asked of the engine. */
  find(request: IncomingMessage): ReadyAnswer | undefined
  /** To be called with every answer of the engine. */
  keep(ctx: KoaContextWithOIDC): void
  /** Whatever is kept is of an engine that is no more. */
  forget(): void
}

export interface DocumentRooms {
  readonly clock: Clock
  /** Under which the documents name other addresses. */
  readonly aliasHost: string | undefined
  readonly paths: ReadonlySet<string>
}

export function createDocuments({ clock, aliasHost, paths }: DocumentRooms): Documents {
  const kept = new Map<string, ReadyAnswer & { readonly until: Instant }>()

  /** Pages get other headers (CORS). */
  const isUsual = ({ method, headers }: IncomingMessage) =>
    method === 'GET' && headers.origin === undefined && (aliasHost === undefined || headers.host !== aliasHost)

  return {
    find(request) {
      const found = kept.get(request.url!)
      return found && found.until > clock.now() && isUsual(request) ? found : undefined
    },

    keep({ req, status, body, response }) {
      const path = req.url!
      if (!paths.has(path) || !isUsual(req) || status !== 200 || typeof body !== 'object' || body === null) return
      const bytes = Buffer.from(JSON.stringify(body))
      const head = Object.entries({ ...response.headers, 'content-length': String(bytes.length) })
      kept.set(path, { until: clock.now() + KEPT, head: head.flat() as string[], body: bytes })
    },

    forget: () => kept.clear(),
  }
}
