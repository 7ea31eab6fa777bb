/**
 * The short way to a machine's token (RFC 6749 §4.4). Partners ask for these thousands of times a second, nearly all in
 * one shape: the secret in the Authorization header, the grant type as the whole body. That one shape is answered here;
 * everything else, and everything that would be refused, is the engine's. INVARIANT: the answer is the one that the
 * engine would have given (`test/flow/short-way.test.ts` sends every request both ways).
 */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Provider } from 'oidc-provider'
import type { App, Catalog } from '#catalog'
import { constantTimeEqual } from '#core/digest'
import { settled } from '#storage'
import type { TokenJudge } from './token-judge.ts'

const BODY = 'grant_type=client_credentials'
const TYPE = 'application/x-www-form-urlencoded'
/** What the engine reads besides, or answers differently to. */
const OTHERWISE = ['origin', 'dpop', 'content-encoding', 'oauth-client-attestation', 'oauth-client-attestation-pop']
const METHOD = 'client_secret_basic'
/** What cannot mean anything else when it is form-decoded (RFC 6749 §2.3.1). */
const PLAIN = /^[A-Za-z0-9._~-]+$/
const LONGEST_HEADER = 512

interface Credentials {
  readonly id: string
  readonly secret: string
}

/** Answers the request and says so, or leaves it as it came. */
export type ShortWay = (request: IncomingMessage, response: ServerResponse) => Promise<boolean>

export function createShortWay(options: {
  readonly engine: Provider
  readonly catalog: Pick<Catalog, 'apps'>
  readonly judge: TokenJudge
}): ShortWay {
  const { engine, catalog, judge } = options
  const { ClientCredentials, Client } = engine

  /** The app whose secret this is and that may ask like this. */
  async function authenticated({ id, secret }: Credentials): Promise<App | undefined> {
    const app = await catalog.apps.find(id)
    const { oidc } = app ?? {}
    if (oidc?.tokenEndpointAuthMethod !== METHOD || !oidc.grantTypes.includes('client_credentials')) return undefined
    return oidc.clientSecret !== undefined && constantTimeEqual(oidc.clientSecret, secret) ? app : undefined
  }

  return async (request, response) => {
    const { headers } = request
    if (headers['content-length'] !== String(BODY.length) || headers['content-type'] !== TYPE) return false
    if (OTHERWISE.some((name) => headers[name] !== undefined)) return false
    const credentials = readBasic(headers.authorization)
    const app = credentials && (await authenticated(credentials))
    const client = app && (await Client.find(app.id))
    if (!client || !(await hasBody(request))) return false
    const verdict = await judge.machine(request, app, { id: app.id, method: METHOD })
    if (verdict.outcome !== 'allow') return false
    const token = new ClientCredentials({ client } as ConstructorParameters<typeof ClientCredentials>[0])
    judge.allowed(token)
    const answer = JSON.stringify({
      access_token: await token.save(),
      expires_in: token.expiration,
      token_type: token.tokenType,
    })
    await settled()
    response.writeHead(200, {
      vary: 'Origin',
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'WWW-Authenticate',
      'cache-control': 'no-store',
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(answer),
    })
    response.end(answer)
    return true
  }
}

function readBasic(header: string | undefined): Credentials | undefined {
  if (header === undefined || header.length > LONGEST_HEADER || !header.startsWith('Basic ')) return undefined
  const sent = header.slice('Basic '.length)
  const bytes = Buffer.from(sent, 'base64')
  // only the canonical spelling: forgiving readers take one secret in many
  if (bytes.toString('base64') !== sent) return undefined
  const [id = '', secret = '', ...rest] = bytes.toString('latin1').split(':')
  return rest.length === 0 && PLAIN.test(id) && PLAIN.test(secret) ? { id, secret } : undefined
}

/** Looks at the body and puts it back: whatever is refused after all is the engine's to word. */
async function hasBody(request: IncomingMessage): Promise<boolean> {
  let body: Buffer | null = request.read()
  if (body === null) {
    // a client that goes away here is the engine's as well
    await once(request, 'readable').catch(() => {})
    body = request.read()
  }
  if (body === null) return false
  request.unshift(body)
  return body.toString('latin1') === BODY
}
