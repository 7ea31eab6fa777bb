/** JSON Web Tokens as an attacker writes them, and proofs of possession (RFC 9449 §4.2): nothing is checked on the way. */
import { createHash, createHmac, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'

export type Json = Readonly<Record<string, unknown>>
export type Signer = (signed: string) => string
export const base64url = (value: string | Buffer): string => Buffer.from(value).toString('base64url')
const part = (value: unknown) => base64url(typeof value === 'string' ? value : JSON.stringify(value))

export const es256 =
  (key: KeyObject): Signer =>
  (signed) =>
    base64url(sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }))
export const hs256 =
  (secret: string | Buffer): Signer =>
  (signed) =>
    createHmac('sha256', secret).update(signed).digest('base64url')
export const unsigned: Signer = () => ''

/** A string is taken as it is: for what is no JSON, or is twice the same. */
export function jwt(header: Json | string, payload: Json | string, signer: Signer): string {
  const signed = `${part(header)}.${part(payload)}`
  return `${signed}.${signer(signed)}`
}

/** The same bytes in other base64url: the last letter of the part has bits that mean nothing. */
export function respelled(token: string, at = 2): string {
  const parts = token.split('.')
  const text = parts[at]!
  const bytes = Buffer.from(text, 'base64url')
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const other = [...letters].find((letter) => {
    const spelled = text.slice(0, -1) + letter
    return spelled !== text && Buffer.from(spelled, 'base64url').equals(bytes)
  })
  parts[at] = other === undefined ? `${text}=` : text.slice(0, -1) + other
  return parts.join('.')
}

export const ecKeys = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
export type Keys = ReturnType<typeof ecKeys>
export const publicJwk = ({ publicKey }: Keys): Json => publicKey.export({ format: 'jwk' }) as Json
/** As a registration has it. */
export const registered = (keys: Keys, kid: string): Json => ({ ...publicJwk(keys), alg: 'ES256', use: 'sig', kid })

export const now = (): number => Math.floor(Date.now() / 1000)
export const athOf = (token: string): string => createHash('sha256').update(token).digest('base64url')

export interface ProofParts {
  readonly header?: Json
  readonly claims?: Json
  readonly signer?: Signer
}

/** A proof for `POST url`, with whatever the test puts in other words. */
export function proof(keys: Keys, url: string, { header, claims, signer = es256(keys.privateKey) }: ProofParts = {}) {
  return jwt(
    { typ: 'dpop+jwt', alg: 'ES256', jwk: publicJwk(keys), ...header },
    { htm: 'POST', htu: url, jti: randomUUID(), iat: now(), ...claims },
    signer,
  )
}
