import fc from 'fast-check'
import { expect, test } from 'vitest'
import { constantTimeEqual, sha256, sha256Version } from '#core/digest'
import { randomBytes, randomId, randomNumber } from '#core/random'

test('SHA-256 of "abc" is the one of FIPS 180-4', () => {
  const hex = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
  expect(Buffer.from(sha256('abc'), 'base64url').toString('hex')).toBe(hex)
  expect(sha256Version('abc')).toBe(`sha256:${hex}`)
  expect(sha256Version(Buffer.from('abc'))).toBe(`sha256:${hex}`)
})

test('two texts are equal only when they are the same text', () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }))
  fc.assert(fc.property(text, text, (a, b) => constantTimeEqual(a, b) === (a === b)))
  fc.assert(fc.property(text, (a) => constantTimeEqual(a, a) && !constantTimeEqual(a, `${a}x`)))
})

test('halves of surrogate pairs are not taken for one another', () => {
  expect(constantTimeEqual('\uD800', '\uDBFF')).toBe(false)
  expect(constantTimeEqual('\uD800', '\uFFFD')).toBe(false)
})

test('ids are base64url of as many bytes as asked for, and never the same', () => {
  expect(randomId()).toMatch(/^[A-Za-z0-9_-]{22}$/)
  expect(randomId(32)).toMatch(/^[A-Za-z0-9_-]{43}$/)
  expect(randomBytes(20)).toHaveLength(20)
  expect(new Set(Array.from({ length: 1000 }, () => randomId(9))).size).toBe(1000)
})

test('random numbers and identifiers come out of the pool once, also where it is filled again', () => {
  const numbers = Array.from({ length: 5000 }, randomNumber)
  expect(numbers.every((n) => Number.isInteger(n) && n >= 0 && n < 2 ** 40)).toBe(true)
  expect(Math.max(...numbers)).toBeGreaterThan(2 ** 39)
  const ids = Array.from({ length: 5000 }, (_, i) => randomId((i % 64) + 1)).filter((id) => id.length > 12)
  expect(new Set([...ids, ...numbers]).size).toBe(ids.length + new Set(numbers).size)
  expect(() => randomId(65)).toThrow(RangeError)
})
