/**
 * Short ways to tokens, and to what they are. Nearly every request to the token endpoint and to introspection has one of few
 * shapes, and the engine's detours cost more than the answers. Such a request, from an app that shows its secret in the
 * Authorization header, is answered here.
 * Everything else, and everything that would be refused, goes on to the engine as it came.
 *
 * INVARIANT: the answer is the one that the engine would have given (`test/flow/short-ways.test.ts` sends each request
 * both ways).
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { App, Catalog } from '#catalog'
import { quotaHeaders } from '#context'
import { constantTimeEqual } from '#core/digest'
import { settled } from '#storage'
import { createIntrospection } from './introspection.ts'
import { WAYS } from './list.ts'
import { readFields } from './request.ts'
import type { Rooms, TokenResponse } from './way.ts'

/** Answers the request and says so, or leaves it as it came. */
export type ShortWays = (
  request: IncomingMessage,
  response: ServerResponse,
  endpoint: 'token' | 'introspection',
) => Promise<boolean>

const METHODS = new Set(['client_secret_basic', 'client_secret_post'])
const HEADERS = Object.freeze({
  'cache-control': 'no-store',
  'content-type': 'application/json; charset=utf-8',
  vary: 'Origin',
  'access-control-allow-origin': '*',
})
/** What pages may read of the answer. */
const EXPOSED = { token: 'DPoP-Nonce,WWW-Authenticate', introspection: 'WWW-Authenticate' } as const

export function createShortWays(rooms: Rooms & { readonly catalog: Pick<Catalog, 'apps'> }): ShortWays {
  const { engine, catalog } = rooms
  const introspect = createIntrospection(rooms)
  const ways = new Map(Object.entries(WAYS).map(([grant, way]) => [grant, { ...way, take: way.open(rooms) }]))

  /** The app whose secret this is. */
  async function authenticated({ id, secret }: { id: string; secret: string }): Promise<App | undefined> {
    const app = await catalog.apps.find(id)
    const own = app?.oidc && METHODS.has(app.oidc.tokenEndpointAuthMethod) ? app.oidc.clientSecret : undefined
    return own !== undefined && constantTimeEqual(own, secret) ? app : undefined
  }

  async function token(request: IncomingMessage): Promise<TokenResponse | undefined> {
    const sent = await readFields(request)
    const grant = sent?.fields.get('grant_type')
    const way = grant === undefined ? undefined : ways.get(grant)
    if (!sent || !way || !isExactly(sent.fields, ['grant_type', ...way.fields], way.optional)) return undefined
    const app = await authenticated(sent.credentials)
    if (!app?.oidc?.grantTypes.some((allowed) => allowed === grant)) return undefined
    // its tokens are bound to a key that it has to show
    if (app.oidc.dpopBoundAccessTokens || app.oidc.proof.tls_client_certificate_bound_access_tokens) return undefined
    const client = await engine.Client.find(app.id)
    const answer = client && (await way.take({ request, app, client, fields: sent.fields }))
    if (answer) await rooms.diagnosis.worked(app.id, 'token')
    return answer
  }

  async function introspection(request: IncomingMessage): Promise<object | undefined> {
    const sent = await readFields(request)
    if (!sent || !isExactly(sent.fields, ['token'], ['token_type_hint'])) return undefined
    const app = await authenticated(sent.credentials)
    const client = app && (await engine.Client.find(app.id))
    const { accept } = request.headers
    const answer = client && (await introspect({ app, client, fields: sent.fields, accept }))
    if (answer) await rooms.diagnosis.worked(app.id, 'introspection')
    return answer
  }

  return async (request, response, endpoint) => {
    const answer = await (endpoint === 'token' ? token(request) : introspection(request))
    if (!answer) return false
    const body = Buffer.from(JSON.stringify(answer))
    await settled()
    const taken = rooms.judge.taken(request)
    response.writeHead(200, {
      ...HEADERS,
      'access-control-expose-headers': EXPOSED[endpoint],
      ...(taken && quotaHeaders(taken)),
      'content-length': body.length,
    })
    response.end(body)
    return true
  }
}

/** All of these, any of those, and nothing else. */
function isExactly(
  fields: ReadonlyMap<string, string>,
  needed: readonly string[],
  optional: readonly string[] = [],
): boolean {
  const more = optional.filter((name) => fields.has(name)).length
  return fields.size === needed.length + more && needed.every((name) => fields.has(name))
}
