/** Names of hosts, in the one spelling that is compared. */
import { lookAlikeProblem } from './look-alikes.ts'

export const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])
const HOST_NAME = /^(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*$/

/** A host name or IP address in the one spelling that every URL parser agrees on. */
export function isHost(host: string): boolean {
  if (host.length > 253 || !(host.startsWith('[') || HOST_NAME.test(host))) return false
  // ATTACK: `0x7f.1`, `2130706433` and `010.0.0.1` are addresses in disguise; the URL parser rewrites them
  return URL.parse(`https://${host}/`)?.hostname === host && lookAlikeProblem(host) === undefined
}

/** RFC 6761 §6.3: browsers ask nobody where `localhost` and what is below it are. Only there a page may be plain http. */
export const isLoopback = (host: string): boolean => LOOPBACK.has(host) || host.endsWith('.localhost')
