/** The same call, put in each proxy's words: the same answer, in a form that the proxy carries out. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DIALECTS } from '../../src/api-access/dialects/list.ts'
import { raw } from '../forward-auth/house.ts'
import type { Gateway } from '../support/gateway.ts'
import { HOST, startApis, tokenOf } from './house.ts'

let gateway: Gateway
let token: string
beforeAll(async () => {
  gateway = await startApis()
  token = await tokenOf(gateway, 'reader')
})
afterAll(() => gateway?.close())

type Put = (method: string, path: string) => { path: string; method?: string; headers: Record<string, string> }
const PUT: Readonly<Record<(typeof DIALECTS)[number]['name'], Put>> = {
  forward: (method, path) => ({
    path: '/authz/api?api=orders',
    headers: {
      'X-Forwarded-Method': method,
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-Host': HOST,
      'X-Forwarded-Uri': path,
    },
  }),
  nginx: (method, path) => ({
    path: '/authz/api?api=orders',
    headers: { 'X-Original-URL': `https://${HOST}${path}`, 'X-Original-Method': method },
  }),
  envoy: (method, path) => ({
    path: `/authz/api/orders${path}`,
    method,
    headers: { host: HOST, 'X-Forwarded-Proto': 'https' },
  }),
}

describe.each(DIALECTS.map(({ name }) => name))('%s', (name) => {
  function ask(method: string, path: string, authorization?: string) {
    const { path: at, method: by = 'GET', headers } = PUT[name](method, path)
    const sent = { host: '127.0.0.1', ...headers, ...(authorization ? { authorization } : {}) }
    return raw(Number(new URL(gateway.issuer).port), at, sent, { method: by })
  }

  test.each([
    ['GET', '/orders/1?a=b', 200],
    ['DELETE', '/orders/1', 403],
    ['GET', '/orders/internal/a', 403],
    ['GET', '/authz/api/orders', 403],
  ])('%s %s is %i', async (method, path, status) => {
    expect((await ask(method, path, `Bearer ${token}`)).status).toBe(status)
  })

  test('what is not let in has no 2xx, and says why', async () => {
    const none = await ask('GET', '/orders/1')
    expect([none.status, none.headers['www-authenticate']]).toEqual([401, expect.stringMatching(/^Bearer scope=/)])
    const said = name === 'nginx' ? String(none.headers['x-portico-problem']) : none.text
    expect(JSON.parse(said)).toMatchObject({ code: 'token-required', ref: expect.any(String) })
    const twisted = await ask('GET', '/orders//1', `Bearer ${token}`)
    expect(twisted.status).toBe(name === 'nginx' ? 403 : 400)
  })
})

test('Envoy at an API that is not there, or at none, is refused', async () => {
  for (const path of ['/authz/api/none/orders/1', '/authz/api//orders/1', '/authz/api/', '/authz/api/stock/orders/1']) {
    const headers = { host: HOST, 'X-Forwarded-Proto': 'https', authorization: `Bearer ${token}` }
    const { status } = await raw(Number(new URL(gateway.issuer).port), path, headers)
    expect(status, path).toBeGreaterThanOrEqual(400)
  }
})
