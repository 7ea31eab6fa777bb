/**
 * Values that a server gives only so many of at once, under a name that says which: `member;range=0-1499`, and the next ones
 * when it is asked for `member;range=1500-*` ([MS-ADTS] 3.1.1.3.1.3.3). Under the plain name it then gives none.
 */
import { type Entry, PresenceFilter } from 'ldapts'
import { raw, texts } from './ldap-values.ts'

interface Part {
  readonly values: string[]
  readonly first: number
  /** Undefined: these were the last. */
  readonly next: number | undefined
}

/** Asks one entry for one attribute. */
export type AskRange = (dn: string, attribute: string) => Promise<Entry | undefined>

/** A search for `AskRange`, as every place makes it. */
export const rangeSearch = (attribute: string) => ({
  scope: 'base' as const,
  filter: new PresenceFilter({ attribute: 'objectClass' }),
  attributes: [attribute],
})

/** Whether there are more values than the entry shows. */
export const isCut = (entry: Entry, attribute: string): boolean => partOf(entry, attribute)?.next !== undefined

/**
 * All values, each part of them as it comes, so that whoever counts can stop. Throws where the server does not come to the
 * end: half a group would be taken for the whole.
 */
export async function* everyValue(entry: Entry, attribute: string, ask: AskRange): AsyncGenerator<readonly string[]> {
  yield texts(entry, attribute)
  let part = partOf(entry, attribute)
  while (part) {
    yield part.values
    const { next } = part
    if (next === undefined) return
    const found = await ask(entry.dn, `${attribute};range=${next}-*`)
    const further = found && partOf(found, attribute)
    // ATTACK: a server that tells the same part again and again would keep us busy for ever
    if (further?.first !== next) throw new Error('a range of values is missing')
    part = further
  }
}

function partOf(entry: Entry, attribute: string): Part | undefined {
  const start = `${attribute.toLowerCase()};range=`
  for (const key of Object.keys(entry)) {
    if (!key.toLowerCase().startsWith(start)) continue
    const [, first, last] = /^(\d{1,9})-(\d{1,9}|\*)$/.exec(key.slice(start.length)) ?? []
    if (last === undefined || raw(entry, key).length === 0) continue
    const next = last === '*' ? undefined : Number(last) + 1
    if (next === undefined || next > Number(first)) return { values: texts(entry, key), first: Number(first), next }
  }
  return undefined
}
