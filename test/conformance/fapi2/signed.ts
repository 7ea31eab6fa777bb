/** FAPI 2.0 Message Signing: signed requests (RFC 9101, §5.3) and signed answers (JARM, §5.4). */
import { createRemoteJWKSet, customFetch, type JWTPayload, jwtVerify } from 'jose'
import { expect } from 'vitest'
import { ecKeys, es256, jwt, now, unsigned } from '../../support/proofs.ts'
import type { Op } from '../op/op.ts'
import type { Modules } from '../op/plan.ts'
import { addressOf, authorize, type Changes, PUSHED, type Request, redeem, requestOf, tokensOf, use } from './flow.ts'
import { fapiOf } from './parties.ts'
import { type Answer, type AssertionParts, byRsa, type Party, refused, send } from './party.ts'

const PREFIX = 'fapi2-security-profile-final-'

/** A client of the profile takes signed answers only. */
const signedAnswer = (party: Party, changes: Changes = {}) => requestOf(party, { response_mode: 'jwt', ...changes })

/** Ten minutes, for this provider, by this client. */
const objectOf = (op: Op, party: Party, { parameters }: Request, { header, claims, signer }: AssertionParts = {}) =>
  jwt(
    { alg: 'ES256', kid: `${party.id}-key`, typ: 'oauth-authz-req+jwt', ...header },
    { iss: party.id, aud: op.metadata.issuer, nbf: now(), exp: now() + 600, ...parameters, ...claims },
    signer ?? es256(party.keys.privateKey),
  )

const pushObject = (op: Op, party: Party, request: string): Promise<Answer> =>
  send(op, party, String(op.metadata[PUSHED]), { client_id: party.id, request }, { proof: null })

/** JARM §2.1, §2.4: everything that the callback was told, and nothing beside it. */
async function readAnswer(op: Op, { id }: Party, answer: URLSearchParams): Promise<JWTPayload> {
  expect([...answer.keys()]).toEqual(['response'])
  const keys = createRemoteJWKSet(new URL(op.metadata.jwks_uri), { [customFetch]: op.fetch })
  const algorithms = ['PS256', 'ES256', 'EdDSA']
  const expected = { issuer: op.metadata.issuer, audience: id, algorithms }
  const { payload } = await jwtVerify(answer.get('response')!, keys, expected)
  expect(payload.exp! - now()).toBeGreaterThan(0)
  expect(payload.exp! - now()).toBeLessThanOrEqual(600)
  return payload
}

/** Pushed, authorized with whatever else stands in the address, redeemed and used. */
async function flow(op: Op, changes: Changes = {}, parts: AssertionParts = {}, beside: Record<string, string> = {}) {
  const { one } = fapiOf(op)
  const request = signedAnswer(one, changes)
  const { status, body } = await pushObject(op, one, objectOf(op, one, request, parts))
  expect([status, body['error_description']]).toEqual([201, undefined])
  const answer = await authorize(op, one, addressOf(op, one, String(body['request_uri']), beside))
  return { one, request, answer: await readAnswer(op, one, answer!) }
}

async function redeemed(op: Op, { one, request, answer }: Awaited<ReturnType<typeof flow>>): Promise<void> {
  expect(answer['state']).toBe(request.parameters['state'])
  const told = await redeem(op, one, String(answer['code']), request.verifier)
  const tokens = await tokensOf(op, one, told, request.parameters['nonce'])
  expect((await use(op, one, tokens.access)).status).toBe(200)
}

const succeeds =
  (parts: (op: Op) => AssertionParts): Modules[string] =>
  async (op) =>
    redeemed(op, await flow(op, {}, parts(op)))

