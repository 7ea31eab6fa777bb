/** What `docs/apis.md` and `docs/partners.md` write down can be applied as it stands there, one after the other. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'

const blocks = (name: string): string[] =>
  [...readFileSync(join(import.meta.dirname, '../../docs', name), 'utf8').matchAll(/```yaml\n([\s\S]*?)```/g)].map(
    ([, text]) => text!,
  )
const block = (name: string, key: string): string => blocks(name).find((text) => text.startsWith(`${key}:`))!

let gateway: Gateway
beforeAll(async () => {
  gateway = await startGateway({
    policies: {
      ...POLICIES,
      'machines.yaml': block('apis.md', 'policy'),
      'sites.yaml': 'networks:\n  stores: { ranges: [127.0.0.0/8] }\n  head-office: { ranges: [198.51.100.0/25] }\n',
    },
  })
})
afterAll(() => gateway?.close())

test('the policy, the API with its gateway, the program and the partner, and the program gets a token', async () => {
  const { apis, catalog } = gateway.server.house
  const text = block('apis.md', 'api') + block('apis.md', 'gateway')
  expect((await apis.apply([{ file: 'orders.yaml', text }], { by: 'test' })).problems).toEqual([])
  const { clientSecret } = await catalog.apps.register(parse(block('apis.md', 'id')), 'test')
  const contract = [{ file: 'acme.yaml', text: block('partners.md', 'partner') }]
  expect((await catalog.partners.apply(contract, { by: 'test' })).problems).toEqual([])
  const answer = await fetch(`${gateway.issuer}/oauth2/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`warehouse-sync:${clientSecret}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource: 'https://api.kestrel.example/orders' }),
  })
  expect([answer.status, await answer.json()]).toMatchObject([200, { scope: 'orders:read' }])
})
