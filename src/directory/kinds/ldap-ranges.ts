/**
 * Values that a server gives only so many of at once, under a name that says which: `member;range=0-1499`, and the next ones
 * when it is asked for `member;range=1500-*` ([MS-ADTS] 3.1.1.3.1.3.3). Under the plain name it then gives none.
 */
import { type Entry, PresenceFilter } from 'ldapts'
import { raw, textsOrNot } from './ldap-values.ts'

interface Part {
  readonly values: readonly (string | undefined)[]
  /** Undefined where the server says nothing that makes sense: then nothing is known of the list. */
  readonly first: number | undefined
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

/** Whether there are, or may be, other values than the entry shows. */
export const isCut = (entry: Entry, attribute: string): boolean => {
  const part = partOf(entry, attribute)
  return part !== undefined && (part.first !== 0 || part.next !== undefined)
}

/**
 * All values, each part of them as it comes, so that whoever counts can stop. Throws where the server does not begin at the
 * beginning, or does not come to the end: half a group would be taken for the whole, and one that nobody can read for empty.
 * A value that is no text is there, and is undefined.
 */
export async function* everyValue(
  entry: Entry,
  attribute: string,
  ask: AskRange,
): AsyncGenerator<readonly (string | undefined)[]> {
  yield textsOrNot(entry, attribute)
  let part = partOf(entry, attribute)
  if (!part) return
  for (let wanted = 0; ; ) {
    // ATTACK: a server that tells the same part again and again would keep us busy for ever
    if (part?.first !== wanted) throw new Error('a range of values is missing')
    yield part.values
    if (part.next === undefined) return
    wanted = part.next
    const found = await ask(entry.dn, `${attribute};range=${wanted}-*`)
    part = found && partOf(found, attribute)
  }
}

/** Undefined where the list did not come in parts. */
function partOf(entry: Entry, attribute: string): Part | undefined {
  const start = `${attribute.toLowerCase()};range=`
  const keys = Object.keys(entry).filter((key) => key.toLowerCase().startsWith(start))
  // what was asked for stands there without values where it came under the name of another part
  const key = keys.find((one) => raw(entry, one).length > 0)
  if (keys.length === 0) return undefined
  const [, first, last] = /^(\d{1,9})-(\d{1,9}|\*)$/.exec(key?.slice(start.length) ?? '') ?? []
  const next = last === '*' ? undefined : Number(last) + 1
  if (key === undefined || last === undefined || (next !== undefined && next <= Number(first)))
    return { values: [], first: undefined, next: undefined }
  return { values: textsOrNot(entry, key), first: Number(first), next }
}
