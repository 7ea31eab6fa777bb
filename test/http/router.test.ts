import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Route, text } from '#http'
import { createRouter } from '../../src/http/router.ts'

const route = (method: Route['method'], path: string): Route => ({ method, path, handle: () => text(path) })
const find = createRouter([
  route('GET', '/'),
  route('GET', '/account'),
  route('POST', '/account'),
  route('GET', '/account/new'),
  route('POST', '/account/:kind/:id'),
  route('DELETE', '/account/:kind/:id'),
  route('GET', '/account/:kind'),
])
const path = (method: string, at: string) => {
  const found = find(method, at)
  return found.kind === 'route' ? [found.route.path, { ...found.params }] : found
}

test('a path finds its route, with what stands in its places', () => {
  expect(path('GET', '/')).toEqual(['/', {}])
  expect(path('POST', '/account')).toEqual(['/account', {}])
  expect(path('POST', '/account/sessions/x.y')).toEqual(['/account/:kind/:id', { kind: 'sessions', id: 'x.y' }])
  expect(path('GET', '/account/a%2Fb')).toEqual(['/account/:kind', { kind: 'a/b' }])
})

test('of two routes that match the earlier one wins', () => {
  expect(path('GET', '/account/new')).toEqual(['/account/new', {}])
})

test('HEAD is answered where GET is', () => {
  expect(path('HEAD', '/account')).toEqual(['/account', {}])
  expect(path('HEAD', '/account/sessions/1')).toEqual({ kind: 'wrong-method', allow: ['POST', 'DELETE'] })
})

test('a wrong method is told which are right', () => {
  expect(path('DELETE', '/account')).toEqual({ kind: 'wrong-method', allow: ['GET', 'POST'] })
  expect(path('get', '/account')).toEqual({ kind: 'wrong-method', allow: ['GET', 'POST'] })
})

test.each([
  '',
  '/account/',
  '//account',
  '/Account',
  '/account/%',
  '/account/%C3',
  '/acc%6Funt',
  '/account//x',
  '/account/sessions/',
])('nothing is at "%s"', (at) => expect(path('GET', at)).toEqual({ kind: 'nothing' }))

test('names that objects have of themselves are ordinary parts', () => {
  expect(path('GET', '/account/__proto__')).toEqual(['/account/:kind', { ['kind']: '__proto__' }])
  expect(path('GET', '/constructor')).toEqual({ kind: 'nothing' })
})

test('a random path never throws', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (at) => void find('GET', `/account/${at}`)))
})
