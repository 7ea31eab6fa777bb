/** Lists of certificates that their authority has taken back (RFC 5280 §5). */
import { verify, type X509Certificate } from 'node:crypto'
import type { Instant } from '#core/clock'
import { type Der, readAll, readExtensions, readOne, TAG } from './der.ts'
import { namesIn } from './path.ts'

export interface RevocationList {
  /** The name of the authority, byte for byte. */
  readonly issuer: Buffer
  /** For people: its last common name, or whatever it is called by. */
  readonly name: string
  readonly from: Instant
  /** When there will be another one at the latest. */
  readonly until: Instant
  /** Numbers of certificates. */
  readonly revoked: ReadonlySet<string>
  /** Whether this authority has signed it. */
  isOf(authority: X509Certificate): boolean
}

export type RevocationFault =
  | 'revoked'
  | 'revocation-list-missing'
  | 'revocation-list-over'
  | 'revocation-list-of-another'

/** How a list may be signed: what `node:crypto` is told for it. No SHA-1. */
const SIGNATURES: Readonly<Record<string, string | null>> = Object.freeze({
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
  '2b6570': null,
})

/** Every list of a PEM text. Throws where one of them cannot be used as a whole. */
export const revocationListsOf = (pem: string): RevocationList[] =>
  [...pem.matchAll(/-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+)-----END X509 CRL-----/g)].map(([, text]) =>
    readList(Buffer.from(text!, 'base64')),
  )

function readList(bytes: Buffer): RevocationList {
  const [signed, algorithm, bits] = readAll(readOne(bytes))
  const id = algorithm && readAll(algorithm)[0]?.content.toString('hex')
  if (!signed || bits?.tag !== TAG.bits || bits.content[0] !== 0 || id === undefined || !(id in SIGNATURES))
    throw new Error('a revocation list is none, or is signed in an unknown way')
  const parts = readAll(signed)
  if (parts[0]?.tag === TAG.integer) parts.shift()
  const [, issuer, from, until, ...more] = parts
  // RFC 5280 §5.1.2.5: it has to say when the next one comes
  if (!issuer || !from || !until || !isTime(from) || !isTime(until))
    throw new Error('a revocation list does not say until when it holds')
  const entries = more[0]?.tag === TAG.sequence ? readAll(more.shift()!) : []
  // of some certificates only, changes since another list, of other authorities: all of these are critical (§5.2, §5.3)
  const extensions = more.flatMap((one) => readExtensions(readOne(one.content)))
  if (extensions.some(({ critical }) => critical)) throw new Error('a revocation list is not a whole one')
  const revoked = new Set(entries.map(revokedIn))
  const known = new WeakMap<X509Certificate, boolean>()
  return {
    issuer: Buffer.from(issuer.whole),
    name: nameIn(issuer),
    from: timeOf(from),
    until: timeOf(until),
    revoked,
    isOf(authority) {
      const before = known.get(authority)
      if (before !== undefined) return before
      const holds = verify(SIGNATURES[id], signed.whole, authority.publicKey, bits.content.subarray(1))
      known.set(authority, holds)
      return holds
    },
  }
}

function revokedIn(entry: Der): string {
  const [serial, , extensions] = readAll(entry)
  if (serial?.tag !== TAG.integer) throw new Error('a revocation list names no number')
  if (extensions && readExtensions(extensions).some(({ critical }) => critical))
    throw new Error('a revocation list is not a whole one')
  return serial.content.toString('hex')
}

const COMMON_NAME = '550403'
/** RFC 5280 §4.1.2.4: pairs of a kind and a text, each in a set of its own. */
function nameIn(issuer: Der): string {
  const pairs = readAll(issuer).flatMap(readAll).map(readAll)
  const text = pairs.findLast(([kind]) => kind?.content.toString('hex') === COMMON_NAME) ?? pairs.at(-1)
  return (text?.[1]?.content.toString('utf8') ?? '').replace(/[^\p{L}\p{N}\p{P}\p{S}\p{M} ]/gu, '')
}

const isTime = ({ tag }: Der): boolean => tag === TAG.utcTime || tag === TAG.time

/** RFC 5280 §4.1.2.5: two digits of a year are of 1950 to 2049; always in UTC, with seconds. */
function timeOf({ tag, content }: Der): Instant {
  const text = content.toString('latin1')
  const whole = tag === TAG.time ? text : `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}`
  const read = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(whole)
  const time = read ? Date.parse(`${read.slice(1, 4).join('-')}T${read.slice(4).join(':')}Z`) : Number.NaN
  if (Number.isNaN(time)) throw new Error('a revocation list has a time that is none')
  return time as Instant
}

/**
 * Whether a list has this very certificate, by who issued it and its number.
 *
 * INVARIANT: this only ever says no, so nobody looks here who has signed the list: the authority may be one of those in between,
 * which the client does not send again with each call.
 */
export function isTakenBack(certificate: X509Certificate, lists: readonly RevocationList[]): boolean {
  const { issuer, serial } = namesIn(certificate)
  return lists.some((list) => list.revoked.has(serial) && list.issuer.equals(issuer))
}

/**
 * What is wrong with the path by the lists; undefined where nothing is. Each certificate is looked for in the list of who signed it.
 *
 * INVARIANT: a list that is over, or that somebody else has signed, says no: otherwise it would be enough to keep a new one away.
 *
 * @param strict an authority without a list says no as well
 */
export function revocationFault(
  path: readonly X509Certificate[],
  lists: readonly RevocationList[],
  { now, strict }: { now: Instant; strict: boolean },
): RevocationFault | undefined {
  for (const [at, certificate] of path.slice(0, -1).entries()) {
    const authority = path[at + 1]!
    const named = lists.filter(({ issuer }) => issuer.equals(namesIn(authority).subject))
    if (named.length === 0 && strict) return 'revocation-list-missing'
    if (named.length === 0) continue
    const own = named.filter((list) => list.isOf(authority))
    if (own.length === 0) return 'revocation-list-of-another'
    if (own.some(({ revoked }) => revoked.has(namesIn(certificate).serial))) return 'revoked'
    if (!own.some(({ until }) => until >= now)) return 'revocation-list-over'
  }
  return undefined
}
