/** Addresses as text, in the one form in which they are compared. */
import { isIP, isIPv4 } from 'node:net'

/**
 * ATTACK: `::ffff:192.0.2.1`, also written `::ffff:c000:201`, is the IPv4 address inside; taken for IPv6 it would be
 * outside of every IPv4 range. `net.isIP` first: other readings take `010.0.0.1` for 8.0.0.1.
 */
export function plainAddress(ip: string): string | undefined {
  if (typeof ip !== 'string' || isIP(ip) === 0) return undefined
  if (isIPv4(ip)) return ip
  const plain = ip.split('%')[0]!
  if (!/^[0:]*:ffff:/i.test(plain)) return plain
  const mapped = /^\[::ffff:([0-9a-f]+):([0-9a-f]+)\]$/.exec(URL.parse(`http://[${plain}]`)?.hostname ?? '')
  if (!mapped) return plain
  const [high, low] = [Number.parseInt(mapped[1]!, 16), Number.parseInt(mapped[2]!, 16)]
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}
