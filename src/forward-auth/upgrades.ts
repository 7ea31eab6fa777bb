/** Requests that make a connection another one: it is judged as it is opened, and never again. */
import type { IncomingHttpHeaders } from 'node:http'
import { type App, isLoopback } from '#catalog'
import { Refusal } from '#core/refusal'
import type { Target } from './target.ts'

/** Whether a WebSocket is asked for: some proxies take `Upgrade` away before they ask us. RFC 6455 §4.1. */
export const isWebSocket = (headers: IncomingHttpHeaders): boolean =>
  headers.upgrade !== undefined || headers['sec-websocket-key'] !== undefined

/**
 * Throws Refusal `request-refused`.
 * ATTACK: an app that goes on in HTTP/2 (`Upgrade: h2c`, RFC 7540 §3.2) takes any number of requests on that connection, to any
 * path and in anybody's name, which the proxy passes on as bytes and asks nobody about.
 */
export function refuseTunnels(headers: IncomingHttpHeaders): void {
  const { upgrade } = headers
  if (
    headers['http2-settings'] !== undefined ||
    (upgrade !== undefined && upgrade.trim().toLowerCase() !== 'websocket')
  )
    throw new Refusal('request-refused', 'upgrade is not to a WebSocket')
}

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
