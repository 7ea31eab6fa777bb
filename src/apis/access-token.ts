/**
 * Access tokens of ours that are JWTs (RFC 9068), read in one way only: as the engine writes them, byte for byte. What any other
 * reader could understand otherwise is no token.
 */
import type { KeyObject } from 'node:crypto'
import type { Clock, Instant } from '#core/clock'
import { seconds } from '#core/clock'
import { sha256 } from '#core/digest'
import { createRecent } from '#core/recent'
import type { Keys } from '#keys'
import { ACCESS_TOKEN_ALGS, type Api } from './api.ts'
import { isSignedBy, readCompact } from './compact.ts'
import { type AuthorizationDetail, readDetails } from './details.ts'

export interface AccessToken {
  /** `jti`; of an opaque one the token itself. */
  readonly id: string
  readonly client: string
  /** A person's id, or the client's own for one that asks for itself. */
  readonly subject: string
  readonly scopes: readonly string[]
  /** RFC 9396 §9.1. */
  readonly details: readonly AuthorizationDetail[]
  /** The one resource that it is for. */
  readonly audience: string | undefined
  readonly issuedAt: Instant
  readonly expiresAt: Instant
  /** The session that it was given in, of a person. */
  readonly session?: string
  /** What the person has granted the app, in one session. */
  readonly grant?: string
  /** With which key its client has shown who it is (RFC 7638), where it has keys. */
  readonly key?: string
  /** The token that it was exchanged for, first of all (RFC 8693). */
  readonly origin?: Origin
  /** To what it is bound (RFC 7800 §3.1): the thumbprint of a key (RFC 9449 §6), of a certificate (RFC 8705 §3.1). */
  readonly jkt?: string
  readonly x5t?: string
  readonly alg?: Api['alg']
  /** How strongly a person signed in for it, and when the oldest proof was given (RFC 9470 §6). */
  readonly acr?: string
  readonly authTime?: Instant
}

export interface Origin {
  readonly id: string
  readonly client: string
}

/** Why it is no token of ours, for the log; `expired` is for its holder as well. */
export type TokenFault =
  | 'expired'
  | 'malformed'
  | 'header'
  | 'key-unknown'
  | 'signature'
  | 'issuer'
  | 'claims'
  | 'from-the-future'

export interface AccessTokens {
  /** Verified now, or before and not over. */
  read(token: string): AccessToken | TokenFault
}

export interface AccessTokensOptions {
  readonly issuer: string
  readonly keys: Pick<Keys, 'signing'>
  readonly clock: Clock
}

/** RFC 9068 has none; ours have a dozen short claims. */
const LONGEST = 8_192
const SHAPE = /^[\w-]+\.[\w-]+\.[\w-]{86}$/
/** The clocks of two of our processes may be so far apart. */
const AHEAD = seconds(120)
/** At least so many verified tokens are kept, and at most twice as many. */
const KEPT = 20_000
/** Keys come an hour before they sign, and go a day after: looked at once in so long. */
const KEYS_AGAIN = seconds(1)

interface Verified extends AccessToken {
  readonly kid: string
}

export function createAccessTokens({ issuer, keys, clock }: AccessTokensOptions): AccessTokens {
  const verified = createRecent<string, Verified>(KEPT)
  let ring: ReadonlyMap<string, { readonly alg: string; readonly publicKey: KeyObject }> = new Map()
  let lookedAt = -Infinity

  /** INVARIANT: a token whose key is no longer published is none, also one that was verified before. */
  function keyOf(kid: string, now: Instant) {
    if (now < lookedAt || now - lookedAt >= KEYS_AGAIN) {
      ring = new Map(keys.signing.signers().map((signer) => [signer.kid, signer]))
      lookedAt = now
    }
    return ring.get(kid)
  }

  function verify(token: string, now: Instant): Verified | TokenFault {
    if (!SHAPE.test(token)) return 'malformed'
    // ATTACK: forgiving readers take one token in many spellings
    const compact = readCompact(token)
    if (!compact) return 'malformed'
    const { header, claims } = compact
    const { alg, kid, typ, ...more } = header
    // ATTACK: `jku`, `x5u`, `jwk`, `x5c` bring a key along, `crit` and `b64` change what is signed: ours have none of them
    if (typ !== 'at+jwt' || typeof kid !== 'string' || Object.keys(more).length > 0) return 'header'
    if (!isAlg(alg)) return 'header'
    const key = keyOf(kid, now)
    // the algorithm is the key's own, not what the token says (RFC 8725 §3.1)
    if (key?.alg !== alg) return 'key-unknown'
    if (!isSignedBy(key.publicKey, alg, compact)) return 'signature'
    return accepted(claims, issuer, alg, kid) ?? 'claims'
  }

  return {
    read(token) {
      if (token.length > LONGEST) return 'malformed'
      const now = clock.now()
      const id = sha256(token)
      let found: Verified | TokenFault | undefined = verified.get(id)
      if (found === undefined || !keyOf((found as Verified).kid, now)) {
        found = verify(token, now)
        if (typeof found === 'string') return found
        verified.set(id, found)
      }
      if (found.expiresAt <= now) return 'expired'
      return found.issuedAt > now + AHEAD ? 'from-the-future' : found
    },
  }
}

