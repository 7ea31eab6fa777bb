/** The token endpoint: codes, who redeems them, and refresh tokens. */

import { expect } from 'vitest'
import { now } from '../../support/proofs.ts'
import type { Op } from '../op/op.ts'
import type { Modules } from '../op/plan.ts'
import { codeFor, redeem, tokensOf, use } from './flow.ts'
import { fapiOf } from './parties.ts'
import { type AssertionParts, byRsa, refused, type Sending, send, verifierOf } from './party.ts'

const PREFIX = 'fapi2-security-profile-final-'

/** A code of its own, redeemed in a wrong way; then the right way shows that nothing else was wrong. */
const wrongly =
  (how: (op: Op) => Sending, ...errors: readonly string[]): Modules[string] =>
  async (op) => {
    const { one } = fapiOf(op)
    const { code, request } = await codeFor(op, one)
    refused(await redeem(op, one, code, request.verifier, how(op)), ...errors)
    expect((await redeem(op, one, code, request.verifier)).status).toBe(200)
  }

const assertion = (parts: (op: Op) => AssertionParts | null, ...errors: readonly string[]) =>
  wrongly((op) => ({ assertion: parts(op) }), ...errors)

const verifier =
  (other: (right: string) => string | undefined): Modules[string] =>
  async (op) => {
    const { one } = fapiOf(op)
    const { code, request } = await codeFor(op, one)
    refused(await redeem(op, one, code, other(request.verifier)), 'invalid_grant', 'invalid_request')
  }

export const CODES: Modules = {
  [`${PREFIX}ensure-pkce-code-verifier-required`]: verifier(() => undefined),
  [`${PREFIX}incorrect-pkce-code-verifier-rejected`]: verifier(() => verifierOf().verifier),

  async [`${PREFIX}ensure-authorization-code-is-bound-to-client`](op) {
    const { one, two } = fapiOf(op)
    const { code, request } = await codeFor(op, one)
    const stolen = { ...two, redirectUri: one.redirectUri, proofKeys: one.proofKeys }
    refused(await redeem(op, stolen, code, request.verifier), 'invalid_grant')
  },

  async [`${PREFIX}attempt-reuse-authorization-code-after-one-second`](op) {
    const { one } = fapiOf(op)
    const { code, request } = await codeFor(op, one)
    const answer = await redeem(op, one, code, request.verifier)
    const tokens = await tokensOf(op, one, answer, request.parameters['nonce'])
    op.pass(1000)
    refused(await redeem(op, one, code, request.verifier), 'invalid_grant')
    expect((await use(op, one, tokens.access)).status).toBe(401)
  },

  async [`${PREFIX}ensure-token-endpoint-fails-with-expired-auth-code`](op) {
    const { one } = fapiOf(op)
    const { code, request } = await codeFor(op, one)
    op.pass(62_000)
    refused(await redeem(op, one, code, request.verifier), 'invalid_grant')
  },

  async [`${PREFIX}ensure-client-id-in-token-endpoint`](op) {
    const { one, two } = fapiOf(op)
    const { code, request } = await codeFor(op, one)
    const fields = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: one.redirectUri,
      code_verifier: request.verifier,
      client_id: two.id,
    }
    // the other client's name beside one's own assertion, and on an assertion that is signed by one's own key
    for (const party of [one, { ...two, keys: one.keys, proofKeys: one.proofKeys }])
      refused(
        await send(op, party, op.metadata.token_endpoint, fields),
        'invalid_client',
        'invalid_request',
        'invalid_grant',
      )
  },

  [`${PREFIX}ensure-holder-of-key-required`]: wrongly(
    () => ({ proof: null }),
    'invalid_client',
    'invalid_grant',
    'invalid_request',
    'invalid_dpop_proof',
  ),

  [`${PREFIX}ensure-client-assertion-in-token-endpoint`]: assertion(() => null, 'invalid_client', 'invalid_request'),
  [`${PREFIX}ensure-client-assertion-with-exp-is-5-minutes-in-past-fails`]: assertion(
    () => ({ claims: { iat: now() - 360, exp: now() - 300 } }),
    'invalid_client',
  ),
  [`${PREFIX}ensure-client-assertion-with-wrong-aud-fails`]: assertion(
    () => ({ claims: { aud: 'https://elsewhere.example' } }),
    'invalid_client',
  ),
  [`${PREFIX}ensure-client-assertion-with-no-sub-fails`]: assertion(
    () => ({ claims: { sub: undefined } }),
    'invalid_client',
  ),
  // the same key signs by PS256, too: what is refused is the algorithm
  async [`${PREFIX}ensure-signed-client-assertion-with-RS256-fails`](op) {
    const { one } = fapiOf(op)
    const { code, request } = await codeFor(op, one)
    refused(await redeem(op, one, code, request.verifier, { assertion: byRsa(one, 'RS256') }), 'invalid_client')
    expect((await redeem(op, one, code, request.verifier, { assertion: byRsa(one, 'PS256') })).status).toBe(200)
  },
}
