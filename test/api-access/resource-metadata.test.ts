/** Where an API's document is looked for, and what stands in it (RFC 9728). */
import { expect, test } from 'vitest'
import { createResourceMetadata, metadataAt } from '../../src/api-access/resource-metadata.ts'

const HOST = 'https://api.kestrel.example'
const WORDS = '/.well-known/oauth-protected-resource'
const at = (audience: string) => metadataAt({ audience, gateway: { hosts: ['api.kestrel.example'] } } as never)?.href

test.each([
  ['', WORDS],
  ['/', WORDS],
  ['/orders', `${WORDS}/orders`],
  ['/orders/', `${WORDS}/orders/`],
  ['/?of=1', `${WORDS}?of=1`],
  ['/orders/?of=1', `${WORDS}/orders/?of=1`],
])('of %j: only the slash that ends the host goes (§3.1), for another name would be another API', (path, place) => {
  expect(at(HOST + path)).toBe(HOST + place)
})

test('no gateway of the API is at the host that its audience names: there is no such place', () => {
  expect([at('https://other.example/orders'), at('urn:kestrel:orders')]).toEqual([undefined, undefined])
})

test.each([
  ['none', undefined, undefined],
  ['dpop', true, undefined],
  ['mtls', undefined, true],
  ['either', undefined, true],
])(
  'sender_constraint %s in its words (§2): a key is required, a certificate is taken',
  async (of, key, certificate) => {
    const api = {
      id: 'orders',
      audience: `${HOST}/orders/`,
      scopes: new Map(),
      details: new Map(),
      senderConstraint: of,
    }
    const apis = { all: async () => ({ find: () => api }) } as never
    const { handle } = createResourceMetadata({ issuer: 'https://sso.kestrel.example', apis })
    const { body } = await handle({ params: { api: 'orders' } } as never)
    const document = JSON.parse(String(body))
    // §3.3: as it stands, to the last slash
    expect(document.resource).toBe(`${HOST}/orders/`)
    expect([document.dpop_bound_access_tokens_required, document.tls_client_certificate_bound_access_tokens]).toEqual([
      key,
      certificate,
    ])
  },
)
