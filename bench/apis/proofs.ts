/** What programs sign for each request: assertions (RFC 7523 §3) and proofs (RFC 9449 §4.2), as cheaply as it can be done. */
import { createPrivateKey, type KeyObject, randomUUID, sign } from 'node:crypto'
import type { JWK } from 'jose'
import type { Target, TargetClient } from '../load/flows.ts'

export interface ApiTarget extends Target {
  /** With a secret. */
  readonly caller: TargetClient
  /** With a key. */
  readonly signer: { readonly id: string; readonly kid: string; readonly jwk: JWK }
  /** May introspect. */
  readonly reader: TargetClient
  /** One or many, each with a secret: partners. */
  readonly callers?: readonly TargetClient[]
}

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const now = (): number => Math.floor(Date.now() / 1000)

export function signed(key: KeyObject, header: object, claims: object): string {
  const text = `${encoded({ alg: 'ES256', ...header })}.${encoded(claims)}`
  return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

export const privateKey = (jwk: JWK): KeyObject => createPrivateKey({ key: jwk, format: 'jwk' })

export function assertionOf({ id, kid }: ApiTarget['signer'], key: KeyObject, audience: string): string {
  const iat = now()
  return signed(key, { kid }, { iss: id, sub: id, aud: audience, iat, exp: iat + 60, jti: randomUUID() })
}

export function proofOf({ kty, crv, x, y }: JWK, key: KeyObject, url: URL, nonce?: string): string {
  const claims = { htm: 'POST', htu: url.href, iat: now(), jti: randomUUID(), ...(nonce ? { nonce } : {}) }
  return signed(key, { typ: 'dpop+jwt', jwk: { kty, crv, x, y } }, claims)
}
