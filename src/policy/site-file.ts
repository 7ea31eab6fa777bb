/** A CSV of sites: columns `cidr,site`, and of those behind them `latitude`, `longitude`, `country` and `zone`. */
import type { Problem } from '#config'
import { nearest } from '#core/nearest'
import { isCountry, notACountry } from './countries.ts'
import type { Site, SiteRow } from './sites.ts'
import { openTimeZone } from './wall-clock.ts'
import { containsAny, parseRange, type Range } from './zones.ts'

/** A list of sites, and whether an address, in plain form, is in any of them. */
export interface SiteFile {
  readonly rows: readonly SiteRow[]
  readonly ranges: readonly Range[]
  contains(address: string): boolean
}

const MOST_PROBLEMS = 200
const MEANT = ['latitude', 'longitude', 'country', 'zone'] as const
type Column = (typeof MEANT)[number]

/**
 * A first line that names the columns may be there, and must be for the place of a site; blank lines and lines that begin
 * with `#` are passed over. Every bad line is a problem: half a list would open or close stores.
 */
export function readSites(file: string, source: string): { sites?: SiteFile; problems: Problem[] } {
  const rows: SiteRow[] = []
  const problems: Problem[] = []
  const complain = (line: number, column: number, code: string, message: string) => {
    if (problems.length < MOST_PROBLEMS) problems.push({ file, line, column, code, message })
  }
  let columns = 0
  let places: ReadonlyMap<Column, number> = new Map()
  let started = false
  // a lone carriage return ends a line as well: all of them in one would be one site, and no complaint
  for (const [index, raw] of source.split(/\r\n|\n|\r/).entries()) {
    const text = index === 0 ? raw.replace(/^\uFEFF/, '') : raw
    if (text.trim() === '' || text.startsWith('#')) continue
    const wrong = (message: string, code = 'site-invalid', column = 1) => complain(index + 1, column, code, message)
    const fields = text.includes('"') ? quotedFields(text) : text.split(',')
    if (!fields) {
      wrong('line has a quote that is not closed')
      continue
    }
    const first = fields[0]!.trim()
    if (!started && first.toLowerCase() === 'cidr') {
      columns = fields.length
      places = placeColumns(fields, (message) => wrong(message, 'site-columns'))
      started = true
      continue
    }
    started = true
    const range = parseRange(first)
    const name = fields[1]?.trim()
    if (!range) wrong(`\`${first.slice(0, 60)}\` is not an address or a network in CIDR notation`)
    else if (!name) wrong('line has no site behind its network', 'site-invalid', first.length + 1)
    else if (/\p{Cc}/u.test(name)) wrong('name of the site has a control character')
    else if (columns > 0 && fields.length > columns) wrong(`line has ${fields.length} fields, expected ${columns}`)
    else {
      const read = (column: Column) => fields[places.get(column) ?? -1]?.trim() || undefined
      const site = places.size > 0 ? readPlace(name, read) : { name }
      if ('wrong' in site) wrong(site.wrong)
      else rows.push({ range, site: Object.freeze(site) })
    }
  }
  if (rows.length === 0 && problems.length === 0) complain(1, 1, 'sites-missing', 'file holds no sites')
  if (problems.length > 0) return { problems }
  const ranges = rows.map(({ range }) => range)
  return { sites: { rows, ranges, contains: containsAny(ranges) }, problems }
}

/** Where the columns that say something about the place stand. */
function placeColumns(fields: readonly string[], wrong: (message: string) => void): ReadonlyMap<Column, number> {
  const names = fields.map((field) => field.trim().toLowerCase())
  if (names[1] !== 'site') wrong('columns must begin with `cidr,site`')
  const found = MEANT.filter((column) => names.includes(column))
  for (const column of found)
    if (names.indexOf(column) !== names.lastIndexOf(column)) wrong(`column \`${column}\` is there twice`)
  if (found.includes('latitude') !== found.includes('longitude'))
    wrong('`latitude` and `longitude` come together or not at all')
  return new Map(found.map((column) => [column, names.indexOf(column)]))
}

/** An empty field says nothing. */
function readPlace(name: string, read: (column: Column) => string | undefined): Site | { readonly wrong: string } {
  const country = read('country')
  if (country !== undefined && !isCountry(country)) return { wrong: notACountry(country) }
  const [latitude, longitude] = [degrees(read('latitude'), 90), degrees(read('longitude'), 180)]
  if (Number.isNaN(latitude)) return { wrong: '`latitude` is no number from -90 to 90' }
  if (Number.isNaN(longitude)) return { wrong: '`longitude` is no number from -180 to 180' }
  if ((latitude === undefined) !== (longitude === undefined))
    return { wrong: 'line has a latitude or a longitude without the other' }
  const written = read('zone')
  const zone = written === undefined ? undefined : openTimeZone(written)
  if (written !== undefined && !zone) {
    const near = nearest(written, Intl.supportedValuesOf('timeZone'))
    return { wrong: `\`${written.slice(0, 60)}\` is no time zone${near ? `; did you mean \`${near}\`?` : ''}` }
  }
  const site: { -readonly [K in keyof Site]: Site[K] } = { name }
  if (country !== undefined) site.country = country
  if (latitude !== undefined) {
    site.latitude = latitude
    site.longitude = longitude
  }
  if (zone) site.zone = zone
  return site
}

/** NaN for what is no such number. */
function degrees(text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined
  const value = /^[+-]?\d{1,3}(\.\d{1,15})?$/.test(text) ? Number(text) : Number.NaN
  return Math.abs(value) <= most ? value : Number.NaN
}

/**
 * RFC 4180 §2.5 to 2.7 within one line; undefined when a quote stays open, or stands where none may. ATTACK: by hand, for a
 * regular expression takes the square of the length of a line, or all the stack there is.
 */
function quotedFields(line: string): string[] | undefined {
  const fields: string[] = []
  const isBlank = (at: number) => line[at] === ' ' || line[at] === '\t'
  for (let at = 0; ; at++) {
    while (isBlank(at)) at++
    if (line[at] === '"') {
      let text = ''
      for (let from = at + 1; ; from = at + 1) {
        at = line.indexOf('"', from)
        if (at < 0) return undefined
        text += line.slice(from, at)
        if (line[++at] !== '"') break
        text += '"'
      }
      while (isBlank(at)) at++
      if (at < line.length && line[at] !== ',') return undefined
      fields.push(text)
    } else {
      const comma = line.indexOf(',', at)
      const text = line.slice(at, comma < 0 ? undefined : comma)
      if (text.includes('"')) return undefined
      fields.push(text)
      at = comma < 0 ? line.length : comma
    }
    if (at >= line.length) return fields
  }
}
