/**
 * What programs sign in its usual shape: assertions that show who they are (RFC 7523 §3), and proofs that they have a key
 * (RFC 9449 §4.2). Verified on the spot; nothing is spent here. Undefined is everything that the engine has to look at.
 */
import { createPublicKey, type KeyObject } from 'node:crypto'
import type { JWK } from 'jose'
import { type CompactAlg, isSignedBy, PROOF_ALGS, readCompact } from '#apis'
import type { Clock } from '#core/clock'
import { sha256 } from '#core/digest'
import { createRecent } from '#core/recent'
import type { Nonces } from '../dpop.ts'
import { type KeyStore, thumbprintOf } from '../proving-keys.ts'
import type { Client } from './way.ts'

type Claims = Readonly<Record<string, unknown>>

/** To be spent by whoever takes it: `jti` of this client's, to be remembered until `expires` (seconds since 1970). */
export interface Spendable {
  readonly jti: string
  readonly expires: number
}
export interface Assertion extends Spendable {
  /** Thumbprint of the key that signed it (RFC 7638). */
  readonly key: string
}
export interface Proof extends Spendable {
  /** Thumbprint of the key that it is to be bound to. */
  readonly jkt: string
  /** The nonce that the client is to use from now on, where it used another (RFC 9449 §8.2). */
  readonly tell?: string
}

const ASSERTION_ALGS: readonly unknown[] = ['ES256', 'EdDSA', 'PS256', 'RS256']
const ASSERTION_CLAIMS = new Set(['iss', 'sub', 'aud', 'exp', 'iat', 'nbf', 'jti'])
const PROOF_CLAIMS = new Set(['htm', 'htu', 'iat', 'jti', 'nonce'])
/** 9999-12-31T23:59:59Z: what ends later is refused. */
const LAST_SECOND = 253_402_300_799
/** As long as the engine remembers a proof. */
const PROOF_REMEMBERED = 300
const LONGEST_JTI = 256
/** Bits. */
const LONG_ENOUGH = 2048
/** Keys of so many proofs are kept at least: a partner comes with the same one all day. */
const KEPT = 2_000

const hasOnly = (names: ReadonlySet<string>, value: object): boolean =>
  Object.keys(value).every((name) => names.has(name))
const isId = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= LONGEST_JTI

/** Whose assertion this says it is; for whoever has to look up its keys before it can be verified. */
export function claimedBy(text: string): string | undefined {
  const { iss, sub } = readCompact(text)?.claims ?? {}
  return typeof iss === 'string' && iss === sub ? iss : undefined
}

export interface AssertionRooms {
  readonly clock: Clock
  /** The issuer's name, and the address of the endpoint. */
  readonly audiences: readonly string[]
}

export function createAssertions({ clock, audiences }: AssertionRooms) {
  const objects = new WeakMap<JWK, KeyObject>()

  function objectOf(key: JWK): KeyObject {
    const known = objects.get(key)
    if (known) return known
    const { kty, crv, x, y, n, e } = key
    const made = createPublicKey({ key: { kty, crv, x, y, n, e } as never, format: 'jwk' })
    objects.set(key, made)
    return made
  }

  /** RFC 7518 §3.3. */
  const isShort = ({ asymmetricKeyDetails: { modulusLength = LONG_ENOUGH } = {} }: KeyObject) =>
    modulusLength < LONG_ENOUGH

  const isInTime = ({ exp, iat, nbf }: Claims, now: number): boolean =>
    Number.isSafeInteger(exp) &&
    (exp as number) > now &&
    (exp as number) <= LAST_SECOND &&
    [iat, nbf].every((time) => time === undefined || (typeof time === 'number' && time <= now))

  return async (text: string, client: Client): Promise<Assertion | undefined> => {
    const compact = readCompact(text)
    const { alg, kid, typ, ...more } = compact?.header ?? {}
    if (!compact || Object.keys(more).length > 0 || !(typ === undefined || typ === 'JWT')) return undefined
    if (!ASSERTION_ALGS.includes(alg) || typeof kid !== 'string') return undefined
    const { claims } = compact
    const { iss, sub, aud, jti, exp } = claims
    if (!hasOnly(ASSERTION_CLAIMS, claims) || !isId(jti) || iss !== client.clientId || sub !== iss) return undefined
    if (!audiences.includes(aud as string) || !isInTime(claims, Math.floor(clock.now() / 1000))) return undefined
    const store = (client as unknown as { asymmetricKeyStore: KeyStore }).asymmetricKeyStore
    const [key, ...others] = store.selectForVerify({ alg: alg as string, kid })
    if (!key || others.length > 0) return undefined
    const object = objectOf(key)
    if (isShort(object) || !isSignedBy(object, alg as CompactAlg, compact)) return undefined
    return { jti, expires: exp as number, key: await thumbprintOf(key) }
  }
}

export interface ProofRooms {
  readonly clock: Clock
  readonly nonces: Nonces
  /** The address of the endpoint, as proofs have to name it. */
  readonly address: string
}

/** Public keys in the shape of RFC 7638 §3.2, and what signs with them. */
const SHAPES: Readonly<Record<string, readonly [names: string, algs: readonly string[]]>> = {
  EC: ['crv,kty,x,y', ['ES256']],
  OKP: ['crv,kty,x', ['EdDSA', 'Ed25519']],
}
const CURVES: ReadonlySet<unknown> = new Set(['P-256', 'Ed25519'])
const COORDINATE = /^[\w-]{43}$/

export function createProofs({ clock, nonces, address }: ProofRooms) {
  const known = createRecent<string, KeyObject>(KEPT)

  /** The key and its thumbprint; throws where it is no point of its curve. */
  function keyOf(jwk: unknown, alg: unknown): { key: KeyObject; jkt: string } | undefined {
    if (typeof jwk !== 'object' || jwk === null) return undefined
    const { kty, crv, x, y } = jwk as Record<string, unknown>
    const [names, algs] = SHAPES[String(kty)] ?? []
    if (Object.keys(jwk).sort().join() !== names || !algs!.includes(String(alg)) || !CURVES.has(crv)) return undefined
    if (![x, y ?? x].every((one) => COORDINATE.test(String(one)))) return undefined
    // RFC 7638 §3.3: in this order
    const jkt = sha256(JSON.stringify({ crv, kty, x, y }))
    let key = known.get(jkt)
    if (!key) {
      key = createPublicKey({ key: jwk as never, format: 'jwk' })
      known.set(jkt, key)
    }
    return { key, jkt }
  }

  function read(text: string): Proof | undefined {
    const compact = readCompact(text)
    const { alg, typ, jwk, ...more } = compact?.header ?? {}
    if (!compact || Object.keys(more).length > 0 || typ !== 'dpop+jwt') return undefined
    if (!(PROOF_ALGS as readonly unknown[]).includes(alg)) return undefined
    const { htm, htu, iat, jti, nonce } = compact.claims
    if (!hasOnly(PROOF_CLAIMS, compact.claims) || !isId(jti) || htm !== 'POST' || htu !== address) return undefined
    if (typeof iat !== 'number' || iat === 0 || typeof nonce !== 'string' || !nonces.isGood(nonce)) return undefined
    const by = keyOf(jwk, alg)
    if (!by || !isSignedBy(by.key, alg as CompactAlg, compact)) return undefined
    const expires = Math.floor(clock.now() / 1000) + PROOF_REMEMBERED
    return { jti, expires, jkt: by.jkt, ...(nonce === nonces.next() ? {} : { tell: nonces.next() }) }
  }

  return (text: string): Proof | undefined => {
    try {
      return read(text)
    } catch {
      return undefined
    }
  }
}
