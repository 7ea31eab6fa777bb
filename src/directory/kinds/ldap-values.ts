/** The values of an LDAP entry. */
import type { Entry } from 'ldapts'

/** All values of an attribute as text; names are compared without case (RFC 4512 §2.5). Values that are no UTF-8 are left out. */
export function texts(entry: Entry, attribute: string): string[] {
  return raw(entry, attribute).flatMap((value) => (typeof value === 'string' && value.trim() !== '' ? [value] : []))
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
