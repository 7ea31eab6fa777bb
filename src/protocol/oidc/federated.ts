/**
 * Federated credentials: a client shows a token of somebody else's as its assertion (RFC 7523 §2.2). The engine knows
 * assertions that clients have signed themselves, so the token is looked at here, before the engine reads the request, and one
 * that holds is replaced by an assertion of our own making, with a key that lives as long as this process.
 *
 * INVARIANT: nothing else is signed with that key, and of the client the engine knows no other.
 */
import { generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { type JWK, jwtVerify } from 'jose'
import { isCanonical } from '#apis'
import type { Catalog } from '#catalog'
import type { Clock } from '#core/clock'
import { sha256 } from '#core/digest'
import type { Log } from '#core/log'
import { randomId } from '#core/random'
import { type Outbound, requestContext } from '#http'
import { createForeignKeys } from './foreign-keys.ts'
import type { Spending } from './replay.ts'

const FORM = /^application\/x-www-form-urlencoded\s*(?:;|$)/i
const LONGEST_BODY = 16_384
const ALGS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519']
const TOLERANCE = 15
const OLDEST = 86_400
const LIFE = 60

export interface FederatedRooms {
  readonly issuer: string
  readonly clock: Clock
  readonly log: Log
  readonly catalog: Pick<Catalog, 'apps'>
  readonly outbound: Outbound
  readonly spending: Spending
}

export interface FederatedCredentials {
  /** By which the engine knows a client whose credentials are somebody else's tokens. */
  readonly key: JWK
  /** Puts our assertion in the place of the foreign token, where the request carries one. */
  exchange(request: IncomingMessage): Promise<void>
}

type Trust = NonNullable<NonNullable<Awaited<ReturnType<Catalog['apps']['find']>>>['oidc']>['federated'][number]

export function createFederatedCredentials(rooms: FederatedRooms): FederatedCredentials {
  const { issuer, clock, log, catalog, spending } = rooms
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const keysOf = createForeignKeys(rooms)

  function assertionFor(id: string): string {
    const now = Math.floor(clock.now() / 1000)
    const claims = { iss: id, sub: id, aud: issuer, jti: randomId(16), iat: now, exp: now + LIFE }
    const signed = [{ alg: 'EdDSA', typ: 'JWT' }, claims].map(encoded).join('.')
    return `${signed}.${sign(null, Buffer.from(signed), privateKey).toString('base64url')}`
  }

  /** Throws where the token is none of the registered ones. */
  async function verify(request: IncomingMessage, token: string, trusted: readonly Trust[]): Promise<void> {
    if (!isCanonical(token)) throw new Error('token is not canonical base64url')
    const { iss, sub } = payloadOf(token)
    const trust = trusted.find(({ issuer, subject }) => issuer === iss && subject === sub)
    if (!trust) throw new Error('issuer and subject are not registered')
    const { payload, protectedHeader } = await jwtVerify(token, keysOf(trust), {
      ...{ issuer: trust.issuer, subject: trust.subject, audience: trust.audience ?? issuer },
      ...{ algorithms: ALGS, requiredClaims: ['exp', 'iat'], maxTokenAge: OLDEST, clockTolerance: TOLERANCE },
      currentDate: new Date(clock.now()),
    })
    // RFC 8725 §3.11: no access token, no logout token
    const { typ } = protectedHeader
    if (typ !== undefined && typ.toLowerCase() !== 'jwt') throw new Error('token is of another kind')
    if (trust.reuse) return
    // keyed on what is inside; the signature of one and the same token can be written in two ways
    const id = payload.jti ?? `sha256 ${sha256(token.split('.')[1]!)}`
    if (!(await spending.onceBy(request, `federated ${trust.issuer}`, id, payload.exp! + TOLERANCE)))
      throw new Error('token was used before')
  }

  return {
    key: { ...publicKey.export({ format: 'jwk' }), alg: 'EdDSA', use: 'sig' } as JWK,

    async exchange(request) {
      const fields = await fieldsOf(request)
      const [token, id] = [fields?.get('client_assertion'), fields?.get('client_id')]
      if (!fields || !token || !id || id.length > 64 || payloadOf(token)['iss'] === id) return
      const trusted = (await catalog.apps.find(id))?.oidc?.federated ?? []
      if (trusted.length === 0) return
      let assertion = assertionFor(id)
      try {
        await verify(request, token, trusted)
      } catch (cause) {
        // the engine finds it wrong, and says so in the protocol's words
        assertion = `${assertion.slice(0, assertion.lastIndexOf('.'))}.${'A'.repeat(86)}`
        const why = cause instanceof Error ? cause.message : 'unknown'
        log.warn('federated-credential-refused', { app: id, request: requestContext(request).id, why })
      }
      fields.set('client_assertion', assertion)
      replaceBody(request, fields.toString())
    },
  }
}

const encoded = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url')

/** Of a token that nobody has verified. */
function payloadOf(token: string): Readonly<Record<string, unknown>> {
  try {
    const read = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    return typeof read === 'object' && read !== null ? read : {}
  } catch {
    return {}
  }
}

/** Undefined where there is no assertion in it, or it is said in a way that two readers could take in two ways. */
async function fieldsOf(request: IncomingMessage): Promise<URLSearchParams | undefined> {
  const { headers } = request
  const length = Number(headers['content-length'])
  if (headers.authorization !== undefined || !FORM.test(headers['content-type'] ?? '')) return undefined
  if (!(length > 0 && length <= LONGEST_BODY)) return undefined
  let body: Buffer | null = request.read(length)
  while (body === null && !request.readableEnded && !request.destroyed) {
    // a client that goes away now is the engine's business
    await once(request, 'readable').catch(() => {})
    body = request.read(length)
  }
  if (body === null) return undefined
  // put back, for whoever reads it next
  request.unshift(body)
  const text = body.toString('latin1')
  if (body.length !== length || !/^[\x21-\x7e]+$/.test(text) || !text.includes('client_assertion=')) return undefined
  const fields = new URLSearchParams(text)
  return new Set(fields.keys()).size === [...fields].length ? fields : undefined
}

function replaceBody(request: IncomingMessage, text: string): void {
  const body = Buffer.from(text)
  request.read()
  request.unshift(body)
  request.headers['content-length'] = String(body.length)
}
