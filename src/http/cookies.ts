/** Cookies: RFC 6265bis. Every cookie of Portico is HttpOnly, SameSite=Lax, host-only and, over https, `__Host-`. */

export interface SetCookie {
  /** Without prefix; the server adds `__Host-` where the issuer is https. */
  readonly name: string
  /** Empty deletes the cookie. */
  readonly value: string
  /** Seconds; a cookie of the browser session without it. */
  readonly maxAge?: number
}

const PREFIX = '__Host-'

/**
 * The cookies of a request by their plain name.
 * ATTACK: a cookie set by a sibling host could shadow ours; over https only names with the `__Host-` prefix are taken,
 * which browsers accept from this very host only. Of two cookies with one name neither is believed.
 */
export function parseCookies(header: string | undefined, secure: boolean): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  if (!header || header.length > 16_384) return found
  let twice: Set<string> | undefined
  for (const part of header.split(';')) {
    const equals = part.indexOf('=')
    let name = trimmed(part.slice(0, Math.max(equals, 0)))
    if (name === '') continue
    if (secure !== name.startsWith(PREFIX)) continue
    if (secure) name = name.slice(PREFIX.length)
    if (found.has(name)) {
      twice ??= new Set()
      twice.add(name)
    }
    found.set(name, trimmed(part.slice(equals + 1)))
  }
  for (const name of twice ?? []) found.delete(name)
  return found
}

/**
 * ATTACK: `trim()` also takes away byte A0, a blank in Latin-1, which is an ordinary part of a name to browsers: a sibling
 * host could set a cookie that only we would read as one with the `__Host-` prefix.
 */
function trimmed(text: string): string {
  let [from, to] = [0, text.length]
  while (from < to && isBlank(text.charCodeAt(from))) from++
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--
  return text.slice(from, to)
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09

export function cookieHeader(cookie: SetCookie, secure: boolean): string {
  const life =
    cookie.value === '' ? '; Max-Age=0' : cookie.maxAge === undefined ? '' : `; Max-Age=${Math.floor(cookie.maxAge)}`
  return `${secure ? PREFIX : ''}${cookie.name}=${cookie.value}; Path=/${life}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`
}
