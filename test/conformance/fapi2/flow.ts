/** The flow of FAPI 2.0: push, authorize, redeem, use; and what the suite checks at every step. */
import { randomBytes } from 'node:crypto'
import { calculateJwkThumbprint, createRemoteJWKSet, customFetch, type JWTPayload, jwtVerify } from 'jose'
import { expect } from 'vitest'
import { athOf, type Keys, type ProofParts, proof, publicJwk } from '../../support/proofs.ts'
import { browserOf, signInAt, type Visitor } from '../op/flow.ts'
import type { Op } from '../op/op.ts'
import { type Answer, type Party, type Sending, send, verifierOf } from './party.ts'

export type Changes = Readonly<Record<string, string | undefined>>

export interface Request {
  readonly parameters: Changes
  readonly verifier: string
}

const random = (bytes = 24) => randomBytes(bytes).toString('base64url')

/** §5.3.3.2: what an authorization request has to say. */
export function requestOf({ id, redirectUri }: Party, changes: Changes = {}): Request {
  const { verifier, challenge } = verifierOf()
  const parameters = {
    client_id: id,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: 'openid',
    state: random(),
    nonce: random(),
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...changes,
  }
  return { parameters, verifier }
}

const endpoint = ({ metadata }: Op, name: string) => String(metadata[name])
export const PUSHED = 'pushed_authorization_request_endpoint'

export const push = (op: Op, party: Party, { parameters }: Request, how: Sending = {}): Promise<Answer> =>
  send(op, party, endpoint(op, PUSHED), parameters, { proof: null, ...how })

/** RFC 9126 §2.2. */
export async function pushed(op: Op, party: Party, request: Request, how: Sending = {}): Promise<string> {
  const { status, body } = await push(op, party, request, how)
  expect([status, body['error_description']]).toEqual([201, undefined])
  expect(body['request_uri']).toMatch(/^urn:ietf:params:oauth:request_uri:.{22,}$/)
  expect(body['expires_in']).toBeGreaterThan(0)
  expect(body['expires_in']).toBeLessThan(600)
  return String(body['request_uri'])
}

/** RFC 9126 §4: nothing but who asks, and what was pushed. */
export const addressOf = ({ metadata }: Op, { id }: Party, requestUri: string, more: Record<string, string> = {}) =>
  `${metadata.authorization_endpoint}?${new URLSearchParams({ client_id: id, request_uri: requestUri, ...more })}`

/** What the callback was told; undefined where the person was shown something instead. */
export async function authorize(
  op: Op,
  party: Party,
  address: string,
  browser: Visitor = browserOf(op),
): Promise<URLSearchParams | undefined> {
  await signInAt(browser, await browser.open(address))
  const came = op.receiver.taken(new URL(party.redirectUri).pathname)
  expect(came.length).toBeLessThanOrEqual(1)
  if (!came[0]) return undefined
  expect(came[0].method).toBe('GET')
  // RFC 9207, §5.3.2.2: against mix-up, in errors too
  if (!came[0].query.has('response')) expect(came[0].query.get('iss')).toBe(op.metadata.issuer)
  return came[0].query
}

export const redeem = (op: Op, party: Party, code: string, verifier: string | undefined, how: Sending = {}) =>
  send(
    op,
    party,
    op.metadata.token_endpoint,
    { grant_type: 'authorization_code', code, redirect_uri: party.redirectUri, code_verifier: verifier },
    how,
  )

/** A code, and what it takes to redeem it. */
export async function codeFor(op: Op, party: Party, changes: Changes = {}, how: Sending = {}) {
  const request = requestOf(party, changes)
  const answer = await authorize(op, party, addressOf(op, party, await pushed(op, party, request, how)))
  expect([answer?.get('error') ?? undefined, answer?.has('code')]).toEqual([undefined, true])
  expect(answer!.get('state') ?? undefined).toBe(request.parameters['state'])
  return { code: answer!.get('code')!, request }
}

export interface Tokens {
  readonly access: string
  readonly claims: JWTPayload
  readonly refresh?: string
}

/** §5.3.2.1, RFC 9449 §5: bound to the key of the proof. */
export async function tokensOf(
  op: Op,
  party: Party,
  { status, headers, body }: Answer,
  nonce?: string,
): Promise<Tokens> {
  expect([status, body['error_description']]).toEqual([200, undefined])
  expect(headers.get('cache-control')).toContain('no-store')
  expect(String(body['token_type']).toLowerCase()).toBe(party.certificate ? 'bearer' : 'dpop')
  const { access_token, id_token, refresh_token } = body as Record<string, string>
  const keys = createRemoteJWKSet(new URL(op.metadata.jwks_uri), { [customFetch]: op.fetch })
  const algorithms = ['PS256', 'ES256', 'EdDSA']
  const expected = { issuer: op.metadata.issuer, audience: party.id, algorithms }
  const { payload } = await jwtVerify(id_token!, keys, expected)
  expect([payload.aud, payload['nonce']]).toEqual([party.id, nonce])
  expect(payload).not.toHaveProperty('s_hash')
  return { access: access_token!, claims: payload, ...(refresh_token ? { refresh: refresh_token } : {}) }
}

export interface Using extends ProofParts {
  readonly keys?: Keys
  readonly scheme?: string
  /** Instead of one proof: what stands in the header, or nothing at all. */
  readonly header2?: (proof: string) => string | undefined
  readonly url?: string
  readonly htu?: string
}

/** RFC 9449 §7: userinfo is the resource that there is; where a nonce is asked for, once more. */
export async function use(op: Op, party: Party, access: string, how: Using = {}): Promise<Response> {
  // RFC 8705 §3
  if (party.certificate)
    return op.fetchAs(party.certificate)(op.metadata.userinfo_endpoint, {
      headers: { authorization: `Bearer ${access}` },
    })
  const { keys = party.proofKeys, scheme = 'DPoP', header2, url = op.metadata.userinfo_endpoint, htu, ...parts } = how
  const once = (nonce: string | undefined) => {
    const claims = { htm: 'GET', ath: athOf(access), ...(nonce === undefined ? {} : { nonce }), ...parts.claims }
    const made = proof(keys, htu ?? url, { ...parts, claims })
    const sent = header2 ? header2(made) : made
    return op.fetch(url, {
      headers: { authorization: `${scheme} ${access}`, ...(sent === undefined ? {} : { dpop: sent }) },
    })
  }
  const first = await once(undefined)
  const asked = first.status === 401 && /use_dpop_nonce/.test(first.headers.get('www-authenticate') ?? '')
  return asked ? once(first.headers.get('dpop-nonce')!) : first
}

/** All of it. */
export async function complete(op: Op, party: Party, changes: Changes = {}, how: Sending = {}): Promise<Tokens> {
  const { code, request } = await codeFor(op, party, changes, how)
  const answer = await redeem(op, party, code, request.verifier)
  const tokens = await tokensOf(op, party, answer, request.parameters['nonce'])
  const response = await use(op, party, tokens.access)
  expect(response.status).toBe(200)
  expect(((await response.json()) as JWTPayload).sub).toBe(tokens.claims.sub)
  // bound: of no use to whoever has only the token
  const headers = { authorization: `Bearer ${tokens.access}` }
  expect((await op.fetch(op.metadata.userinfo_endpoint, { headers })).status).toBe(401)
  return tokens
}

export const thumbprint = (keys: Keys): Promise<string> =>
  calculateJwkThumbprint(publicJwk(keys) as Parameters<typeof calculateJwkThumbprint>[0])
