/** Handles: what a browser carries for a session or a device, `<id>.<secret>`, and how one is read. */
import { constantTimeEqual, sha256 } from '#core/digest'
import { randomId } from '#core/random'

/** 16 bytes: public, in lists, logs and the audit trail. */
const ID_BYTES = 16
/** 32 bytes, 256 bits: kept here only as SHA-256, so a copy of the store opens no session. */
const SECRET_BYTES = 32
/** Of a device's cookie, in seconds: the longest that browsers keep one (RFC 6265bis §5.5). */
export const DEVICE_COOKIE_AGE = 400 * 86_400
const LENGTH = 22 + 1 + 43

// ATTACK: the last character of each part carries unused bits. Only the spelling with zeros there is read, otherwise
// one handle would have several texts and a mark on the text could be walked around (RFC 4648 §3.5).
const HANDLE = /^([A-Za-z0-9_-]{21}[AQgw])\.([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])$/

export interface Handle {
  readonly id: string
  readonly secret: string
}

/** What a cookie value says, or undefined when it cannot be one of ours. Reads no storage. */
export function readHandle(cookie: string | undefined): Handle | undefined {
  if (cookie?.length !== LENGTH) return undefined
  const match = HANDLE.exec(cookie)
  return match ? { id: match[1]!, secret: match[2]! } : undefined
}

export const newId = (): string => randomId(ID_BYTES)

export const secretHash = (handle: Handle): string => sha256(handle.secret)

/** A new secret for `id`: the cookie value to give away, and the hash to keep. */
export function mint(id: string): { cookie: string; secretHash: string } {
  const secret = randomId(SECRET_BYTES)
  return { cookie: `${id}.${secret}`, secretHash: sha256(secret) }
}

export const opens = (handle: Handle, hash: string): boolean => constantTimeEqual(secretHash(handle), hash)
