/** Proofs of possession (RFC 9449), at the pushed request, at the token endpoint and with a token. */
import { generateKeyPairSync, sign } from 'node:crypto'
import { expect } from 'vitest'
import { ecKeys, now, publicJwk, unsigned } from '../../support/proofs.ts'
import type { Op } from '../op/op.ts'
import type { Modules } from '../op/plan.ts'
import { codeFor, complete, push, pushed, redeem, requestOf, thumbprint, tokensOf, type Using, use } from './flow.ts'
import { fapiOf } from './parties.ts'
import { type Party, refused } from './party.ts'

const PREFIX = 'fapi2-security-profile-final-'

/** The same change to the proof wherever one is sent. */
const throughout =
  (claims: () => Record<string, unknown>): Modules[string] =>
  async (op) => {
    const { one } = fapiOf(op)
    const request = requestOf(one)
    await pushed(op, one, request, { proof: { claims: claims() } })
    const { code, request: asked } = await codeFor(op, one)
    const answer = await redeem(op, one, code, asked.verifier, { proof: { claims: claims() } })
    const tokens = await tokensOf(op, one, answer, asked.parameters['nonce'])
    expect((await use(op, one, tokens.access, { claims: claims() })).status).toBe(200)
  }

const swapped = (text: string): string => text.replace(/[a-z]/gi, (c) => (c < 'a' ? c.toLowerCase() : c.toUpperCase()))

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const privateJwk = ({ proofKeys }: Party) => proofKeys.privateKey.export({ format: 'jwk' })

/** RFC 9449 §4.3, one after the other: what must be refused. */
const REFUSED: readonly [what: string, how: (party: Party, op: Op) => Using][] = [
  ['no proof at all', () => ({ header2: () => undefined })],
  ['no proof, and the token as one of another kind', () => ({ scheme: 'Bearer', header2: () => undefined })],
  ['two proofs', () => ({ header2: (made) => `${made}, ${made}` })],
  ['what is no JWT', () => ({ header2: () => 'proof' })],
  ['no typ', () => ({ header: { typ: undefined } })],
  ['another typ', () => ({ header: { typ: 'jwt' } })],
  ['no alg', () => ({ header: { alg: undefined } })],
  ['alg none', () => ({ header: { alg: 'none' }, signer: unsigned })],
  [
    'RS256',
    () => ({
      header: { alg: 'RS256', jwk: rsa.publicKey.export({ format: 'jwk' }) },
      signer: (signed) => sign('sha256', Buffer.from(signed), rsa.privateKey).toString('base64url'),
    }),
  ],
  ['no jwk', () => ({ header: { jwk: undefined } })],
  ['a private jwk', (party) => ({ header: { jwk: privateJwk(party) } })],
  ['a wrong signature', () => ({ signer: () => 'A'.repeat(86) })],
  ['another key', () => ({ keys: ecKeys() })],
  ['the jwk of another key', () => ({ header: { jwk: publicJwk(ecKeys()) } })],
  ...['jti', 'htm', 'htu', 'iat', 'ath'].map((name): [string, () => Using] => [
    `no ${name}`,
    () => ({ claims: { [name]: undefined } }),
  ]),
  ['another htm', () => ({ claims: { htm: 'POST' } })],
  ['another htu', (_, { metadata }) => ({ htu: metadata.token_endpoint })],
  ['another ath', () => ({ claims: { ath: 'A'.repeat(43) } })],
]

/** And what must not. */
const TAKEN: readonly [what: string, how: (op: Op) => Using][] = [
  ['an htu with query and fragment', ({ metadata }) => ({ htu: `${metadata.userinfo_endpoint}?a=b#c` })],
  ['a request with a query', ({ metadata: { userinfo_endpoint: at } }) => ({ url: `${at}?a=b`, htu: at })],
  [
    'an htu in capitals',
    ({ metadata: { userinfo_endpoint: at } }) => ({
      htu: at.replace(/^https:\/\/[^/]+/, (origin) => origin.toUpperCase()),
    }),
  ],
  ['a header and a claim nobody knows', () => ({ header: { extra: 1 }, claims: { extra: { a: 1 } } })],
  ['a proof as it should be', () => ({})],
]

export const PROOFS: Modules = {
  async [`${PREFIX}access-token-type-header-case-sensitivity`](op) {
    const { one } = fapiOf(op)
    const { access } = await complete(op, one)
    for (const scheme of ['dpop', swapped('DPoP'), 'DPOP'])
      expect([scheme, (await use(op, one, access, { scheme })).status]).toEqual([scheme, 200])
  },

  [`${PREFIX}check-dpop-proof-nbf-exp`]: throughout(() => ({ nbf: now(), exp: now() + 300 })),
  [`${PREFIX}ensure-dpopproof-with-iat-10seconds-before-succeeds`]: throughout(() => ({ iat: now() - 10 })),
  [`${PREFIX}ensure-dpopproof-with-iat-10seconds-after-succeeds`]: throughout(() => ({ iat: now() + 10 })),

  async [`${PREFIX}ensure-mismatched-dpop-jkt-fails`](op) {
    const { one } = fapiOf(op)
    const request = requestOf(one, { dpop_jkt: await thumbprint(ecKeys()) })
    refused(await push(op, one, request, { proof: {} }), 'invalid_request', 'invalid_dpop_proof')
  },

  async [`${PREFIX}ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt`](op) {
    const { one } = fapiOf(op)
    const { code, request } = await codeFor(op, one, {}, { proof: {} })
    const answer = await redeem(op, one, code, request.verifier, { proof: { keys: ecKeys() } })
    refused(answer, 'invalid_grant', 'invalid_dpop_proof')
  },

  async [`${PREFIX}ensure-token-endpoint-fails-with-mismatched-dpop-jkt`](op) {
    const { one } = fapiOf(op)
    const { code, request } = await codeFor(op, one, { dpop_jkt: await thumbprint(one.proofKeys) })
    const answer = await redeem(op, one, code, request.verifier, { proof: { keys: ecKeys() } })
    refused(answer, 'invalid_grant', 'invalid_dpop_proof')
  },

  async [`${PREFIX}ensure-dpopproof-at-par-endpoint-binding-success`](op) {
    await complete(op, fapiOf(op).one, {}, { proof: {} })
  },
  async [`${PREFIX}ensure-dpop-auth-code-binding-success`](op) {
    const { one } = fapiOf(op)
    await complete(op, one, { dpop_jkt: await thumbprint(one.proofKeys) })
    await complete(op, one, { dpop_jkt: await thumbprint(one.proofKeys) }, { proof: {} })
  },

  async [`${PREFIX}dpop-negative-tests`](op) {
    const { one } = fapiOf(op)
    const { access } = await complete(op, one)
    for (const [what, how] of REFUSED)
      expect([what, (await use(op, one, access, how(one, op))).status]).toEqual([what, expect.toBeOneOf([400, 401])])
    for (const [what, how] of TAKEN) expect([what, (await use(op, one, access, how(op))).status]).toEqual([what, 200])
    // once: whatever else it says
    const claims = { jti: 'twice'.repeat(5) }
    expect((await use(op, one, access, { claims })).status).toBe(200)
    expect([400, 401]).toContain((await use(op, one, access, { claims })).status)
    expect((await use(op, one, access)).status).toBe(200)
  },
}
