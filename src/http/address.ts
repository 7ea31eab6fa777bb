/** Where a request comes from. */
import type { IncomingMessage } from 'node:http'
import { type Networks, normaliseAddress } from './networks.ts'

const UNKNOWN = '0.0.0.0'
const MOST_HOPS = 20

/**
 * The client's address: the socket's, or, where that is one of our own proxies, the nearest address in `Forwarded`
 * (RFC 7239) or `X-Forwarded-For` that is not a proxy of ours.
 * ATTACK: everything left of that address was written by somebody we do not know; from anyone but our proxies the
 * headers are ignored. An entry that cannot be read ends the walk at the proxy that wrote it (fail closed: a proxy's
 * address is in no store).
 */
export function clientAddress(request: IncomingMessage, proxies: Networks): string {
  let address = normaliseAddress(request.socket.remoteAddress) ?? UNKNOWN
  if (!proxies.has(address)) return address
  const hops = forwardedFor(request).slice(-MOST_HOPS)
  for (const hop of hops.reverse()) {
    const next = normaliseAddress(hop)
    if (next === undefined) return address
    address = next
    if (!proxies.has(address)) return address
  }
  return address
}

function forwardedFor(request: IncomingMessage): string[] {
  const standard = request.headers.forwarded
  if (standard) {
    return standard.split(',').map((element) => {
      const value = /(?:^|;)\s*for\s*=\s*("[^"]*"|[^;\s]*)/i.exec(element)?.[1]?.replace(/^"(.*)"$/, '$1') ?? ''
      return withoutPort(value)
    })
  }
  const usual = request.headers['x-forwarded-for']
  const list = Array.isArray(usual) ? usual.join(',') : usual
  return list ? list.split(',').map((hop) => withoutPort(hop.trim())) : []
}

const withoutPort = (hop: string): string =>
  /^\[([^\]]*)\](?::\d+)?$/.exec(hop)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(hop)?.[1] ?? hop
