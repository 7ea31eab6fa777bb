/** Bytes as letters that a person can type: RFC 4648 for authenticator apps, Crockford's for codes on paper. */

const RFC_4648 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

function encode(bytes: Uint8Array, alphabet: string): string {
  let text = ''
  let bits = 0
  let held = 0
  for (const byte of bytes) {
    held = (held << 8) | byte
    bits += 8
    for (; bits >= 5; bits -= 5) text += alphabet[(held >>> (bits - 5)) & 31]
    held &= 255
  }
  return bits > 0 ? text + alphabet[(held << (5 - bits)) & 31] : text
}

/** RFC 4648 §6, without padding, as otpauth addresses want it. */
export const base32 = (bytes: Uint8Array): string => encode(bytes, RFC_4648)

export const crockford = (bytes: Uint8Array): string => encode(bytes, CROCKFORD)

/** `ABCD EFGH …`: easier to copy by hand. */
export const grouped = (text: string, separator: string): string => text.replace(/.{4}(?=.)/g, `$&${separator}`)

/** A typed Crockford text as it was given out: case, blanks, hyphens and look-alikes (O, I, L) do not matter. */
export const readCrockford = (text: string): string =>
  text
    .toUpperCase()
    .replace(/[\s\p{Pd}]/gu, '')
    .replace(/O/g, '0')
    .replace(/[IL]/g, '1')
