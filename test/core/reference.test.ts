import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatReference, parseReference, REFERENCE_LIMIT } from '#core/reference'

const number = fc.bigInt({ min: 0n, max: BigInt(REFERENCE_LIMIT) - 1n }).map(Number)

test('a reference is eight characters of Crockford base32 in two halves', () => {
  expect(formatReference(0)).toBe('0000-0000')
  expect(formatReference(31)).toBe('0000-000Z')
  expect(formatReference(32)).toBe('0000-0010')
  expect(formatReference(REFERENCE_LIMIT - 1)).toBe('ZZZZ-ZZZZ')
})

test('reading forgives case, hyphens, blanks and the look-alikes O, I and L', () => {
  const read = parseReference('1010-7K4Q')
  expect(read).toBeDefined()
  for (const spelling of ['IOLO-7K4Q', 'iolo7k4q', ' l0i0 7k4q ', '1-0-1-0-7-k-4-q', '1010\u00A07K4Q'])
    expect(parseReference(spelling), spelling).toBe(read)
})

test.each(['', '-', '1010-7K4', '1010-7K4QX', '1010-7K4U', '1010_7K4Q', '1010-7K4ß', '１010-7K4Q', '1010-7K4*'])(
  'no reference: "%s"',
  (text) => expect(parseReference(text)).toBeUndefined(),
)

test('every number is read back from its reference', () => {
  fc.assert(fc.property(number, (n) => parseReference(formatReference(n)) === n))
})

test('what a person makes of a reference still leads to the same number', () => {
  const sloppy = (text: string, blanks: readonly boolean[]) =>
    [...text.toLowerCase().replaceAll('0', 'o').replaceAll('1', 'l')]
      .map((character, i) => (blanks[i] ? `${character} ` : character))
      .join('')
  fc.assert(
    fc.property(number, fc.array(fc.boolean(), { minLength: 9, maxLength: 9 }), (n, blanks) => {
      expect(parseReference(sloppy(formatReference(n), blanks))).toBe(n)
    }),
  )
})

test('a random text is a reference below the limit or none', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), (text) => {
      const n = parseReference(text)
      return n === undefined || (Number.isSafeInteger(n) && n >= 0 && n < REFERENCE_LIMIT)
    }),
  )
})
