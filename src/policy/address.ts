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

/** An address in plain form as a number of 32 or 128 bits. */
export function toNumber(address: string): bigint {
  if (isIPv4(address)) return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n)
  // the URL parser writes the last 32 bits in hexadecimal, where they were written as IPv4
  const [front = '', back] = URL.parse(`http://[${address}]`)!.hostname.slice(1, -1).split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':'))
  const [head, tail] = [groups(front), groups(back ?? '')]
  const all = [...head, ...Array(8 - head.length - tail.length).fill('0'), ...tail]
  return all.reduce((sum, part) => sum * 65536n + BigInt(`0x${part}`), 0n)
}

/** The other way round, in plain form. */
export function toAddress(number: bigint, bits: 32 | 128): string {
  const [count, size] = bits === 32 ? [4, 8n] : [8, 16n]
  const parts = Array.from(
    { length: count },
    (_, i) => (number >> (size * BigInt(count - 1 - i))) & ((1n << size) - 1n),
  )
  return bits === 32 ? parts.join('.') : plainAddress(parts.map((part) => part.toString(16)).join(':'))!
}
