/** The values of an LDAP entry. */
import type { Entry } from 'ldapts'

/** Stands in a DN for bytes that were no UTF-8, or was written there. */
export const UNREADABLE = '\ufffd'

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** All values of an attribute as text; names are compared without case (RFC 4512 §2.5). Values that are no UTF-8 are left out. */
export function texts(entry: Entry, attribute: string): string[] {
  return textsOrNot(entry, attribute).filter((text) => text !== undefined)
}

/** The same with undefined for each value that is no UTF-8, as text in LDAP has to be (RFC 4511 §4.1.2). */
export function textsOrNot(entry: Entry, attribute: string): (string | undefined)[] {
  return raw(entry, attribute)
    .map(textOf)
    .filter((text) => text?.trim() !== '')
}

/** The client gives all values of an attribute as bytes where one of them is no UTF-8. */
function textOf(value: string | Buffer): string | undefined {
  if (typeof value === 'string') return value
  try {
    return utf8.decode(value)
  } catch {
    return undefined
  }
}

export function raw(entry: Entry, attribute: string): (string | Buffer)[] {
  const name = Object.keys(entry).find((key) => key !== 'dn' && key.toLowerCase() === attribute.toLowerCase())
  const value = name === undefined ? [] : entry[name]!
  return Array.isArray(value) ? value : [value]
}

/** The first value as it came. Undefined where there is none. */
export function bytesOf(entry: Entry, attribute: string): Buffer | undefined {
  const value = raw(entry, attribute)[0]
  return value === undefined ? undefined : Buffer.from(value as string)
}
