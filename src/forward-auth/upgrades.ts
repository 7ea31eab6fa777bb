/** Requests that make a connection another one: it is judged as it is opened, and never again. */
import type { IncomingHttpHeaders } from 'node:http'
import type { App } from '#catalog'
import { Refusal } from '#core/refusal'
import { isLoopback, isWebSocket, type Target } from '#http'

/**
 * Throws Refusal `cross-origin`.
 * ATTACK: no browser asks a server whether another page may open a WebSocket to it (RFC 6455 §10.2), and a page of a neighbouring
 * host brings our cookie along, for SameSite means the domain. Many apps do not look at `Origin`.
 */
export function refuseForeignSocket(app: App, { origin }: Target, headers: IncomingHttpHeaders): void {
  const from = headers.origin
  // whatever is no browser says nothing
  if (from === undefined || from === origin || !isWebSocket(headers)) return
  const own = (app.forwardAuth?.hosts ?? []).some(
    (host) => from === `https://${host}` || (from === `http://${host}` && isLoopback(host.replace(/:\d+$/, ''))),
  )
  if (!own) throw new Refusal('cross-origin', 'a page of another host opens a WebSocket')
}
