/** What FAPI 2.0 asks of a provider beyond the parts that it is made of (§5.3.2): of clients that are registered with the profile. */
import { expect } from 'vitest'
import type { Op } from '../op/op.ts'
import type { Modules } from '../op/plan.ts'
import { authorize, complete, PUSHED, push, requestOf, use } from './flow.ts'
import { fapiOf } from './parties.ts'
import { type AssertionParts, refused, type Sending, send } from './party.ts'

const PREFIX = 'fapi2-security-profile-final-'

const assertionRefused =
  (parts: (op: Op) => AssertionParts): Modules[string] =>
  async (op) => {
    const { one } = fapiOf(op)
    refused(await push(op, one, requestOf(one), { assertion: parts(op) }), 'invalid_client', 'invalid_request')
  }

export const PROFILE: Modules = {
  async [`${PREFIX}ensure-unsigned-authorization-request-without-using-par-fails`](op) {
    const { one } = fapiOf(op)
    const { parameters } = requestOf(one)
    const query = new URLSearchParams(parameters as Record<string, string>)
    const answer = await authorize(op, one, `${op.metadata.authorization_endpoint}?${query}`)
    if (answer) expect([answer.get('error'), answer.get('code')]).toEqual(['invalid_request', null])
  },

  // FAPI 2.0 Security Profile §5.3.2.1: the issuer as one string
  [`${PREFIX}par-test-array-as-audience-fails`]: assertionRefused(({ metadata: { issuer } }) => ({
    claims: { aud: [issuer, 'https://elsewhere.example'] },
  })),
  [`${PREFIX}par-test-par-endpoint-url-as-audience-fails`]: assertionRefused(({ metadata }) => ({
    claims: { aud: metadata[PUSHED] },
  })),
  [`${PREFIX}par-test-token-endpoint-url-as-audience-fails`]: assertionRefused(({ metadata }) => ({
    claims: { aud: metadata.token_endpoint },
  })),

  async [`${PREFIX}refresh-token`](op) {
    const { one, two } = fapiOf(op)
    const tokens = await complete(op, one, { scope: 'openid offline_access', prompt: 'consent' })
    const theirs = await complete(op, two, { scope: 'openid offline_access', prompt: 'consent' })
    const refresh = (token: string, how: Sending = {}, by = one) =>
      send(op, by, op.metadata.token_endpoint, { grant_type: 'refresh_token', refresh_token: token }, how)
    refused(await refresh(theirs.refresh!), 'invalid_grant')
    refused(await refresh(tokens.refresh!, { assertion: null }), 'invalid_client', 'invalid_request')
    const errors = ['invalid_client', 'invalid_grant', 'invalid_request', 'invalid_dpop_proof']
    refused(await refresh(tokens.refresh!, { proof: null }), ...errors)
    const answer = await refresh(tokens.refresh!)
    expect([answer.status, answer.body['error_description']]).toEqual([200, undefined])
    expect(await use(op, one, String(answer.body['access_token']))).toMatchObject({ status: 200 })
    // §5.3.2.1: a refresh token that is not rotated cannot be lost on the way
    expect(answer.body['refresh_token'] ?? tokens.refresh).toBe(tokens.refresh)
    expect((await refresh(tokens.refresh!)).status).toBe(200)
  },
}
