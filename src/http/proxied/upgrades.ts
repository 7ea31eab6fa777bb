/** Requests that make a connection another one: it is judged as it is opened, and never again. */
import type { IncomingHttpHeaders } from 'node:http'
import { Refusal } from '#core/refusal'

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
