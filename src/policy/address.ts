/** Addresses as text, in the one form in which they are compared. */
import { isIPv4 } from 'node:net'
import { familyOf } from '#http/networks'

/**
 * ATTACK: `::ffff:192.0.2.1`, also written `::ffff:c000:201`, is the IPv4 address inside; taken for IPv6 it would be
 * outside of every IPv4 range. By Node first: other readings take `010.0.0.1` for 8.0.0.1.
 */
export function plainAddress(ip: string): string | undefined {
  if (typeof ip !== 'string' || familyOf(ip) === 0) return undefined
  if (isIPv4(ip)) return ip
  const plain = ip.split('%')[0]!
  if (!/^[0:]*:ffff:/i.test(plain)) return plain
  const mapped = /^\[::ffff:([0-9a-f]+):([0-9a-f]+)\]$/.exec(URL.parse(`http://[${plain}]`)?.hostname ?? '')
  if (!mapped) return plain
  const [high, low] = [Number.parseInt(mapped[1]!, 16), Number.parseInt(mapped[2]!, 16)]
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}

/** The address, in plain form, as something that sorts: a number for IPv4, 32 hexadecimal digits for IPv6. */
export function addressKey(address: string): number | string {
  if (!address.includes(':')) {
    let key = 0
    for (const part of address.split('.')) key = key * 256 + Number(part)
    return key
  }
  const dot = address.lastIndexOf('.')
  const colon = address.lastIndexOf(':')
  // the last 32 bits may be written as IPv4
  const tail = dot < 0 ? '' : (addressKey(address.slice(colon + 1)) as number).toString(16).padStart(8, '0')
  const text = dot < 0 ? address : `${address.slice(0, colon)}:${tail.slice(0, 4)}:${tail.slice(4)}`
  const gap = text.indexOf('::')
  if (gap < 0) return digits(text)
  const [front, back] = [digits(text.slice(0, gap)), digits(text.slice(gap + 2))]
  return front + ZEROS.slice(front.length + back.length) + back
}

const ZEROS = '0'.repeat(32)

/** Four for each group. */
function digits(groups: string): string {
  let key = ''
  if (groups !== '') for (const group of groups.split(':')) key += ZEROS.slice(0, 4 - group.length) + group
  return key.toLowerCase()
}

/** An address in plain form as a number of 32 or 128 bits. */
export function toNumber(address: string): bigint {
  const key = addressKey(address)
  return BigInt(typeof key === 'number' ? key : `0x${key}`)
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
