/** What both servers have in common beyond `../subjects.ts`: two APIs, and programs that call them. */
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import type { JWK } from 'jose'
import { bareSecret, targetOf } from '../subjects.ts'
import type { ApiTarget } from './proofs.ts'

/** Whose tokens are looked up, and whose tokens are JWTs. */
export const OPAQUE = 'https://api.bench.example/opaque'
export const JWT = 'https://api.bench.example/jwt'
export const LIFE = 3600
/** Of the API whose calls a gateway asks about. */
export const GATED_HOST = 'api.bench.example'
export const GATED_PATH = '/orders/1'

export const CALLER = 'caller'
export const SIGNER = 'signer'
export const READER = 'reader'

export interface ProgramKey {
  readonly jwk: JWK
  readonly publicJwk: JWK & { readonly kid: string }
}

export function programKey(): ProgramKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const kid = randomUUID()
  return {
    jwk: privateKey.export({ format: 'jwk' }),
    publicJwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' },
  }
}

export function apiTarget(
  name: string,
  port: number,
  { jwk, publicJwk }: ProgramKey,
  secret: (id: string) => string = bareSecret,
): ApiTarget {
  const client = (id: string) => ({ id, secret: secret(id) })
  return {
    ...targetOf(name, port, secret),
    caller: client(CALLER),
    reader: client(READER),
    signer: { id: SIGNER, kid: publicJwk.kid, jwk },
  }
}
