/**
 * What a person reads out over the phone, in Crockford's base32: receipt references, 40 bits as 8 characters, written
 * `7K4Q-92MD`; and codes. Reading forgives case, hyphens, blanks, and the look-alikes O, I and L.
 */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** One more than the largest number a reference can hold. */
export const REFERENCE_LIMIT = 2 ** 40

/** `0 ≤ n < 2^40` as `XXXX-XXXX`. */
export function formatReference(n: number): string {
  let text = ''
  for (let rest = n, i = 0; i < 8; i++) {
    text = ALPHABET[rest % 32] + text
    rest = Math.floor(rest / 32)
  }
  return `${text.slice(0, 4)}-${text.slice(4)}`
}

/** The number, or undefined when the text cannot be a reference. */
export function parseReference(text: string): number | undefined {
  const plain = plainCharacters(text, 8)
  if (plain === undefined) return undefined
  let n = 0
  for (const character of plain) n = n * 32 + ALPHABET.indexOf(character)
  return n
}

/** `bytes` as characters, 5 bits of each, in groups of four: `7K4Q-92MD-X3F8`. */
export const formatCode = (bytes: Buffer): string =>
  [...bytes]
    .map((byte) => ALPHABET[byte % 32])
    .join('')
    .replace(/(?<=.)(?=(?:.{4})+$)/g, '-')

/** The one spelling of so many characters, or undefined when the text cannot be that. */
export function plainCharacters(text: string, length: number): string | undefined {
  const plain = text.toUpperCase().replace(/[\s-]/g, '').replace(/O/g, '0').replace(/[IL]/g, '1')
  return plain.length === length && [...plain].every((one) => ALPHABET.includes(one)) ? plain : undefined
}
