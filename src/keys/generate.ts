/** Making a signing key. */
import { generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { calculateJwkThumbprint, type JWK } from 'jose'
import type { Alg } from './lifetime.ts'

const generate = promisify(generateKeyPair) as (
  type: string,
  options: object,
) => Promise<{ publicKey: KeyObject; privateKey: KeyObject }>

/** RSA keys are made in a thread of their own, so that nobody waits for the prime numbers. */
const MAKE: Readonly<Record<Alg, () => Promise<{ publicKey: KeyObject; privateKey: KeyObject }>>> = {
  ES256: () => generate('ec', { namedCurve: 'P-256' }),
  RS256: () => generate('rsa', { modulusLength: 2048 }),
  EdDSA: () => generate('ed25519', {}),
}

export interface MadeKey {
  readonly kid: string
  readonly publicJwk: JWK
  readonly privateJwk: JWK
}

/** Both halves carry `alg`, `use` and `kid` (RFC 7517 §4); the kid is the RFC 7638 thumbprint. */
export async function makeSigningKey(alg: Alg): Promise<MadeKey> {
  const { publicKey, privateKey } = await MAKE[alg]()
  const publicJwk = publicKey.export({ format: 'jwk' }) as JWK
  const kid = await calculateJwkThumbprint(publicJwk)
  const head = { kid, alg, use: 'sig' }
  return {
    kid,
    publicJwk: { ...publicJwk, ...head },
    privateJwk: { ...(privateKey.export({ format: 'jwk' }) as JWK), ...head },
  }
}
