/** Where a request comes from. */
import type { IncomingMessage } from 'node:http'
import { createRecent } from '#core/recent'
import { familyOf, type Networks, normaliseAddress } from './networks.ts'

/** What stands for an address that nobody could find out (RFC 1122 §3.2.1.3): nobody's own. */
export const UNKNOWN_ADDRESS = '0.0.0.0'
const MOST_HOPS = 20
/** At least so many answers are kept, and at most twice as many. */
const KNOWN = 2_000
/** Longer ones are not kept: whoever sends them must not fill the memory. */
const LONGEST_KNOWN = 100

export type ClientAddress = (request: IncomingMessage) => string

/** `clientAddress`, which finds the same for the same words of the same proxy, and the same people ask again and again. */
export function createClientAddress(proxies: Networks): ClientAddress {
  const known = createRecent<string, string>(KNOWN)
  return (request) => {
    const { forwarded, 'x-forwarded-for': usual } = request.headers
    if (forwarded !== undefined || (usual?.length ?? 0) > LONGEST_KNOWN) return clientAddress(request, proxies)
    const { remoteAddress } = request.socket
    // ATTACK: an empty header is not none: one says that nobody knows, the other that there is nobody in between
    const said = usual === undefined ? `${remoteAddress}` : `${remoteAddress} ${usual}`
    let address = known.get(said)
    if (address === undefined) {
      address = clientAddress(request, proxies)
      known.set(said, address)
    }
    return address
  }
}

/**
 * The client's address: the socket's, or, where that is one of our own proxies, the nearest address in `Forwarded`
 * (RFC 7239) or `X-Forwarded-For` that is not a proxy of ours.
 * ATTACK: everything left of that address was written by somebody we do not know; from anyone but our proxies the
 * headers are ignored. A proxy writes one of the two headers and may pass the other on as it came from the client: where both
 * are there and disagree, neither is believed. Then, and where an entry cannot be read, the address is unknown, not that of a
 * proxy: a proxy may stand in a network that rules trust.
 */
export function clientAddress(request: IncomingMessage, proxies: Networks): string {
  const peer = normaliseAddress(request.socket.remoteAddress) ?? UNKNOWN_ADDRESS
  if (!proxies.has(peer)) return peer
  const { forwarded, 'x-forwarded-for': usual } = request.headers
  const found = [
    ...(forwarded === undefined ? [] : [walk(peer, standardHops(forwarded), proxies)]),
    ...(usual === undefined ? [] : [walk(peer, usualHops(String(usual)), proxies)]),
  ]
  const [first = peer] = found
  return found.every((address) => address === first) ? first : UNKNOWN_ADDRESS
}

function walk(peer: string, hops: readonly string[], proxies: Networks): string {
  let address = peer
  for (const hop of hops.slice(-MOST_HOPS).reverse()) {
    const next = normaliseAddress(hop)
    if (next === undefined) return UNKNOWN_ADDRESS
    address = next
    if (!proxies.has(address)) return address
  }
  return address
}

/** RFC 7239 §4. Cut at every comma, also inside quotes: a quote that the client opened must not swallow our proxy's part. */
const standardHops = (header: string): string[] =>
  header.split(',').map((element) => {
    const value = /(?:^|;)\s*for\s*=\s*("[^"]*"|[^;\s]*)/i.exec(element)?.[1]?.replace(/^"(.*)"$/, '$1') ?? ''
    return withoutPort(value)
  })

const usualHops = (header: string): string[] => header.split(',').map((hop) => withoutPort(hop.trim()))

const withoutPort = (hop: string): string =>
  /^\[([^\]]*)\](?::\d+)?$/.exec(hop)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(hop)?.[1] ?? hop

/**
 * Whom tries are counted for: IPv4 as it is; of IPv6 the first 64 bits, because every household has at least so many
 * addresses.
 */
export function sourceOf(address: string): string {
  const ip = normaliseAddress(address)
  if (ip === undefined) return 'unknown'
  if (familyOf(ip) !== 6) return ip
  const [head = '', tail] = ip.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, '0:0').split('::')
  const front = head === '' ? [] : head.split(':')
  const back = tail === undefined || tail === '' ? [] : tail.split(':')
  const groups = tail === undefined ? front : [...front, ...Array(8 - front.length - back.length).fill('0'), ...back]
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')
}
