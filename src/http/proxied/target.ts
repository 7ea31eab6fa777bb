/** What is asked for, read so that nobody behind us can read it in another way. */
import { createRecent } from '#core/recent'
import { Refusal } from '#core/refusal'
import { isLoopback } from '../hosts.ts'
import type { Told } from './told.ts'

export interface Target {
  readonly method: string
  readonly secure: boolean
  /** As apps register it. */
  readonly host: string
  /** `https://wiki.example.com` */
  readonly origin: string
  /** Path and query as they came. */
  readonly uri: string
  /** Decoded. Undefined where an app could understand another path than we do. */
  readonly path: string | undefined
  readonly query: string
  /** What the proxy stands before, where it says so. */
  readonly app?: string | undefined
}

const SCHEMES: Readonly<Record<string, 'http' | 'https'>> = { http: 'http', https: 'https', ws: 'http', wss: 'https' }
const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9-]+(?:\.[a-z0-9-]+)*)(?::([1-9]\d{0,4}))?$/
const USUAL = { http: '80', https: '443' } as const
/** They echo what was sent, cookies included, or mean something to proxies only (RFC 9110 §9.3.6, §9.3.8). */
const NEVER: ReadonlySet<string> = new Set(['TRACE', 'TRACK', 'CONNECT', 'DEBUG'])

/** A host over a scheme, read. */
type Place = Pick<Target, 'secure' | 'host' | 'origin'>

/** At least so many are kept, and at most twice as many; longer ones are nobody's usual hosts. */
const KNOWN = 1_000
const LONGEST_KNOWN = 100
const places = createRecent<string, Place>(KNOWN)

/** Throws Refusal `request-refused`. */
function placeOf(scheme: string, host: string): Place {
  const said = `${scheme} ${host}`
  let place = places.get(said)
  if (!place) {
    place = readPlace(scheme, host)
    if (said.length <= LONGEST_KNOWN) places.set(said, place)
  }
  return place
}

function readPlace(scheme: string, host: string): Place {
  // ATTACK: `__proto__` is a name that every object answers to
  const over = Object.hasOwn(SCHEMES, scheme) ? SCHEMES[scheme] : undefined
  // a list of two is no scheme and no host either
  const [, name, port] = HOST.exec(host.toLowerCase()) ?? []
  if (over === undefined || name === undefined) throw new Refusal('request-refused', 'scheme or host cannot be read')
  // ATTACK: over plain http anybody on the way reads the cookie
  if (over === 'http' && !isLoopback(name)) throw new Refusal('request-refused', 'not over https')
  const registered = port === undefined || port === USUAL[over] ? name : `${name}:${port}`
  return { secure: over === 'https', host: registered, origin: `${over}://${registered}` }
}

/** Throws Refusal `request-refused`. */
export function targetOf({ method, scheme, host, uri, app }: Told): Target {
  const { secure, host: registered, origin } = placeOf(scheme, host)
  if (!/^[A-Z]{1,20}$/.test(method) || NEVER.has(method)) throw new Refusal('request-refused', 'method is not taken')
  if (!/^\/[\x21-\x7e]*$/.test(uri)) throw new Refusal('request-refused', 'uri is no path')
  const question = uri.indexOf('?')
  const raw = question < 0 ? uri : uri.slice(0, question)
  return {
    method,
    secure,
    host: registered,
    origin,
    uri,
    path: readPath(raw),
    query: question < 0 ? '' : uri.slice(question + 1),
    app,
  }
}

/** Slashes, dots, parameters, and whatever a second decoding or a careless one would turn into them. */
const AMBIGUOUS = /[\\;#]|\/\/|%(?:2f|5c|2e|3b|3f|23|25|[01][0-9a-f]|7f)|%(?![0-9a-f]{2})/i

/**
 * The decoded path, or undefined where two programs could differ about it.
 * ATTACK: a rule opens `/public/*`, and the app makes `/admin` of `/public/..%2fadmin`, `/public/..;/admin`,
 * `/public/%252e%252e/admin` or of letters that are folded into ASCII.
 */
export function readPath(raw: string): string | undefined {
  if (AMBIGUOUS.test(raw)) return undefined
  if (!raw.includes('%') && !raw.includes('.')) return raw
  let path: string
  try {
    path = decodeURIComponent(raw)
  } catch {
    return undefined
  }
  // `.`, `..`, and names that some file systems cut at the end
  if (/[. ](?:\/|$)/.test(path) || /[\p{Cc}\p{Cf}\p{Cn}]/u.test(path)) return undefined
  return path.normalize('NFC') === path && !foldsIntoAscii(path) ? path : undefined
}

const foldsIntoAscii = (path: string): boolean =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
  [...path].some((letter) => letter > '\x7f' && /[\x00-\x7f]/.test(letter.normalize('NFKC')))
