/**
 * A certificate for a key of our own (X.509, RFC 5280 §4.1), because identity providers take keys in certificates only. Nobody
 * checks who issued it: the administrator who gives our metadata to the provider does that. It is signed by `node:crypto`.
 */
import { createPublicKey, type KeyObject, sign } from 'node:crypto'
import { days, type Instant } from '#core/clock'
import { randomBytes } from '#core/random'

const TAG = {
  integer: 0x02,
  bits: 0x03,
  nothing: 0x05,
  oid: 0x06,
  utf8: 0x0c,
  time: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const
/** 1.2.840.113549.1.1.11 and 2.5.4.3, as they are written. */
const SHA256_WITH_RSA = Buffer.from('2a864886f70d01010b', 'hex')
const COMMON_NAME = Buffer.from('550403', 'hex')
/** Nobody renews it; a key that is not trusted any more is replaced at both ends. */
const GOOD_FOR = days(20 * 365)

/** X.690 §8.1.3: the tag, the length in as few bytes as can be, the content. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content])
  const hex = content.length.toString(16)
  const length = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, content])
}

/** PEM. `name` is what it says to be; `at` when it begins to be good. */
export function selfSigned(privateKey: KeyObject, name: string, at: Instant): string {
  const algorithm = der(TAG.sequence, der(TAG.oid, SHA256_WITH_RSA), der(TAG.nothing))
  const attribute = der(TAG.sequence, der(TAG.oid, COMMON_NAME), der(TAG.utf8, Buffer.from(name)))
  const who = der(TAG.sequence, der(TAG.set, attribute))
  const time = (instant: Instant) =>
    der(TAG.time, Buffer.from(`${new Date(instant).toISOString().replace(/\.\d+|[-:T]/g, '')}`))
  // positive, and not zero
  const serial = Buffer.concat([Buffer.from([0x01]), randomBytes(15)])
  const facts = der(
    TAG.sequence,
    der(0xa0, der(TAG.integer, Buffer.from([2]))),
    der(TAG.integer, serial),
    algorithm,
    who,
    der(TAG.sequence, time(at), time(at + GOOD_FOR)),
    who,
    createPublicKey(privateKey).export({ type: 'spki', format: 'der' }),
  )
  const signature = sign('sha256', facts, privateKey)
  const certificate = der(TAG.sequence, facts, algorithm, der(TAG.bits, Buffer.from([0]), signature))
  return pemOf(certificate.toString('base64'))
}

export const pemOf = (base64: string): string =>
  `-----BEGIN CERTIFICATE-----\n${(base64.match(/.{1,64}/g) ?? []).join('\n')}\n-----END CERTIFICATE-----\n`

export const base64Of = (pem: string): string => pem.replace(/-----[^-]+-----|\s/g, '')
