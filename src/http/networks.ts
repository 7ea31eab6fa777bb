/**
 * Addresses and sets of networks. Told apart by Node first: other parsers read `010.1.1.1` as 8.1.1.1. Also a door by itself,
 * `#http/networks`, for whoever looks at addresses and speaks to nobody.
 */
import { BlockList, isIPv4, SocketAddress } from 'node:net'
import { createRecent } from '#core/recent'

/** What an IPv6 address is made of, with a zone (RFC 4007 §11); whether it is one Node's parser says. */
const IPV6_LIKE = /^[0-9a-fA-F:.]{2,45}(?:%[0-9a-zA-Z.:-]+)?$/

/**
 * 4 or 6, and 0 for what is no address: exactly as `net.isIP`, which has a pattern for IPv6 that takes a fiftieth of a
 * process's start to compile.
 */
export function familyOf(text: string): 0 | 4 | 6 {
  if (isIPv4(text)) return 4
  // ATTACK: the parser behind it stops at a zero byte
  if (!IPV6_LIKE.test(text)) return 0
  try {
    new SocketAddress({ address: text.split('%', 1)[0]!, family: 'ipv6' })
    return 6
  } catch {
    return 0
  }
}

/** At least so many answers are kept, and at most twice as many. */
const KNOWN = 500

export interface Networks {
  has(address: string): boolean
}

/**
 * The address in the one spelling that everything in Portico compares: IPv6 in its shortest form (RFC 5952), without
 * zone, IPv4-mapped IPv6 as IPv4. Undefined for what is no address.
 */
export function normaliseAddress(address: string | undefined): string | undefined {
  if (!address) return undefined
  if (familyOf(address) === 4) return address
  const plain = address.replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, '')
  const version = familyOf(plain)
  if (version !== 6) return version === 4 ? plain : undefined
  const short = URL.parse(`http://[${plain}]`)?.hostname.slice(1, -1)
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short ?? '')
  if (!mapped) return short
  const [high, low] = [Number.parseInt(mapped[1]!, 16), Number.parseInt(mapped[2]!, 16)]
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

/** `list` holds addresses and CIDR networks that the settings schema has accepted. */
export function createNetworks(list: readonly string[]): Networks {
  const block = new BlockList()
  for (const entry of list) {
    const [ip, bits] = entry.split('/') as [string, string?]
    const family = familyOf(ip) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) block.addAddress(ip, family)
    else block.addSubnet(ip, Number(bits), family)
  }
  // the same few proxies ask again and again, and a look into the list takes longer than all else about an address
  const known = createRecent<string, boolean>(KNOWN)
  return {
    has(address) {
      if (list.length === 0) return false
      let found = known.get(address)
      if (found === undefined) {
        const version = familyOf(address)
        found = version !== 0 && block.check(address, version === 6 ? 'ipv6' : 'ipv4')
        known.set(address, found)
      }
      return found
    },
  }
}

/** IANA special-purpose registries (RFC 6890 and successors): addresses that are not public destinations. */
const SPECIAL_USE = createNetworks([
  '0.0.0.0/8', // RFC 1122 "this network"
  '10.0.0.0/8', // RFC 1918
  '100.64.0.0/10', // RFC 6598 shared address space
  '127.0.0.0/8', // RFC 1122 loopback
  '169.254.0.0/16', // RFC 3927 link local, cloud metadata
  '172.16.0.0/12', // RFC 1918
  '192.0.0.0/24', // RFC 6890
  '192.0.2.0/24', // RFC 5737 documentation
  '192.88.99.0/24', // RFC 7526 6to4 relay
  '192.168.0.0/16', // RFC 1918
  '198.18.0.0/15', // RFC 2544 benchmarking
  '198.51.100.0/24', // RFC 5737
  '203.0.113.0/24', // RFC 5737
  '224.0.0.0/4', // RFC 1112 multicast
  '240.0.0.0/4', // RFC 1112 reserved, and broadcast
  '::/127', // unspecified and loopback
  '64:ff9b::/96', // RFC 6052: carries any IPv4 address
  '64:ff9b:1::/48', // RFC 8215
  '100::/64', // RFC 6666 discard
  '2001::/23', // RFC 2928, Teredo among them
  '2001:db8::/32', // RFC 3849 documentation
  '2002::/16', // RFC 3056 6to4: carries any IPv4 address
  '3fff::/20', // RFC 9637 documentation
  'fc00::/7', // RFC 4193
  'fe80::/10', // RFC 4291 link local
  'ff00::/8', // RFC 4291 multicast
])

export const isSpecialUse = (address: string): boolean => SPECIAL_USE.has(normaliseAddress(address) ?? '0.0.0.0')
