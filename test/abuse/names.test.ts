/** Ids and words that every object has of itself, and those that look like another one's. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { call, ORDERS, post, startApis } from '../api-access/house.ts'
import type { Gateway } from '../support/gateway.ts'

const NAMES = ['constructor', 'prototype', 'tostring', 'hasownproperty']
const WORDS = ['constructor', 'toString', 'valueOf', 'hasOwnProperty']
const urn = (name: string) => `urn:kestrel:${name}`
const HOST = 'constructor.kestrel.example'

let gateway: Gateway
beforeAll(async () => {
  gateway = await startApis()
  const rules = [{ paths: ['/*'], scopes: ['constructor'] }]
  const files = NAMES.map((api) => ({
    file: `apis/${api}.yaml`,
    text: JSON.stringify({
      ...{ api, name: api, audience: urn(api), policy: 'open' },
      scopes: Object.fromEntries(WORDS.map((word) => [word, word])),
      ...(api === 'constructor' ? { gateway: { hosts: [HOST], rules } } : {}),
    }),
  }))
  expect((await gateway.server.house.apis.apply(files, { by: 'test' })).problems).toEqual([])
  const { apps } = gateway.server.house.catalog
  for (const id of NAMES) {
    const apis: Record<string, string[]> = id === 'constructor' ? Object.fromEntries([[id, ['constructor']]]) : {}
    const { clientSecret } = await apps.register(
      { id, template: 'machine', policy: 'open', oidc: { apis } } as never,
      'test',
    )
    ;(gateway.secrets as Map<string, string>).set(id, clientSecret!)
  }
})
afterAll(() => gateway?.close())

const ask = async (client: string, fields: Record<string, string>) => {
  const answer = await post(gateway, 'token', client, { grant_type: 'client_credentials', ...fields })
  return { status: answer.status, json: (await answer.json()) as Record<string, string> }
}

describe('an API and an app with the name of something that every object has', () => {
  test.each(NAMES)('%s: a client that has the API gets its scopes, and no other one gets anything', async (name) => {
    for (const client of ['one', 'reader', ...NAMES]) {
      const has = client === name && name === 'constructor'
      const { status, json } = await ask(client, { resource: urn(name) })
      expect([client, status, json['scope'] ?? json['error']]).toEqual([
        client,
        ...(has ? [200, 'constructor'] : [400, 'invalid_target']),
      ])
    }
  })

  test('a scope that was not granted is none, whatever it is called', async () => {
    for (const scope of ['toString', 'valueOf', '__proto__']) {
      const { status, json } = await ask('constructor', { resource: urn('constructor'), scope })
      expect([scope, status, json['error']]).toEqual([scope, 400, 'invalid_scope'])
    }
    const both = await ask('constructor', { resource: urn('constructor'), scope: 'constructor toString' })
    expect([both.status, both.json['scope']]).toEqual([200, 'constructor'])
  })

  test('the check at the API gateway and AuthZEN open it to that client only', async () => {
    const { json } = await ask('constructor', { resource: urn('constructor') })
    expect((await call(gateway, '/x', json['access_token'], { host: HOST })).status).toBe(200)
    const { json: another } = await ask('one', { resource: ORDERS })
    expect((await call(gateway, '/x', another['access_token'], { host: HOST })).status).toBe(401)
    const evaluate = async (client: string) => {
      const answer = await fetch(`${gateway.issuer}/access/v1/evaluation`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${btoa(`api:${gateway.secrets.get('api')}`)}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify({
          subject: { type: 'client', id: client },
          action: { name: 'constructor' },
          resource: { type: 'api', id: 'constructor' },
        }),
      })
      return [answer.status, ((await answer.json()) as { decision?: boolean }).decision]
    }
    expect(await evaluate('constructor')).toEqual([200, true])
    for (const client of ['one', 'prototype', '__proto__']) expect(await evaluate(client)).toEqual([200, false])
  })
})

test.each(['__proto__', 'valueOf', 'аdmin', 'ａdmin', 'admin\u200b', 'one ', 'One', 'one\u0000'])(
  'neither an app nor an API is called %j',
  async (id) => {
    const { apps } = gateway.server.house.catalog
    const app = JSON.parse(JSON.stringify({ id, template: 'machine', policy: 'open' })) as never
    await expect(apps.register(app, 'test')).rejects.toMatchObject({ code: 'app-invalid' })
    const text = JSON.stringify({
      api: id,
      name: 'One',
      audience: 'urn:kestrel:new',
      policy: 'open',
      scopes: { a: 'A' },
    })
    const { problems, changes } = await gateway.server.house.apis.apply([{ file: 'a.yaml', text }], { by: 'test' })
    expect([problems.length > 0, changes]).toEqual([true, []])
  },
)
