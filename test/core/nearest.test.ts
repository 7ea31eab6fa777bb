import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nearest } from '#core/nearest'

const KNOWN = ['issuer', 'listen', 'storage', 'state', 'policies', 'directories']

test('a slip of the finger finds what was meant', () => {
  expect(nearest('isuer', KNOWN)).toBe('issuer')
  expect(nearest('storge', KNOWN)).toBe('storage')
  expect(nearest('Policys', KNOWN)).toBe('policies')
  expect(nearest('directroies', KNOWN)).toBe('directories')
})

test('of two the nearer one is told, and the first of equals', () => {
  expect(nearest('stat', ['storage', 'state'])).toBe('state')
  expect(nearest('ab', ['aa', 'bb'])).toBe('aa')
})

test('what is near nothing gets no suggestion', () => {
  expect(nearest('kubernetes', KNOWN)).toBeUndefined()
  expect(nearest('x', KNOWN)).toBeUndefined()
  expect(nearest('issuer', [])).toBeUndefined()
})

test('a known name is nearest to itself', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string({ minLength: 1, maxLength: 20 }), { minLength: 1 }), fc.nat(), (names, n) => {
      const name = names[n % names.length]!
      expect(nearest(name, names)?.toLowerCase()).toBe(name.toLowerCase())
    }),
  )
})

test('a very long name costs no more than a short one', () => {
  expect(nearest('x'.repeat(1_000_000), KNOWN)).toBeUndefined()
})
