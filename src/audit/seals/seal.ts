/**
 * A seal: what stood in the trail between two numbers, hashed, chained to the seal before and signed.
 *
 * The key is derived from the root (`keys/root.ts`): it lives as long as the database and survives a change of the master key. Whoever
 * has neither can make no seal; whoever has the public half can check one.
 */
import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  hash,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto'
import type { Instant } from '#core/clock'
import { sha256 } from '#core/digest'
import type { LedgerRow } from './ledger.ts'

export interface Seal {
  /** 1, 2, 3 … without gaps. */
  readonly number: number
  readonly at: Instant
  /** Hash of the seal before; empty for the first. */
  readonly previous: string
  /** It covers the numbers behind those of the seal before, up to and including these. */
  readonly last_event: number
  readonly last_receipt: number
  /** How many rows there were. */
  readonly events: number
  readonly receipts: number
  /** Of the events' canonical texts, one a line. */
  readonly events_hash: string
  /** Of the receipts' leaves. */
  readonly receipts_hash: string
  /** The time of the newest row in it; 0 where it has none. */
  readonly latest: Instant
}

export interface SignedSeal extends Seal {
  /** Ed25519 (RFC 8032), as base64url. */
  readonly signature: string
}

/** A signed sentence about seals: which one is the newest, or up to which one rows may be gone. */
export interface Mark {
  readonly name: 'head' | 'events' | 'receipts'
  readonly seal: number
  readonly hash: string
  readonly at: Instant
}

const canonicalSeal = (s: Seal): string =>
  JSON.stringify([
    'portico audit seal 1',
    ...[s.number, s.at, s.previous, s.last_event, s.last_receipt, s.events, s.receipts],
    ...[s.events_hash, s.receipts_hash, s.latest],
  ])

const canonicalMark = ({ name, seal, hash, at }: Mark): string =>
  JSON.stringify(['portico audit mark 1', name, seal, hash, at])

/** Names a seal for good: whoever has noted it elsewhere knows later whether it is still in the chain. */
export const sealHash = (seal: Seal): string => sha256(canonicalSeal(seal))

/** `12:…`: what is noted elsewhere. */
export const nameOf = (seal: Seal): string => `${seal.number}:${sealHash(seal)}`

/** Characters of a leaf, or of its half: 48 bits, which nobody without the key can aim at. */
export const HALF = 8

/** RFC 8410 §7: what stands before the 32 bytes of a private key. */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')

export interface SealKeys {
  sign(seal: Seal): SignedSeal
  signMark(mark: Mark): string
  isOurs(seal: SignedSeal): boolean
  isOurMark(mark: Mark, signature: string): boolean
  /** Short keyed digests of a row, so that the very row that does not fit can be named. Keyed, or what was forgotten could be guessed. */
  leafOf(row: LedgerRow): string
  signText(text: string): string
  /** The public half as SubjectPublicKeyInfo, base64url. */
  readonly publicKey: string
}

/** `derive`: of `#keys`. */
export function createSealKeys(derive: (label: string) => Buffer): SealKeys {
  const der = Buffer.concat([PKCS8, derive('audit seals')])
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey(privateKey)
  const leafKey = derive('audit leaves')
  const sign = (text: string) => signBytes(null, Buffer.from(text), privateKey).toString('base64url')
  const digest = (text: string) => createHmac('sha256', leafKey).update(text).digest('base64url').slice(0, HALF)
  return Object.freeze({
    sign: (seal: Seal) => ({ ...seal, signature: sign(canonicalSeal(seal)) }),
    signMark: (mark: Mark) => sign(canonicalMark(mark)),
    isOurs: (seal: SignedSeal) => isSigned(canonicalSeal(seal), seal.signature, publicKey),
    isOurMark: (mark: Mark, signature: string) => isSigned(canonicalMark(mark), signature, publicKey),
    leafOf: (row: LedgerRow) =>
      'personal' in row ? digest(row.fixed) + digest(row.personal ?? '') : digest(row.fixed),
    signText: sign,
    publicKey: publicKey.export({ format: 'der', type: 'spki' }).toString('base64url'),
  })
}

/** Checks with nothing but the public half, as whoever was handed an export does. */
export function createSealReader(publicKey: string) {
  const key = createPublicKey({ key: Buffer.from(publicKey, 'base64url'), format: 'der', type: 'spki' })
  return Object.freeze({
    isSealed: (seal: SignedSeal) => isSigned(canonicalSeal(seal), seal.signature, key),
    isText: (text: string, signature: string) => isSigned(text, signature, key),
  })
}

function isSigned(text: string, signature: string, key: KeyObject): boolean {
  const bytes = Buffer.from(signature, 'base64url')
  return bytes.length === 64 && verifyBytes(null, Buffer.from(text), key, bytes)
}

/** By what people compare keys: the first half of the SHA-256 of the public key, in groups. */
export const fingerprintOf = (publicKey: string): string =>
  (hash('sha256', Buffer.from(publicKey, 'base64url'), 'hex').slice(0, 32).match(/.{4}/g) ?? []).join('-')

/** Of texts, one a line, as they come. */
export function createTextsHash() {
  const digest = createHash('sha256')
  return { add: (text: string) => void digest.update(`${text}\n`), end: () => digest.digest('base64url') }
}