/** Refused where it is pushed: with the error of the object, or of the request. */
const fails =
  (parts: (op: Op) => AssertionParts, changes: Changes = {}): Modules[string] =>
  async (op) => {
    const { one } = fapiOf(op)
    const answer = await pushObject(op, one, objectOf(op, one, signedAnswer(one, changes), parts(op)))
    refused(answer, 'invalid_request_object', 'invalid_request')
    // and nothing else was wrong with it
    expect((await pushObject(op, one, objectOf(op, one, signedAnswer(one)))).status).toBe(201)
  }

export const SIGNED: Modules = {
  [`${PREFIX}ensure-request-object-with-multiple-aud-succeeds`]: succeeds(({ metadata }) => ({
    claims: { aud: ['https://elsewhere.example', metadata.issuer] },
  })),
  [`${PREFIX}ensure-request-object-with-nbf-8-seconds-in-the-future-is-accepted`]: succeeds(() => ({
    claims: { nbf: now() + 8 },
  })),

  // what stands inside counts
  async [`${PREFIX}ensure-different-nonce-inside-and-outside-request-object`](op) {
    await redeemed(op, await flow(op, {}, {}, { nonce: 'outside' }))
  },
  async [`${PREFIX}ensure-different-state-inside-and-outside-request-object`](op) {
    await redeemed(op, await flow(op, {}, {}, { state: 'outside' }))
  },
  async [`${PREFIX}state-only-outside-request-object-not-used`](op) {
    const done = await flow(op, { state: undefined }, {}, { state: 'outside' })
    expect(done.answer).not.toHaveProperty('state')
    await redeemed(op, done)
  },

  [`${PREFIX}ensure-request-object-without-exp-fails`]: fails(() => ({ claims: { exp: undefined } })),
  [`${PREFIX}ensure-request-object-without-nbf-fails`]: fails(() => ({ claims: { nbf: undefined } })),
  [`${PREFIX}ensure-request-object-without-redirect-uri-fails`]: fails(() => ({}), { redirect_uri: undefined }),
  [`${PREFIX}ensure-expired-request-object-fails`]: fails(() => ({ claims: { nbf: now() - 600, exp: now() - 300 } })),
  [`${PREFIX}ensure-request-object-with-bad-aud-fails`]: fails(() => ({
    claims: { aud: 'https://elsewhere.example' },
  })),
  [`${PREFIX}ensure-request-object-with-exp-over-60-fails`]: fails(() => ({ claims: { exp: now() + 70 * 60 } })),
  [`${PREFIX}ensure-request-object-with-nbf-over-60-fails`]: fails(() => ({ claims: { nbf: now() - 70 * 60 } })),
  async [`${PREFIX}ensure-signed-request-object-with-RS256-fails`](op) {
    await fails(() => byRsa(fapiOf(op).one, 'RS256'))(op)
    await succeeds(() => byRsa(fapiOf(op).one, 'PS256'))(op)
  },
  [`${PREFIX}ensure-request-object-signature-algorithm-is-not-none`]: fails(() => ({
    header: { alg: 'none', kid: undefined },
    signer: unsigned,
  })),
  [`${PREFIX}ensure-request-object-with-invalid-signature-fails`]: fails(() => ({
    signer: es256(ecKeys().privateKey),
  })),
  [`${PREFIX}ensure-matching-key-in-authorization-request`]: fails((op) => ({
    header: { kid: 'fapi-two-key' },
    signer: es256(fapiOf(op).two.keys.privateKey),
  })),
  [`${PREFIX}par-authorization-request-containing-request_uri`]: fails(() => ({
    claims: { request_uri: 'urn:ietf:params:oauth:request_uri:aaaaaaaaaaaaaaaaaaaaaaaaaaaa' },
  })),

  async [`${PREFIX}ensure-unsigned-request-at-par-endpoint-fails`](op) {
    const { one } = fapiOf(op)
    const { parameters } = signedAnswer(one)
    const answer = await send(op, one, String(op.metadata[PUSHED]), parameters, { proof: null })
    refused(answer, 'invalid_request', 'invalid_request_object')
  },

  [`${PREFIX}happy-flow`]: succeeds(() => ({})),
}
