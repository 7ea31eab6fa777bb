/**
 * Short ways to tokens, and to what they are. Nearly every request to the token endpoint and to introspection has one of few
 * shapes, and the engine's detours cost more than the answers. Such a request, from an app that shows its secret in the
 * Authorization header or an assertion that it has signed, is answered here.
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
import { createNonces } from '../dpop.ts'
import { createIntrospection } from './introspection.ts'
import { WAYS } from './list.ts'
import { type Credentials, readFields } from './request.ts'
import { type Assertion, claimedBy, createAssertions, createProofs, type Proof, type Spendable } from './signed.ts'
import type { Client, Rooms, TokenResponse } from './way.ts'

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

/** Who asks, and how they have shown it where that was not a secret. */
interface Shown {
  readonly app: App
  readonly client: Client
  readonly assertion?: Assertion
}

interface Answer {
  readonly body: TokenResponse | object
  /** For the client's next proof (RFC 9449 §8.2). */
  readonly nonce?: Proof['tell']
}

export function createShortWays(rooms: Rooms & { readonly catalog: Pick<Catalog, 'apps'> }): ShortWays {
  const { engine, catalog, issuer, clock, spending } = rooms
  const introspect = createIntrospection(rooms)
  const ways = new Map(Object.entries(WAYS).map(([grant, way]) => [grant, { ...way, take: way.open(rooms) }]))
  const address = `${issuer}/oauth2/token`
  const readAssertion = createAssertions({ clock, audiences: [issuer, address] })
  const readProof = createProofs({ clock, address, nonces: createNonces(rooms.keys, clock) })

  /** The app whose secret this is. */
  async function bySecret({ id, secret }: { id: string; secret: string }): Promise<Shown | undefined> {
    const app = await catalog.apps.find(id)
    const own = app?.oidc && METHODS.has(app.oidc.tokenEndpointAuthMethod) ? app.oidc.clientSecret : undefined
    if (own === undefined || !constantTimeEqual(own, secret)) return undefined
    const client = await engine.Client.find(id)
    return client && { app: app!, client }
  }

  /** The app that has signed this. Its keys are those that it is registered with: others are read by the engine (`client-keys.ts`). */
  async function bySignature(text: string, named: string | undefined): Promise<Shown | undefined> {
    const id = claimedBy(text)
    const app = id === undefined || !(named === undefined || named === id) ? undefined : await catalog.apps.find(id)
    if (app?.oidc?.tokenEndpointAuthMethod !== 'private_key_jwt' || app.oidc.profile !== undefined) return undefined
    const client = await engine.Client.find(app.id)
    if (!client || client.jwksUri !== undefined) return undefined
    const assertion = await readAssertion(text, client)
    return assertion && { app, client, assertion }
  }

  const authenticated = (credentials: Credentials, fields: Map<string, string>) =>
    'secret' in credentials ? bySecret(credentials) : bySignature(credentials.assertion, takeOut(fields, 'client_id'))

  /** Whether each is shown for the first time. */
  async function spend(request: IncomingMessage, from: string, shown: readonly (Spendable | undefined)[]) {
    for (const one of shown) if (one && !(await spending.onceBy(request, from, one.jti, one.expires))) return false
    return true
  }

  async function token(request: IncomingMessage): Promise<Answer | undefined> {
    const sent = await readFields(request)
    const grant = sent?.fields.get('grant_type')
    const way = grant === undefined ? undefined : ways.get(grant)
    if (!sent || !way) return undefined
    const fields = new Map(sent.fields)
    const shown = await authenticated(sent.credentials, fields)
    if (!shown || !isExactly(fields, ['grant_type', ...way.fields], way.optional)) return undefined
    const { app, client, assertion } = shown
    if (!app.oidc!.grantTypes.some((allowed) => allowed === grant)) return undefined
    const proof = sent.proof === undefined || !way.binds ? undefined : readProof(sent.proof)
    if (!proof && (sent.proof !== undefined || app.oidc!.dpopBoundAccessTokens)) return undefined
    // its tokens are bound to a certificate that it has to show
    if (app.oidc!.proof.tls_client_certificate_bound_access_tokens) return undefined
    const given = await way.take({
      ...{ request, app, client, fields },
      key: assertion?.key,
      jkt: proof?.jkt,
      spend: () => spend(request, app.id, [assertion, proof]),
    })
    if (given) await rooms.diagnosis.worked(app.id, 'token')
    const tooLate = given?.spend !== undefined && !(await given.spend())
    // the engine has the words for it
    if (tooLate) rooms.redemptions.tooLate(request)
    if (!given || tooLate) {
      // the engine asks for the same again
      spending.again(request)
      return undefined
    }
    return { body: given.body, nonce: proof?.tell }
  }

  async function introspection(request: IncomingMessage): Promise<Answer | undefined> {
    const sent = await readFields(request)
    if (!sent || sent.proof !== undefined || !isExactly(sent.fields, ['token'], ['token_type_hint'])) return undefined
    const shown = 'secret' in sent.credentials ? await bySecret(sent.credentials) : undefined
    const { accept } = request.headers
    const answer = shown && (await introspect({ ...shown, fields: sent.fields, accept }))
    if (answer) await rooms.diagnosis.worked(shown.app.id, 'introspection')
    return answer && { body: answer }
  }

  return async (request, response, endpoint) => {
    const answer = await (endpoint === 'token' ? token(request) : introspection(request))
    if (!answer) return false
    const body = Buffer.from(JSON.stringify(answer.body))
    await settled()
    const taken = rooms.judge.taken(request)
    response.writeHead(200, {
      ...HEADERS,
      'access-control-expose-headers': EXPOSED[endpoint],
      ...(answer.nonce === undefined ? {} : { 'dpop-nonce': answer.nonce }),
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

/** What stood there, and stands there no more. */
function takeOut(fields: Map<string, string>, name: string): string | undefined {
  const value = fields.get(name)
  fields.delete(name)
  return value
}
