/**
 * Sealing of secrets at rest: AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce. The record's id is associated
 * data, so a sealed text copied into another record does not open there.
 *
 * The master key itself encrypts nothing: every use has its own key by HKDF-SHA256 (RFC 5869).
 */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { randomBytes } from '#core/random'
import { Refusal } from '#core/refusal'

/** The written form: version, then nonce, tag and ciphertext as base64url. */
const VERSION = 's1.'
const NONCE = 12
const TAG = 16

export interface Sealing {
  /** `recordId` names the record the secret belongs to, with its kind: `totp:…`, `signing-key:…`. */
  seal(plaintext: string | Buffer, recordId: string): string
  /** Throws `Refusal('sealed-record-invalid')` for another record, another master key, or a changed text. */
  unseal(sealed: string, recordId: string): Buffer
  /** A key for one purpose: the same label gives the same bytes in every process. `length` in bytes, 32 by default. */
  derive(label: string, length?: number): Buffer
}

export function createSealing(masterKey: Buffer): Sealing {
  if (masterKey.length !== 32) throw new Error('the master key has 32 bytes')
  const expand = (purpose: string, length: number) =>
    Buffer.from(hkdfSync('sha256', masterKey, 'portico', purpose, length))
  const sealingKey = expand('seal', 32)

  return Object.freeze({
    seal(plaintext: string | Buffer, recordId: string) {
      const nonce = randomBytes(NONCE)
      const cipher = createCipheriv('aes-256-gcm', sealingKey, nonce, { authTagLength: TAG })
      cipher.setAAD(Buffer.from(recordId))
      const hidden = Buffer.concat([cipher.update(plaintext), cipher.final()])
      return VERSION + Buffer.concat([nonce, cipher.getAuthTag(), hidden]).toString('base64url')
    },

    unseal(sealed: string, recordId: string) {
      const text = sealed.startsWith(VERSION) ? sealed.slice(VERSION.length) : ''
      const bytes = Buffer.from(text, 'base64url')
      if (bytes.length < NONCE + TAG || bytes.toString('base64url') !== text) {
        throw new Refusal('sealed-record-invalid', 'a sealed record has no form that this version knows')
      }
      const decipher = createDecipheriv('aes-256-gcm', sealingKey, bytes.subarray(0, NONCE), { authTagLength: TAG })
      decipher.setAAD(Buffer.from(recordId))
      decipher.setAuthTag(bytes.subarray(NONCE, NONCE + TAG))
      try {
        return Buffer.concat([decipher.update(bytes.subarray(NONCE + TAG)), decipher.final()])
      } catch (error) {
        throw new Refusal(
          'sealed-record-invalid',
          'a sealed record was changed, moved, or sealed with another master key',
          {
            cause: error,
          },
        )
      }
    },

    derive: (label: string, length = 32) => expand(`derive:${label}`, length),
  })
}
