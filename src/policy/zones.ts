/** Named networks: ranges, or countries. */
import { BlockList, isIPv4 } from 'node:net'
import { familyOf } from '#http/networks'
import { plainAddress, toAddress, toNumber } from './address.ts'

export interface Zone {
  readonly name: string
  /** None where it is a zone of countries. */
  readonly ranges: readonly Range[]
  /** An address that is in it; empty for countries. */
  readonly sample: string
  /** Whatever is in these countries; there is no range then. */
  readonly countries?: ReadonlySet<string>
  /** The address must be in plain form. */
  contains(address: string): boolean
}

export interface Range {
  readonly address: string
  readonly bits: number
}

/** `192.0.2.0/24`, `2001:db8::/32` or one address; undefined when it is none of them. */
export function parseRange(text: string): Range | undefined {
  const [address = '', bits, ...rest] = text.split('/')
  const version = familyOf(address)
  if (version === 0 || address.includes('%') || rest.length > 0) return undefined
  const most = version === 4 ? 32 : 128
  if (bits !== undefined && !/^(0|[1-9]\d{0,2})$/.test(bits)) return undefined
  const length = bits === undefined ? most : Number(bits)
  if (length > most) return undefined
  const plain = plainAddress(address)!
  if (version === 6 && isIPv4(plain)) return length >= 96 ? { address: plain, bits: length - 96 } : undefined
  return { address: plain, bits: length }
}

/** Built once, when policies are loaded: asking it costs a microsecond at thousands of ranges. */
export function containsAny(ranges: readonly Range[]): (address: string) => boolean {
  const list = new BlockList()
  for (const { address, bits } of ranges) list.addSubnet(address, bits, isIPv4(address) ? 'ipv4' : 'ipv6')
  return (address) => list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
}

export const createZone = (name: string, ranges: readonly Range[], contains = containsAny(ranges)): Zone =>
  Object.freeze({ name, ranges, sample: ranges[0]?.address ?? '', contains })

/** The first address of each range and the one behind its last: between two of these nothing changes. */
export function edgesOf({ ranges }: Zone): string[] {
  return ranges.flatMap(({ address, bits }) => {
    const most = isIPv4(address) ? 32 : 128
    const size = 1n << BigInt(most - bits)
    const first = (toNumber(address) / size) * size
    const behind = first + size
    return behind < 1n << BigInt(most) ? [toAddress(first, most), toAddress(behind, most)] : [toAddress(first, most)]
  })
}

export const createCountryZone = (name: string, countries: readonly string[]): Zone =>
  Object.freeze({ name, ranges: [], sample: '', countries: new Set(countries), contains: () => false })
