/** AuthZEN Authorization API 1.0: a program, an action, an API; one question or many. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Gateway } from '../support/gateway.ts'
import { ORDERS, startApis } from './house.ts'

let gateway: Gateway
beforeAll(async () => {
  gateway = await startApis()
})
afterAll(() => gateway?.close())

async function ask(path: string, body: unknown, as = 'api') {
  const answer = await fetch(`${gateway.issuer}/access/v1/${path}`, {
    method: 'POST',
    headers: {
      accept: 'application/json',
      'content-type': 'application/json',
      'x-request-id': 'q-1',
      authorization: `Basic ${btoa(`${as}:${gateway.secrets.get(as)}`)}`,
    },
    body: JSON.stringify(body),
  })
  return { status: answer.status, id: answer.headers.get('x-request-id'), body: (await answer.json()) as never }
}
const question = (client: string, name: string, path?: string, ip = '127.0.0.1') => ({
  subject: { type: 'client', id: client },
  action: { name },
  resource: { type: 'api', id: 'orders', ...(path === undefined ? {} : { properties: { path } }) },
  context: { ip },
})

describe('one question', () => {
  test.each([
    ['reader', 'orders:read', undefined, true],
    ['reader', 'orders:write', undefined, false],
    ['reader', 'GET', '/orders/1', true],
    ['reader', 'PUT', '/orders/1', false],
    ['one', 'PUT', '/orders/1', true],
    ['one', 'GET', '/orders/internal/1', false],
    ['one', 'GET', '/health', true],
    ['one', 'GET', '/orders/..%2fhealth', false],
    ['one', 'GET', undefined, false],
    ['less', 'orders:write', undefined, false],
    ['api', 'orders:read', undefined, false],
    ['nobody', 'orders:read', undefined, false],
  ])('%s, %s, %s: %s', async (client, name, path, decision) => {
    const { status, id, body } = await ask('evaluation', question(client, name, path))
    expect([status, id, body]).toEqual([200, 'q-1', expect.objectContaining({ decision })])
  })

  test('is decided by the policy from where it says, with the reference of the receipt', async () => {
    const { body } = await ask('evaluation', question('late', 'orders:read', undefined, '203.0.113.9'))
    expect(body).toEqual({
      decision: false,
      context: { reason: 'policy', ref: expect.stringMatching(/^[0-9A-Z]{4}-/) },
    })
  })

  test('of somebody who is no resource server is not answered, nor one that is no question', async () => {
    expect((await ask('evaluation', question('one', 'orders:read'), 'one')).status).toBe(401)
    expect((await ask('evaluation', { subject: { type: 'client' } })).status).toBe(400)
  })
})

describe('many', () => {
  const batch = (semantic?: string) => ({
    subject: { type: 'client', id: 'reader' },
    resource: { type: 'api', id: ORDERS },
    context: { ip: '127.0.0.1' },
    evaluations: [
      { action: { name: 'orders:read' } },
      { action: { name: 'orders:write' } },
      question('one', 'orders:write'),
    ],
    ...(semantic ? { options: { evaluations_semantic: semantic } } : {}),
  })
  test.each([
    [undefined, [true, false, true]],
    ['execute_all', [true, false, true]],
    ['deny_on_first_deny', [true, false]],
    ['permit_on_first_permit', [true]],
  ])('%s', async (semantic, decisions) => {
    const { body } = await ask('evaluations', batch(semantic))
    const { evaluations } = body as { evaluations: { decision: boolean }[] }
    expect(evaluations.map(({ decision }) => decision)).toEqual(decisions)
  })

  test('without any it is a single one', async () => {
    expect((await ask('evaluations', question('one', 'orders:read'))).body).toMatchObject({ decision: true })
  })
})
