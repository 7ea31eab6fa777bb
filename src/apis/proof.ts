/** Proofs of possession (RFC 9449): that whoever asks has the key to which a token is, or is to be, bound. */
import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify } from 'jose'
import { type Instant, seconds } from '#core/clock'
import { isCanonical } from './spelling.ts'

/** RFC 9449 §5, RFC 8725 §3.1: no algorithm of one secret for both, none that is none. */
export const PROOF_ALGS = ['ES256', 'EdDSA', 'Ed25519', 'PS256'] as const
/** RFC 9449 §11.1: a proof is made for this very request; the clocks may differ by as much. */
export const PROOF_YOUNG = seconds(60)
const LONGEST = 4_096

export interface Proof {
  /** Thumbprint of the key (RFC 7638). */
  readonly jkt: string
  /** To be spent by whoever takes the proof: one opens once. */
  readonly jti: string
  /** Hash of the token that it goes with. */
  readonly ath: unknown
}

export interface Proved {
  readonly method: string
  /** Of the request; query and fragment are not looked at. */
  readonly address: string
  readonly now: Instant
}

/** RFC 9449 §4.3, all but `ath` and replay; undefined where it is no proof for this request. */
export async function readProof(text: unknown, { method, address, now }: Proved): Promise<Proof | undefined> {
  if (typeof text !== 'string' || text.length > LONGEST || !isCanonical(text)) return undefined
  try {
    const { payload, protectedHeader } = await jwtVerify(text, EmbeddedJWK, {
      typ: 'dpop+jwt',
      algorithms: [...PROOF_ALGS],
      currentDate: new Date(now),
      requiredClaims: ['jti', 'iat', 'htm', 'htu'],
    })
    const { jti, iat, htm, htu, ath } = payload
    const good =
      typeof jti === 'string' &&
      jti !== '' &&
      htm === method &&
      isSameAddress(htu, address) &&
      Math.abs(now - iat! * 1000) <= PROOF_YOUNG
    return good ? { jkt: await calculateJwkThumbprint(protectedHeader.jwk!, 'sha256'), jti, ath } : undefined
  } catch {
    return undefined
  }
}

/** Without query and fragment, as a URL parser writes it (RFC 9449 §4.3). */
function isSameAddress(htu: unknown, address: string): boolean {
  const [said, called] = [URL.parse(String(htu)), URL.parse(address)]
  return said !== null && called !== null && said.origin === called.origin && said.pathname === called.pathname
}
