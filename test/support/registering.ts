/** A gateway at which clients register themselves, and how they do. */
import type { Gateway, GatewayOptions } from './gateway.ts'
import { startGateway } from './gateway.ts'

export const CALLBACK = 'http://localhost:9/callback'
export const CLIENT = { client_name: 'Planner', redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none' }

export const startRegistering = (registration: object = {}, options: GatewayOptions = {}): Promise<Gateway> =>
  startGateway({
    policies: { 'strangers.yaml': 'policy: strangers\nrules:\n  - { name: r, allow: {} }\n' },
    ...options,
    settings: {
      registration: {
        hosts: ['localhost:9', 'apps.example'],
        policy: 'strangers',
        audience: ['staff'],
        scopes: ['openid', 'profile', 'offline_access'],
        apis: { orders: ['orders:read'] },
        authentication: ['client_secret_basic', 'private_key_jwt', 'none'],
        ...registration,
      },
      ...options.settings,
    },
  })

export const invite = (gateway: Gateway, uses = 1, life = 60_000): Promise<string> =>
  gateway.server.house.catalog.registrations.invite({ name: 'planners', uses, life }, 'test')

export interface Told {
  readonly status: number
  readonly body: Record<string, unknown>
  readonly headers: Headers
}

export async function send(
  address: string,
  token: string | undefined,
  body?: unknown,
  { method = body === undefined ? 'GET' : 'POST', type = 'application/json' } = {},
): Promise<Told> {
  const answer = await fetch(address, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': type }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await answer.text()
  return { status: answer.status, body: text === '' ? {} : JSON.parse(text), headers: answer.headers }
}
export const register = (gateway: Gateway, token: string | undefined, body: unknown) =>
  send(`${gateway.issuer}/oauth2/register`, token, body)
