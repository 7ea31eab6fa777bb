/** AuthZEN Authorization API 1.0: a program, an action, an API; one question or many. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Gateway } from '../support/gateway.ts'
import { ORDERS, startApis } from './house.ts'

let gateway: Gateway
beforeAll(async () => {
  gateway = await startApis()
})
afterAll(() => gateway?.close())

async function ask(path: string, body: unknown, as = 'api', more: Record<string, string> = {}) {
  const answer = await fetch(`${gateway.issuer}/access/v1/${path}`, {
    method: 'POST',
    headers: {
      accept: 'application/json',
      'content-type': 'application/json',
      'x-request-id': 'q-1',
      authorization: `Basic ${btoa(`${as}:${gateway.secrets.get(as)}`)}`,
      ...more,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  const { headers } = answer
  const challenge = headers.get('www-authenticate')
  return { status: answer.status, id: headers.get('x-request-id'), challenge, body: (await answer.json()) as never }
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
    const stranger = await ask('evaluation', question('one', 'orders:read'), 'one')
    expect([stranger.status, stranger.challenge, stranger.id]).toEqual([401, 'Basic realm="access"', 'q-1'])
    expect((await ask('evaluation', { subject: { type: 'client' } })).status).toBe(400)
  })

  const whole = question('one', 'orders:read')
  test.each([
    ['without a subject', { ...whole, subject: undefined }],
    ['without an action', { ...whole, action: undefined }],
    ['without a resource', { ...whole, resource: undefined }],
    ['without the type of the subject', { ...whole, subject: { id: 'one' } }],
    ['without the id of the resource', { ...whole, resource: { type: 'api' } }],
    ['without the name of the action', { ...whole, action: {} }],
    ['with a number for a name', { ...whole, action: { name: 7 } }],
    ['with a text for a subject', { ...whole, subject: 'one' }],
    ['with a list for properties', { ...whole, subject: { ...whole.subject, properties: [] } }],
    ['that is a list', [whole]],
    ['that is a text', '"one"'],
    ['that is no JSON', '{'],
    ['that is nothing', ''],
  ])('%s is a bad request, whose id comes back', async (_, body) => {
    const { status, id } = await ask('evaluation', body)
    expect([status, id]).toEqual([400, 'q-1'])
  })

  test('of another content type is a bad request; an id is any text', async () => {
    const form = await ask('evaluation', whole, 'api', { 'content-type': 'text/plain' })
    expect(form.status).toBe(400)
    const text = 'q 1 / "two"; é'
    expect((await ask('evaluation', whole, 'api', { 'x-request-id': text })).id).toBe(text)
  })

  test('with more than anybody knows is answered as without', async () => {
    const more = { ...whole, more: [1], context: { ...whole.context, time: 'now' }, options: { other: true } }
    expect((await ask('evaluation', more)).body).toMatchObject({ decision: true })
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
    const none = { ...question('one', 'orders:read'), evaluations: [] }
    expect((await ask('evaluations', none)).body).toMatchObject({ decision: true })
    expect((await ask('evaluations', { evaluations: [] })).status).toBe(400)
  })

  test.each([
    [undefined, [true, false, true]],
    ['deny_on_first_deny', [true, false]],
  ])('one that is no question is its own no, and holds up no other (%s)', async (semantic, decisions) => {
    const good = question('one', 'orders:read')
    const evaluations = [good, { ...good, resource: { type: 'api' } }, good]
    const options = semantic ? { options: { evaluations_semantic: semantic } } : {}
    const { status, body } = await ask('evaluations', { evaluations, ...options })
    const { evaluations: said } = body as { evaluations: { decision: boolean; context?: object }[] }
    expect([status, said.map(({ decision }) => decision)]).toEqual([200, decisions])
    expect(said[1]!.context).toEqual({ error: { status: 400, message: expect.stringContaining('resource.id') } })
  })

  test.each([
    ['a semantic that there is none of', { evaluations: [], options: { evaluations_semantic: 'sometimes' } }],
    ['what is no list', { evaluations: {} }],
    ['too many', { evaluations: Array.from({ length: 101 }, () => question('one', 'orders:read')) }],
  ])('%s is a bad request', async (_, body) => {
    expect((await ask('evaluations', { ...question('one', 'orders:read'), ...body })).status).toBe(400)
  })
})

describe('metadata', () => {
  test('tells the endpoints that there are, and no other', async () => {
    const answer = await fetch(`${gateway.issuer}/.well-known/authzen-configuration`)
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json'])
    expect(await answer.json()).toEqual({
      policy_decision_point: gateway.issuer,
      access_evaluation_endpoint: `${gateway.issuer}/access/v1/evaluation`,
      access_evaluations_endpoint: `${gateway.issuer}/access/v1/evaluations`,
    })
    const search = await fetch(`${gateway.issuer}/access/v1/search/subject`, { method: 'POST' })
    expect(search.status).toBe(404)
  })
})
