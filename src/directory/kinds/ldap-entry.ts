/** From an LDAP entry to a person. */
import type { Entry } from 'ldapts'
import type { Directory } from '#config'
import { isMail, LANGUAGES, usernameKey } from '../person.ts'
import type { UpstreamPerson } from '../upstream-person.ts'
import { type FilterTemplate, fillText } from './ldap-filter.ts'

export type LdapSettings = Extract<Directory, { kind: 'ldap' }>

/** All values of an attribute as text; names are compared without case (RFC 4512 §2.5). Values that are no text are left out. */
export function texts(entry: Entry, attribute: string): string[] {
  return raw(entry, attribute).flatMap((value) => (typeof value === 'string' && value.trim() !== '' ? [value] : []))
}

function raw(entry: Entry, attribute: string): (string | Buffer)[] {
  const name = Object.keys(entry).find((key) => key !== 'dn' && key.toLowerCase() === attribute.toLowerCase())
  const value = name === undefined ? [] : entry[name]!
  return Array.isArray(value) ? value : [value]
}

/** The first value as it came. Undefined where there is none. */
export function bytesOf(entry: Entry, attribute: string): Buffer | undefined {
  const value = raw(entry, attribute)[0]
  return value === undefined ? undefined : Buffer.from(value as string)
}

/** entryUUID and the like as they are; Active Directory's objectGUID, 16 bytes, as hex. */
function upstreamId(entry: Entry, attribute: string): string | undefined {
  const bytes = bytesOf(entry, attribute)
  if (bytes === undefined || bytes.length === 0 || bytes.length > 200) return undefined
  const text = bytes.toString('latin1')
  return attribute.toLowerCase() !== 'objectguid' && /^[\x21-\x7e]+$/.test(text) ? text : bytes.toString('hex')
}

export const clean = (text: string): string =>
  [
    ...text
      .normalize('NFC')
      .replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, '\ufffd')
      .trim(),
  ]
    .slice(0, 200)
    .join('')

/**
 * Whether one of the compared values really is what was typed, in our spelling rules.
 * ATTACK: servers prepare strings before they compare (RFC 4518: full-width letters, ligatures, inner blanks), so many
 * texts find the same entry. Each would have its own throttle, and look like a name that is somebody else's.
 */
export function isMeant(entry: Entry, filter: FilterTemplate, username: string): boolean {
  return filter.compared.some(({ attribute, template }) => {
    const wanted = usernameKey(fillText(template, { username }))
    return wanted !== undefined && texts(entry, attribute).some((value) => usernameKey(value) === wanted)
  })
}

/** Undefined where the entry lacks what a person needs: a stable id and a user name. */
export function toUpstream(
  entry: Entry,
  settings: LdapSettings,
  groups: readonly string[] | undefined,
): UpstreamPerson | undefined {
  const names = settings.attributes
  const id = upstreamId(entry, names.id)
  const [first, ...others] = texts(entry, names.username).filter((name) => usernameKey(name) !== undefined)
  if (id === undefined || first === undefined) return undefined
  const one = (attribute: string): string | undefined => {
    const value = texts(entry, attribute)[0]
    return value === undefined ? undefined : clean(value) || undefined
  }
  const givenName = one(names.given_name)
  const familyName = one(names.family_name)
  const mail = texts(entry, names.mail).find(isMail)
  // RFC 2798 §2.7: preferredLanguage is a list as in Accept-Language
  const wanted = one(names.language)?.slice(0, 2).toLowerCase()
  const language = LANGUAGES.find((known) => known === wanted)
  return {
    upstreamId: id,
    usernames: [first, ...others],
    name: one(names.name) ?? one('cn') ?? first,
    groups,
    ...(givenName === undefined ? {} : { givenName }),
    ...(familyName === undefined ? {} : { familyName }),
    ...(mail === undefined ? {} : { mail }),
    ...(language === undefined ? {} : { language }),
  }
}
