/**
 * Signed tokens in compact form (RFC 7515 §7.1), read in one way only. What another reader could understand otherwise (other last
 * bits, blanks, a name twice) is none here; whoever has to take it all the same reads it with a library.
 */
import { constants, type KeyObject, verify } from 'node:crypto'

export interface Compact {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
  /** What the signature is about. */
  readonly signed: string
  readonly signature: Buffer
}

/** RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2. */
export type CompactAlg = 'ES256' | 'EdDSA' | 'Ed25519' | 'RS256' | 'PS256'

export function readCompact(token: string): Compact | undefined {
  const [head, body, tag, ...more] = token.split('.')
  if (head === undefined || body === undefined || tag === undefined || more.length > 0) return undefined
  const [header, claims, signature] = [objectIn(head), objectIn(body), bytesIn(tag)]
  return header && claims && signature && { header, claims, signed: `${head}.${body}`, signature }
}

/**
 * Some 30 to 100 µs on the spot. `alg` is what is known of the key, not what the token says (RFC 8725 §3.1); that it fits the
 * type of the key is for the caller to know.
 */
export function isSignedBy(key: KeyObject, alg: CompactAlg, { signed, signature }: Compact): boolean {
  const text = Buffer.from(signed)
  switch (alg) {
    case 'ES256':
      return verify('sha256', text, { key, dsaEncoding: 'ieee-p1363' }, signature)
    case 'RS256':
      return verify('sha256', text, key, signature)
    case 'PS256': {
      const padding = constants.RSA_PKCS1_PSS_PADDING
      return verify('sha256', text, { key, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }, signature)
    }
    default:
      return verify(null, text, key, signature)
  }
}

/** RFC 4648 §3.5: the one spelling. */
function bytesIn(part: string): Buffer | undefined {
  const decoded = Buffer.from(part, 'base64url')
  return decoded.toString('base64url') === part ? decoded : undefined
}

/** An object in the one spelling that `JSON.stringify` gives it. */
function objectIn(part: string): Record<string, unknown> | undefined {
  const text = bytesIn(part)?.toString('utf8')
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject && JSON.stringify(value) === text ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
