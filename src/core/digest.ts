/** Hashes and comparisons that do not tell by their time where two values differ. */
import { createHash, hash, timingSafeEqual } from 'node:crypto'

/** SHA-256 as base64url (43 characters). */
export const sha256 = (text: string): string => hash('sha256', text, 'base64url')

/** SHA-256 as written in version names: `sha256:` and lower-case hex. */
export const sha256Version = (text: string | Buffer): string =>
  `sha256:${createHash('sha256').update(text).digest('hex')}`

/** Compares two strings in time that depends on their lengths only. */
export function constantTimeEqual(a: string, b: string): boolean {
  // both sides are hashed first: timingSafeEqual needs equal lengths, and a length must not tell either; as UTF-16,
  // because UTF-8 writes every half of a surrogate pair as the same U+FFFD
  const digest = (text: string) => hash('sha256', Buffer.from(text, 'utf16le'), 'buffer')
  return timingSafeEqual(digest(a), digest(b))
}
