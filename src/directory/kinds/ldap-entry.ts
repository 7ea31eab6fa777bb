/** From an LDAP entry to a person. */
import { type Entry, EqualityFilter, type Filter, OrFilter } from 'ldapts'
import type { Directory } from '#config'
import type { Instant } from '#core/clock'
import { isMail, LANGUAGES, usernameKey } from '../person.ts'
import type { UpstreamPerson } from '../upstream-person.ts'
import { accountOf } from './ldap-account.ts'
import { type FilterTemplate, fillText } from './ldap-filter.ts'
import { isCut } from './ldap-ranges.ts'
import { bytesOf, texts } from './ldap-values.ts'

export type LdapSettings = Extract<Directory, { kind: 'ldap' }>

/** entryUUID and the like as they are; Active Directory's objectGUID, 16 bytes, as hex. */
function upstreamId(entry: Entry, attribute: string): string | undefined {
  const bytes = bytesOf(entry, attribute)
  if (bytes === undefined || bytes.length === 0 || bytes.length > 200) return undefined
  const text = bytes.toString('latin1')
  return attribute.toLowerCase() !== 'objectguid' && /^[\x21-\x7e]+$/.test(text) ? text : bytes.toString('hex')
}

/** As tools of Active Directory write an objectGUID: the first three fields little-endian ([MS-DTYP] 2.3.4.2). */
export function idText(id: string, template: LdapSettings['template']): string {
  if (template !== 'active-directory' || !/^[0-9a-f]{32}$/.test(id)) return id
  const bytes = Buffer.from(id, 'hex')
  for (const [from, to] of [
    [0, 4],
    [4, 6],
    [6, 8],
  ] as const)
    bytes.subarray(from, to).reverse()
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** Finds the entry that has this id, as `upstreamId` writes it. */
export function idFilter(attribute: string, id: string): Filter {
  const bytes = /^(?:[0-9a-f]{2})+$/.test(id) ? Buffer.from(id, 'hex') : undefined
  const asBytes = bytes && new EqualityFilter({ attribute, value: bytes })
  if (asBytes && attribute.toLowerCase() === 'objectguid') return asBytes
  const asText = new EqualityFilter({ attribute, value: id })
  return asBytes ? new OrFilter({ filters: [asText, asBytes] }) : asText
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

const MOST_VALUES = 100

/** What the settings map, sorted, for servers tell values in any order. Undefined where one has too many to be kept. */
function attributesOf(entry: Entry, other: Readonly<Record<string, string>>): UpstreamPerson['attributes'] {
  const all = Object.entries(other).map(([ours, theirs]) => [ours, texts(entry, theirs).map(clean).sort()] as const)
  // of a list that was cut nothing is known: what is kept from before stays
  if (all.some(([, values]) => values.length > MOST_VALUES)) return undefined
  if (Object.values(other).some((theirs) => isCut(entry, theirs))) return undefined
  return Object.fromEntries(all.filter(([, values]) => values.length > 0))
}

/** Operational attributes that tell when an entry was changed last: RFC 4512 §3.4.4, and Active Directory's. */
export const CHANGED: readonly string[] = ['modifyTimestamp', 'whenChanged']

/** The latest of them. Undefined where the server tells none, or something that is no time in UTC (RFC 4517 §3.3.13). */
function changedAt(entry: Entry): number | undefined {
  const times = CHANGED.flatMap((attribute) => texts(entry, attribute)).map((text) => {
    const [, y, mo, d, h, mi = '00', s = '00'] =
      /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)?(\d\d)?(?:[.,]\d+)?Z$/.exec(text) ?? []
    return y === undefined ? Number.NaN : Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`)
  })
  const latest = times.length === 0 ? Number.NaN : Math.max(...times)
  return Number.isNaN(latest) ? undefined : latest
}

/**
 * Undefined where the entry lacks what a person needs: a stable id and a user name.
 * @param now for accounts that end some day
 */
export function toUpstream(
  entry: Entry,
  settings: LdapSettings,
  groups: readonly string[] | undefined,
  now: Instant,
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
  const attributes = attributesOf(entry, names.other)
  const { disabled } = accountOf(entry, settings.template, now)
  const changed = changedAt(entry)
  return {
    upstreamId: id,
    usernames: [first, ...others],
    name: one(names.name) ?? one('cn') ?? first,
    groups,
    ...(givenName === undefined ? {} : { givenName }),
    ...(familyName === undefined ? {} : { familyName }),
    ...(mail === undefined ? {} : { mail }),
    ...(language === undefined ? {} : { language }),
    ...(attributes === undefined ? {} : { attributes }),
    ...(disabled === undefined ? {} : { disabled }),
    ...(changed === undefined ? {} : { changedAt: changed }),
  }
}
