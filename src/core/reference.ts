/**
 * Receipt references: 40 bits as 8 characters of Crockford's base32, written `7K4Q-92MD`, so that a person can read one
 * out over the phone. Reading forgives case, hyphens, blanks, and the look-alikes O, I and L.
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
  const plain = text.toUpperCase().replace(/[\s-]/g, '').replace(/O/g, '0').replace(/[IL]/g, '1')
  if (plain.length !== 8) return undefined
  let n = 0
  for (const character of plain) {
    const digit = ALPHABET.indexOf(character)
    if (digit < 0) return undefined
    n = n * 32 + digit
  }
  return n
}
