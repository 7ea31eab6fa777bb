/**
 * Finding templates by a word. A door of its own, `#catalog/search`: it reads the beginnings of files and needs neither
 * schema nor database, so that a command can answer at once (docs/decisions/0023-answering-at-once.md).
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Found {
  readonly slug: string
  readonly name: string
  readonly vendor: string
  readonly category: string
  /** How old its facts are, where they may have changed since. */
  readonly as_of?: string
}

export const SUFFIX = '.yaml'
/** The first key that is not about what the app is: `search` need not understand anything after it. */
const END_OF_HEAD = /^(?:inputs|launch_url|oidc|saml|forward_auth|scim|defaults|settings|notes|tested):/m

/** Names of files in order; none where the folder is not there. */
export function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => !name.startsWith('.'))
      .sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

export const slugsOf = (names: readonly string[]): string[] =>
  names.filter((name) => name.endsWith(SUFFIX)).map((name) => name.slice(0, -SUFFIX.length))

/** Templates whose slug, name, vendor or category holds the word; best first. An empty word finds all. */
export async function searchTemplates(folder: string, word: string): Promise<Found[]> {
  const wanted = word.trim().toLowerCase()
  // hundreds of small files that the system has in memory: a promise for each would cost more than reading it
  const heads: Found[] = []
  for (const slug of slugsOf(filesOf(folder))) {
    const found = headOf(slug, readFileSync(join(folder, slug + SUFFIX), 'utf8'))
    heads.push(found instanceof Promise ? await found : found)
  }
  return heads
    .map((found) => ({ found, rank: rankOf(found, wanted) }))
    .filter(({ rank }) => rank < NO_MATCH)
    .sort((a, b) => a.rank - b.rank || (a.found.slug < b.found.slug ? -1 : 1))
    .map(({ found }) => found)
}

/** A plain value on its line, as nearly every template has it: read so, hundreds of files take no time. */
const PLAIN = /^(name|vendor|category|as_of): +([\p{L}\p{N}][^#:\n]*)$/gmu
const SAID = /^(?:name|vendor|category|as_of):/gm

function headOf(slug: string, text: string): Found | Promise<Found> {
  const end = text.search(END_OF_HEAD)
  const head = end < 0 ? text : text.slice(0, end)
  const plain = [...head.matchAll(PLAIN)]
  return plain.length === head.match(SAID)?.length
    ? asFound(slug, Object.fromEntries(plain.map(([, key, value]) => [key!, value!.trimEnd()])))
    : parsedHead(head).then((values) => asFound(slug, values))
}

function asFound(slug: string, values: Readonly<Record<string, unknown>>): Found {
  const said = (key: keyof Found) => (typeof values[key] === 'string' ? values[key] : '')
  const asOf = said('as_of')
  return {
    slug,
    name: said('name') || slug,
    vendor: said('vendor'),
    category: said('category'),
    ...(asOf && { as_of: asOf }),
  }
}

/** The reader is loaded for whoever needs it: a catalog of plain heads does not. */
async function parsedHead(head: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import('yaml')).parse(head, { schema: 'failsafe', maxAliasCount: 0 }) ?? {}
  } catch {
    // a broken file is still found by its name; `catalog check` says what is wrong with it
    return {}
  }
}

const NO_MATCH = 5

function rankOf(found: Found, wanted: string): number {
  const name = found.name.toLowerCase()
  if (found.slug === wanted || name === wanted) return 0
  if (found.slug.startsWith(wanted) || name.startsWith(wanted)) return 1
  if (found.slug.includes(wanted) || name.includes(wanted)) return 2
  if (found.vendor.toLowerCase().includes(wanted)) return 3
  return found.category.includes(wanted) ? 4 : NO_MATCH
}