const isAlg = (alg: unknown): alg is Api['alg'] => (ACCESS_TOKEN_ALGS as readonly unknown[]).includes(alg)

/** RFC 9068 §2.2. Undefined where a claim is missing or has another type. */
function accepted(claims: Record<string, unknown>, issuer: string, alg: Api['alg'], kid: string) {
  const { iss, aud, sub, client_id, jti, iat, exp, nbf, scope, sid, grant_id, client_key, origin, cnf } = claims
  const { acr, auth_time } = claims
  if (iss !== issuer) return 'issuer' as const
  const texts = [sub, client_id, jti]
  if (!texts.every((text) => typeof text === 'string' && text !== '' && text.length <= 512)) return undefined
  const times = nbf === undefined ? [iat, exp] : [iat, exp, nbf]
  if (!times.every((time) => Number.isSafeInteger(time) && (time as number) > 0)) return undefined
  const bound = bindingOf(cnf)
  const details = readDetails(claims['authorization_details'])
  if (!details || !bound || !(scope === undefined || typeof scope === 'string')) return undefined
  if (![sid, grant_id, client_key, acr].every((text) => text === undefined || typeof text === 'string'))
    return undefined
  if (!(auth_time === undefined || Number.isSafeInteger(auth_time))) return undefined
  if (!(origin === undefined || isOrigin(origin))) return undefined
  return {
    id: jti as string,
    client: client_id as string,
    subject: sub as string,
    scopes: scope ? scope.split(' ') : [],
    details,
    audience: typeof aud === 'string' ? aud : undefined,
    issuedAt: Math.max(iat as number, (nbf as number | undefined) ?? 0) * 1000,
    expiresAt: (exp as number) * 1000,
    ...whenceOf({ sid, grant_id, client_key, origin }),
    ...bound,
    ...(acr === undefined ? {} : { acr: acr as string }),
    ...(auth_time === undefined ? {} : { authTime: (auth_time as number) * 1000 }),
    alg,
    kid,
  }
}

/** What ends a token before its time says nothing of it unless the token names it. */
export type Whence = {
  readonly sid?: unknown
  readonly grant_id?: unknown
  readonly client_key?: unknown
  readonly origin?: unknown
}

/** In the words of claims, as they stand in a JWT and beside an opaque token. */
export const whenceOf = ({ sid, grant_id, client_key, origin }: Whence) => ({
  ...(sid === undefined ? {} : { session: sid as string }),
  ...(grant_id === undefined ? {} : { grant: grant_id as string }),
  ...(client_key === undefined ? {} : { key: client_key as string }),
  ...(origin === undefined
    ? {}
    : { origin: { id: (origin as RawOrigin).jti, client: (origin as RawOrigin).client_id } }),
})

type RawOrigin = { readonly jti: string; readonly client_id: string }

const isOrigin = (value: unknown): value is RawOrigin => {
  const { jti, client_id } = (value ?? {}) as Record<string, unknown>
  return typeof jti === 'string' && typeof client_id === 'string'
}

/** INVARIANT: a token that is bound to something that we do not know is none, not one that is bound to nothing. */
function bindingOf(cnf: unknown): { jkt?: string; x5t?: string } | undefined {
  if (cnf === undefined) return {}
  if (typeof cnf !== 'object' || cnf === null) return undefined
  const { jkt, 'x5t#S256': x5t, ...more } = cnf as Record<string, unknown>
  if (Object.keys(more).length > 0 || (jkt === undefined) === (x5t === undefined)) return undefined
  if (typeof (jkt ?? x5t) !== 'string') return undefined
  return jkt === undefined ? { x5t: x5t as string } : { jkt: jkt as string }
}
