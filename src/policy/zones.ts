/** Named networks: ranges, or a CSV of sites. */
import { BlockList, isIP, isIPv4 } from 'node:net'
import type { Problem } from '#config'
import { plainAddress, toAddress, toNumber } from './address.ts'

export interface Zone {
  readonly name: string
  readonly ranges: readonly Range[]
  /** The address must be in plain form. */
  contains(address: string): boolean
}

export interface Range {
  readonly address: string
  readonly bits: number
}

const MOST_PROBLEMS = 200

/** `192.0.2.0/24`, `2001:db8::/32` or one address; undefined when it is none of them. */
export function parseRange(text: string): Range | undefined {
  const [address = '', bits, ...rest] = text.split('/')
  const version = isIP(address)
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
export function createZone(name: string, ranges: readonly Range[]): Zone {
  const list = new BlockList()
  for (const { address, bits } of ranges) list.addSubnet(address, bits, isIPv4(address) ? 'ipv4' : 'ipv6')
  const contains = (address: string) => list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
  return Object.freeze({ name, ranges, contains })
}

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

/**
 * A file of sites: columns `cidr,site`, and others behind them. A first line that names the columns may be there; blank
 * lines and lines that begin with `#` are passed over. Every bad line is a problem: half a list would open or close stores.
 */
export function readSites(file: string, source: string): { ranges: Range[]; problems: Problem[] } {
  const ranges: Range[] = []
  const problems: Problem[] = []
  const complain = (line: number, column: number, code: string, message: string) => {
    if (problems.length < MOST_PROBLEMS) problems.push({ file, line, column, code, message })
  }
  let columns = 0
  let started = false
  for (const [index, raw] of source.split('\n').entries()) {
    const text = (index === 0 ? raw.replace(/^\uFEFF/, '') : raw).replace(/\r$/, '')
    if (text.trim() === '' || text.startsWith('#')) continue
    const fields = text.includes('"') ? quotedFields(text) : text.split(',')
    if (!fields) {
      complain(index + 1, 1, 'site-invalid', 'line has a quote that is not closed')
      continue
    }
    const first = fields[0]!.trim()
    if (!started && first.toLowerCase() === 'cidr') {
      columns = fields.length
      if (fields[1]?.trim().toLowerCase() !== 'site')
        complain(index + 1, 1, 'site-columns', 'columns must begin with `cidr,site`')
      started = true
      continue
    }
    started = true
    const range = parseRange(first)
    if (!range)
      complain(
        index + 1,
        1,
        'site-invalid',
        `\`${first.slice(0, 60)}\` is not an address or a network in CIDR notation`,
      )
    else if (!fields[1]?.trim())
      complain(index + 1, first.length + 1, 'site-invalid', 'line has no site behind its network')
    else if (columns > 0 && fields.length > columns) {
      complain(index + 1, 1, 'site-invalid', `line has ${fields.length} fields, expected ${columns}`)
    } else ranges.push(range)
  }
  if (ranges.length === 0 && problems.length === 0) complain(1, 1, 'sites-missing', 'file holds no sites')
  return { ranges, problems }
}

/** RFC 4180 §2.5 to 2.7 within one line; undefined when a quote stays open. */
function quotedFields(line: string): string[] | undefined {
  const fields: string[] = []
  const field = /\s*(?:"((?:[^"]|"")*)"\s*|([^",]*))(,|$)/y
  let open = true
  while (open) {
    const match = field.exec(line)
    if (!match) return undefined
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2]!)
    open = match[3] === ','
  }
  return fields
}
