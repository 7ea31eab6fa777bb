/** Sites: which one an address is in, and what their file says about the place. */
import { addressKey } from './address.ts'
import type { Place } from './places.ts'
import type { TimeZone } from './wall-clock.ts'
import type { Range } from './zones.ts'

export interface Site extends Place {
  readonly name: string
  /** Its clock on the wall. */
  readonly zone?: TimeZone
}

/** One line of a site file. */
export interface SiteRow {
  readonly range: Range
  readonly site: Site
}

export interface Sites {
  /** The site of the smallest range around the address, which must be in plain form. */
  at(address: string): Site | undefined
  /** The first line of that name which says something about the place. */
  named(name: string): Site | undefined
  /** Every name that a site file gives. */
  readonly names: ReadonlySet<string>
}

type Key = number | string

interface Interval {
  readonly start: Key
  readonly end: Key
  readonly site: Site
  /** The smallest range around this one, as an index; -1: none. */
  around: number
}

/**
 * A binary search finds the site among thousands in about a microsecond. What it searches is built when somebody asks
 * for the first time: policies that look at no place do without. Of the same range in several lines the first counts.
 */
export function createSites(rows: readonly SiteRow[]): Sites {
  // without any place or zone there is nothing to find
  const known = rows.some(({ site }) => saysSomething(site)) ? rows : []
  let named: Map<string, Site> | undefined
  let names: Set<string> | undefined
  let built: { four: readonly Interval[]; six: readonly Interval[] } | undefined
  const build = () => ({
    four: intervals(known.filter(({ range }) => !range.address.includes(':'))),
    six: intervals(known.filter(({ range }) => range.address.includes(':'))),
  })
  return Object.freeze({
    at(address: string) {
      if (known.length === 0) return undefined
      built ??= build()
      return find(address.includes(':') ? built.six : built.four, address)
    },
    named(name: string) {
      named ??= firstByName(known)
      return named.get(name)
    },
    get names() {
      names ??= new Set(rows.map(({ site }) => site.name))
      return names
    },
  })
}

function firstByName(rows: readonly SiteRow[]): Map<string, Site> {
  const named = new Map<string, Site>()
  for (const { site } of rows) if (saysSomething(site) && !named.has(site.name)) named.set(site.name, site)
  return named
}

const saysSomething = ({ country, latitude, zone }: Site) =>
  country !== undefined || latitude !== undefined || zone !== undefined

/** Ranges nest or lie apart, so that sorted by their start each one stands behind those around it. */
function intervals(rows: readonly SiteRow[]): Interval[] {
  const list = rows
    .map(({ range, site }, order) => ({ ...ends(range), site, around: -1, order }))
    .sort((a, b) => compare(a.start, b.start) || compare(b.end, a.end) || b.order - a.order)
  const open: number[] = []
  for (const [index, interval] of list.entries()) {
    while (open.length > 0 && list[open.at(-1)!]!.end < interval.start) open.pop()
    interval.around = open.at(-1) ?? -1
    open.push(index)
  }
  return list
}

function find(list: readonly Interval[], address: string): Site | undefined {
  const key = addressKey(address)
  let [low, high] = [0, list.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (list[middle]!.start <= key) low = middle + 1
    else high = middle
  }
  for (let index = low - 1; index >= 0; index = list[index]!.around)
    if (key <= list[index]!.end) return list[index]!.site
  return undefined
}

const compare = (a: Key, b: Key): number => (a < b ? -1 : a > b ? 1 : 0)

/** The first and the last address of a range. */
function ends({ address, bits }: Range): { start: Key; end: Key } {
  const key = addressKey(address)
  if (typeof key === 'number') {
    const size = 2 ** (32 - bits)
    const start = Math.floor(key / size) * size
    return { start, end: start + size - 1 }
  }
  const digits = Math.floor(bits / 4)
  if (digits === 32) return { start: key, end: key }
  const digit = Number.parseInt(key[digits]!, 16)
  const spread = 2 ** (4 - (bits % 4))
  const first = Math.floor(digit / spread) * spread
  const head = key.slice(0, digits)
  return {
    start: `${head}${first.toString(16)}`.padEnd(32, '0'),
    end: `${head}${(first + spread - 1).toString(16)}`.padEnd(32, 'f'),
  }
}
