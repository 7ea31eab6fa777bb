import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cookieHeader } from '#http'
import { parseCookies } from '../../src/http/cookies.ts'

const read = (header: string | undefined, secure: boolean) => Object.fromEntries(parseCookies(header, secure))

test('a cookie over https carries the prefix that no sibling host can set', () => {
  expect(cookieHeader({ name: 'portico', value: 'x.y' }, true)).toBe(
    '__Host-portico=x.y; Path=/; HttpOnly; SameSite=Lax; Secure',
  )
  expect(cookieHeader({ name: 'portico', value: 'x.y', maxAge: 60.9 }, false)).toBe(
    'portico=x.y; Path=/; Max-Age=60; HttpOnly; SameSite=Lax',
  )
})

test('an empty value deletes the cookie', () => {
  expect(cookieHeader({ name: 'portico', value: '', maxAge: 60 }, true)).toContain('; Max-Age=0;')
})

test('over https a cookie without the prefix is not ours', () => {
  expect(read('portico=planted; __Host-portico=own', true)).toEqual({ portico: 'own' })
  expect(read('portico=planted; __host-portico=planted; __Secure-portico=planted', true)).toEqual({})
})

test('over http a cookie with the prefix is somebody else’s', () => {
  expect(read('portico=own; __Host-portico=other', false)).toEqual({ portico: 'own' })
})

test('of two cookies with one name neither is believed', () => {
  expect(read('a=1; portico=first; portico=second; b=2', false)).toEqual({ a: '1', b: '2' })
  expect(read('__Host-portico=first; __Host-portico=first', true)).toEqual({})
  expect(read('a=1; a=2; a=3', false)).toEqual({})
})

test('what is no cookie is passed over', () => {
  expect(read(undefined, false)).toEqual({})
  expect(read('; =x; noequals; a=b=c;; __proto__=y', false)).toEqual({ a: 'b=c', ['__proto__']: 'y' })
  expect(read(`a=${'x'.repeat(17_000)}`, false)).toEqual({})
})

test('a random header never throws, and what we set we read back', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), fc.boolean(), (header, secure) => void read(header, secure)))
  const value = fc.base64String().map((text) => Buffer.from(text).toString('base64url'))
  fc.assert(
    fc.property(value, fc.boolean(), (written, secure) => {
      const [pair] = cookieHeader({ name: 'portico', value: written }, secure).split(';')
      return read(`other=1; ${pair}`, secure)['portico'] === written
    }),
  )
})
