/** Signing with a key of ours. INVARIANT: the private half is held here and never handed out. */
import { createPrivateKey, createPublicKey, sign as cryptoSign, type KeyObject, type webcrypto } from 'node:crypto'
import type { JWK } from 'jose'
import type { Alg } from './lifetime.ts'

export interface Signer {
  /** RFC 7638 thumbprint. */
  readonly kid: string
  readonly alg: Alg
  readonly publicKey: KeyObject
  /** The JWS signature of `data` (RFC 7518 §3.1, RFC 8037 §3.1). */
  sign(data: Uint8Array): Buffer | Promise<Buffer>
}

const inThread = (data: Uint8Array, key: KeyObject): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    cryptoSign('sha256', data, key, (error, signature) => (error ? reject(error) : resolve(signature)))
  })

/**
 * A curve's signature takes some tens of microseconds, less than the way to another thread and back; RSA takes ten times
 * as long and would hold everybody up.
 */
const SIGN: Readonly<Record<Alg, (data: Uint8Array, key: KeyObject) => Buffer | Promise<Buffer>>> = {
  ES256: (data, key) => cryptoSign('sha256', data, { key, dsaEncoding: 'ieee-p1363' }),
  EdDSA: (data, key) => cryptoSign(null, data, key),
  RS256: inThread,
}

export function createSigner(alg: Alg, kid: string, privateJwk: JWK): Signer {
  const privateKey = createPrivateKey({ key: privateJwk as webcrypto.JsonWebKey, format: 'jwk' })
  const sign = SIGN[alg]
  return Object.freeze({
    kid,
    alg,
    publicKey: createPublicKey(privateKey),
    sign: (data: Uint8Array) => sign(data, privateKey),
  })
}
