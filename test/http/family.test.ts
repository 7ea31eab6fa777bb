import { isIP } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { familyOf } from '#http/networks'

const part = fc.constantFrom(
  '0',
  '1',
  'ffff',
  'FFFF',
  '00001',
  'g',
  '',
  '::',
  ':',
  '1.2.3.4',
  '01.2.3.4',
  '%eth0',
  ' ',
  '[',
  ']',
)

test('addresses are told apart as Node tells them apart, whatever stands around them', () => {
  const text = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.string({ maxLength: 80 }),
    fc.array(part, { maxLength: 12 }).map((parts) => parts.join(':')),
    fc.array(part, { maxLength: 12 }).map((parts) => parts.join('')),
    fc.tuple(fc.ipV6(), fc.string({ maxLength: 4 })).map((both) => both.join('')),
    fc.tuple(fc.ipV6(), fc.stringMatching(/^%[a-z0-9.]{1,8}$/)).map((both) => both.join('')),
  )
  let addresses = 0
  fc.assert(
    fc.property(text, (one) => {
      const family = familyOf(one)
      if (family !== 0) addresses++
      expect(family, JSON.stringify(one)).toBe(isIP(one))
    }),
    { numRuns: 20_000 },
  )
  expect(addresses).toBeGreaterThan(2_000)
})
