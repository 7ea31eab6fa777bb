/** A gateway with APIs and programs that call them, and a proxy that only speaks. */
import { type Asking, raw } from '../forward-auth/house.ts'
import { type Gateway, type GatewayOptions, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'

export const ORDERS = 'https://api.kestrel.example/orders'
export const STOCK = 'urn:kestrel:stock'
export const HOST = 'api.kestrel.example'
const policy = (name: string, ...rules: string[]) =>
  `policy: ${name}\nrules:\n${rules.map((r) => `  - ${r}\n`).join('')}`

export const orders = {
  ...{ api: 'orders', name: 'Orders', audience: ORDERS, policy: 'orders' },
  scopes: { 'orders:read': 'Read orders', 'orders:write': 'Change orders' },
  gateway: {
    hosts: [HOST],
    rules: [
      { paths: ['/health'], access: 'public' },
      { paths: ['/orders/internal/*'], access: 'deny' },
      { methods: ['GET'], paths: ['/orders/*'], scopes: ['orders:read'] },
      { methods: ['POST', 'PUT'], paths: ['/orders/*'], scopes: ['orders:write'] },
      { methods: ['DELETE'], paths: ['/orders/*'], scopes: ['orders:read', 'orders:write'] },
    ],
  },
}
export const stock = {
  ...{ api: 'stock', name: 'Stock', audience: STOCK, policy: 'open' },
  scopes: { 'stock:read': 'Read stock' },
  token: { format: 'opaque', lifetime: '2m' },
  gateway: {
    hosts: ['stock.kestrel.example'],
    networks: ['here'],
    rules: [{ paths: ['/*'], scopes: ['stock:read'] }],
  },
}
export const eddsa = {
  ...{ api: 'signed', name: 'Signed', audience: 'urn:kestrel:signed', policy: 'open' },
  scopes: { 'signed:read': 'Read' },
  token: { alg: 'EdDSA' },
  gateway: { hosts: ['signed.kestrel.example'], rules: [{ paths: ['/*'], scopes: ['signed:read'] }] },
}
export const bound = {
  ...{ api: 'bound', name: 'Bound', audience: 'urn:kestrel:bound', policy: 'open', sender_constraint: 'mtls' },
  scopes: { 'bound:read': 'Read' },
  gateway: { hosts: ['bound.kestrel.example'], rules: [{ paths: ['/*'], scopes: ['bound:read'] }] },
}

export const program = (id: string, apis: object, more: object = {}) => ({
  ...{ id, template: 'machine', policy: 'open', oidc: { apis } },
  ...more,
})
const READ_WRITE = ['orders:read', 'orders:write']

export async function startApis(options: GatewayOptions = {}): Promise<Gateway> {
  const gateway = await startGateway({
    policies: {
      ...POLICIES,
      'open.yaml': policy('open', '{ name: r, allow: {} }'),
      'orders.yaml': policy(
        'orders',
        '{ name: at the gateway only, when: { client.id: [late], network: [nowhere] }, deny: { say: No. } }',
        '{ name: less, when: { client.id: [less] }, allow: { scopes: [orders:read] } }',
        '{ name: r, allow: {} }',
      ),
      'nowhere.yaml': 'networks:\n  nowhere: { ranges: [203.0.113.0/24] }\n  inside: { ranges: [127.0.0.1/32] }\n',
    },
    apps: [
      program('one', { orders: READ_WRITE, stock: ['stock:read'], signed: ['signed:read'], bound: ['bound:read'] }),
      program('reader', { orders: ['orders:read'] }),
      program('late', { orders: ['orders:read'] }),
      program('less', { orders: READ_WRITE }),
      program('other', { orders: ['orders:read'] }),
      program('api', {}, { tags: ['resource-server'] }),
    ] as never,
    ...options,
    settings: { proxies: ['127.0.0.1'], ...options.settings },
  })
  await applyApis(gateway, orders, stock, eddsa, bound)
  return gateway
}

export async function applyApis(gateway: Gateway, ...apis: object[]): Promise<void> {
  const files = apis.map((api, i) => ({ file: `apis/${i}.yaml`, text: JSON.stringify(api) }))
  const { problems } = await gateway.server.house.apis.apply(files, { by: 'test' })
  if (problems.length > 0) throw new Error(JSON.stringify(problems))
}

export const post = (gateway: Gateway, path: string, id: string, fields: Record<string, string>) =>
  fetch(`${gateway.issuer}/oauth2/${path}`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${id}:${gateway.secrets.get(id)}`)}` },
    body: new URLSearchParams(fields),
  })

/** An access token for a program. */
export async function tokenOf(gateway: Gateway, id: string, resource = ORDERS, more: Record<string, string> = {}) {
  const answer = await post(gateway, 'token', id, { grant_type: 'client_credentials', resource, ...more })
  const { access_token: token, ...rest } = (await answer.json()) as Record<string, string>
  if (token === undefined) throw new Error(JSON.stringify(rest))
  return token
}

export interface Called extends Asking {
  readonly host?: string
  readonly scheme?: string
  /** What stands behind the address that the proxy asks at. */
  readonly query?: string
}

/** What the gateway says to a call, asked as Traefik asks. */
export async function call(gateway: Gateway, path: string, token: string | undefined, about: Called = {}) {
  const { host = HOST, method = 'GET', headers = {}, from, query = '', scheme = 'Bearer' } = about
  const answer = await raw(
    Number(new URL(gateway.issuer).port),
    `/authz/api${query}`,
    {
      host: '127.0.0.1',
      'X-Forwarded-Method': method,
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-Host': host,
      'X-Forwarded-Uri': path,
      ...(token === undefined ? {} : { authorization: `${scheme} ${token}` }),
      ...headers,
    },
    from === undefined ? {} : { from },
  )
  return {
    ...answer,
    challenge: String(answer.headers['www-authenticate'] ?? ''),
    told: ['client', 'subject', 'scope'].map((name) => answer.headers[`x-portico-${name}`]),
  }
}
