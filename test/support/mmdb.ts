/** Writes small files in the MaxMind DB format 2.0, as the public specification describes it: enough for places. */
import { isIPv4 } from 'node:net'

export interface Entry {
  /** `192.0.2.0/24` or `2001:db8::/32`. */
  readonly network: string
  /** The record, as it stands in the file. */
  readonly data: unknown
}

type Node = [Node | number | undefined, Node | number | undefined]

const SEPARATOR = Buffer.alloc(16)
const MARKER = Buffer.concat([Buffer.from([0xab, 0xcd, 0xef]), Buffer.from('MaxMind.com')])

/** GeoIP2 City, as far as anybody here looks. */
export const city = (country: string | undefined, latitude?: number, longitude?: number) => ({
  ...(country ? { country: { iso_code: country } } : {}),
  ...(latitude === undefined ? {} : { location: { latitude, longitude } }),
})

export function writeMmdb(entries: readonly Entry[], buildEpoch = 1_795_000_000): Buffer {
  const root: Node = [undefined, undefined]
  const records = entries.map(({ data }) => encode(data))
  const offsets = records.map((_, i) => records.slice(0, i).reduce((sum, { length }) => sum + length, 0))
  for (const [index, { network }] of entries.entries()) insert(root, bitsOf(network), index)
  const nodes: Node[] = []
  const collect = (node: Node) => {
    nodes.push(node)
    for (const child of node) if (Array.isArray(child)) collect(child)
  }
  collect(root)
  const places = new Map(nodes.map((node, index) => [node, index]))
  const tree = Buffer.alloc(nodes.length * 8)
  for (const [index, node] of nodes.entries())
    for (const [side, child] of node.entries()) {
      const value = Array.isArray(child)
        ? places.get(child)!
        : child === undefined
          ? nodes.length
          : nodes.length + SEPARATOR.length + offsets[child]!
      tree.writeUInt32BE(value, index * 8 + side * 4)
    }
  const metadata = encode({
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: buildEpoch,
    database_type: 'Test-City',
    description: { en: 'made by a test' },
    ip_version: 6,
    languages: ['en'],
    node_count: nodes.length,
    record_size: 32,
  })
  return Buffer.concat([tree, SEPARATOR, ...records, MARKER, metadata])
}

function insert(root: Node, bits: readonly number[], data: number): void {
  let node = root
  for (const bit of bits.slice(0, -1)) {
    const next = node[bit]
    if (Array.isArray(next)) node = next
    else {
      const made: Node = [next, next]
      node[bit] = made
      node = made
    }
  }
  node[bits.at(-1)!] = data
}

/** The bits of a network in a tree of IPv6: IPv4 lies below `::/96`. */
function bitsOf(network: string): number[] {
  const [address = '', length = ''] = network.split('/')
  if (isIPv4(address)) {
    const bits = address.split('.').flatMap((part) => Number(part).toString(2).padStart(8, '0').split('').map(Number))
    return [...Array<number>(96).fill(0), ...bits.slice(0, Number(length))]
  }
  const [front = '', back] = address.split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':'))
  const [left, right] = [groups(front), groups(back ?? '')]
  const all = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right]
  const bits = all.flatMap((group) => Number.parseInt(group, 16).toString(2).padStart(16, '0').split('').map(Number))
  return bits.slice(0, Number(length))
}

/** The data section's encoding. Numbers with a fraction are doubles, whole ones 32 bits without a sign. */
function encode(value: unknown): Buffer {
  if (typeof value === 'string') return Buffer.concat([control(2, Buffer.byteLength(value)), Buffer.from(value)])
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(Number.isInteger(value) && value >= 0 ? 4 : 8)
    if (bytes.length === 4) bytes.writeUInt32BE(value)
    else bytes.writeDoubleBE(value)
    return Buffer.concat([control(bytes.length === 4 ? 6 : 3, bytes.length), bytes])
  }
  if (Array.isArray(value)) return Buffer.concat([control(11, value.length), ...value.map(encode)])
  const entries = Object.entries(value as object)
  return Buffer.concat([control(7, entries.length), ...entries.flatMap(([key, inner]) => [encode(key), encode(inner)])])
}

function control(type: number, size: number): Buffer {
  if (size > 28) throw new Error('nothing here is so long')
  return type > 7 ? Buffer.from([size, type - 7]) : Buffer.from([(type << 5) | size])
}
