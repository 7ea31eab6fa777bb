/** Authorization requests: what has to be taken, and what comes back unchanged. */
import { expect } from 'vitest'
import { formOf } from '../../../demo/browser.ts'
import { typePassword } from '../../support/relying-party.ts'
import { browserOf } from '../op/flow.ts'
import { USERNAME } from '../op/op.ts'
import type { Modules } from '../op/plan.ts'
import { addressOf, type Changes, complete, push, pushed, requestOf, thumbprint, use } from './flow.ts'
import { fapiOf } from './parties.ts'
import { refused } from './party.ts'

const PREFIX = 'fapi2-security-profile-final-'

const succeeds =
  (changes: Changes): Modules[string] =>
  async (op) => {
    await complete(op, fapiOf(op).one, changes)
  }

/** Echoed as it is, or refused at once: never cut short. */
const long =
  (name: 'nonce' | 'state'): Modules[string] =>
  async (op) => {
    const { one } = fapiOf(op)
    const request = requestOf(one, { [name]: 'abcdefgh'.repeat(48) })
    const answer = await push(op, one, request)
    if (answer.status === 201) await complete(op, one, { [name]: 'abcdefgh'.repeat(48) })
    else refused(answer, 'invalid_request')
  }

export const REQUESTS: Modules = {
  async [`${PREFIX}discovery-end-point-verification`]({ metadata, issuer }) {
    const list = (name: string) => metadata[name] as string[]
    expect(metadata.issuer).toBe(issuer)
    expect(metadata['pushed_authorization_request_endpoint']).toMatch(/^https:\/\//)
    expect(metadata['authorization_response_iss_parameter_supported']).toBe(true)
    expect(typeof (metadata['require_pushed_authorization_requests'] ?? false)).toBe('boolean')
    expect(list('response_types_supported')).toContain('code')
    expect(list('code_challenge_methods_supported')).toEqual(['S256'])
    expect(list('token_endpoint_auth_methods_supported')).toContain('private_key_jwt')
    // §5.4: there is one that the profile allows, and for proofs there is no other
    const allowed = ['PS256', 'ES256', 'EdDSA', 'Ed25519']
    for (const name of ['id_token', 'token_endpoint_auth'])
      expect(list(`${name}_signing_alg_values_supported`).some((alg) => allowed.includes(alg))).toBe(true)
    expect(list('dpop_signing_alg_values_supported').filter((alg) => !allowed.includes(alg))).toEqual([])
    expect(list('dpop_signing_alg_values_supported').length).toBeGreaterThan(0)
    expect(metadata['tls_client_certificate_bound_access_tokens']).toBe(true)
    expect(list('scopes_supported')).toContain('openid')
    expect(list('subject_types_supported').length).toBeGreaterThan(0)
  },

  async [`${PREFIX}happy-flow`](op) {
    const { one, two } = fapiOf(op)
    const tokens = [await complete(op, one), await complete(op, two)]
    // RFC 7523 as well as RFC 7662 know the key
    for (const [i, { access }] of tokens.entries()) {
      const other = await use(op, i === 0 ? two : one, access)
      expect(other.status).toBe(401)
    }
    expect(await thumbprint(one.proofKeys)).not.toBe(await thumbprint(two.proofKeys))
  },

  async [`${PREFIX}user-rejects-authentication`](op) {
    for (const party of [fapiOf(op).one, fapiOf(op).two]) {
      const request = requestOf(party, { state: 's'.repeat(128), prompt: 'consent' })
      const browser = browserOf(op)
      let page = await browser.open(addressOf(op, party, await pushed(op, party, request)))
      page = await typePassword(browser, page, USERNAME)
      await browser.submit(formOf(page, 'consent'), { answer: 'no' })
      const [came] = op.receiver.taken(new URL(party.redirectUri).pathname)
      expect(Object.fromEntries(came!.query)).toMatchObject({
        error: 'access_denied',
        state: request.parameters['state'],
        iss: op.metadata.issuer,
      })
    }
  },

  [`${PREFIX}ensure-authorization-request-without-state-success`]: succeeds({ state: undefined }),
  [`${PREFIX}ensure-authorization-request-without-nonce-success`]: succeeds({ nonce: undefined }),
  [`${PREFIX}ensure-authorization-request-with-64-char-nonce-success`]: succeeds({ nonce: 'abcdefgh'.repeat(8) }),
  [`${PREFIX}ensure-authorization-request-with-long-nonce`]: long('nonce'),
  [`${PREFIX}ensure-authorization-request-with-long-state`]: long('state'),

  async [`${PREFIX}ensure-other-scope-order-succeeds`](op) {
    const { one } = fapiOf(op)
    for (const scope of ['openid email profile', 'profile email openid']) {
      const { access } = await complete(op, one, { scope })
      const told = (await (await use(op, one, access)).json()) as object
      expect(told).toMatchObject({ email: 'sam@kestrel.example', name: 'Sam de Vries' })
    }
  },

  async [`${PREFIX}test-claims-parameter-identity-claims`](op) {
    const { one } = fapiOf(op)
    expect(op.metadata['claims_parameter_supported']).toBe(true)
    const names = ['name', 'given_name', 'family_name', 'email', 'email_verified']
    for (const name of names) expect(op.metadata['claims_supported']).toContain(name)
    // one that nobody knows is no reason to refuse
    const asked = Object.fromEntries([...names, 'shoe_size'].map((name) => [name, null]))
    const claims = JSON.stringify({ userinfo: asked, id_token: asked })
    const tokens = await complete(op, one, { claims })
    const told = (await (await use(op, one, tokens.access)).json()) as Record<string, unknown>
    for (const name of names) expect([name, name in told, name in tokens.claims]).toEqual([name, true, true])
    for (const one of [told, tokens.claims]) expect(one).not.toHaveProperty('shoe_size')
  },

  // --- what must not be taken

  async [`${PREFIX}ensure-registered-redirect-uri`](op) {
    const { one } = fapiOf(op)
    const redirect_uri = `${one.redirectUri}/other`
    refused(await push(op, one, requestOf(one, { redirect_uri })), 'invalid_request', 'invalid_redirect_uri')
  },
  async [`${PREFIX}ensure-redirect-uri-in-authorization-request`](op) {
    const { one } = fapiOf(op)
    refused(await push(op, one, requestOf(one, { redirect_uri: undefined })), 'invalid_request')
  },
  async [`${PREFIX}ensure-response-type-code-idtoken-fails`](op) {
    const { one } = fapiOf(op)
    const answer = await push(op, one, requestOf(one, { response_type: 'code id_token' }))
    refused(answer, 'unsupported_response_type', 'unauthorized_client', 'invalid_request')
  },
  async [`${PREFIX}ensure-response-type-token-fails`](op) {
    const { one } = fapiOf(op)
    const answer = await push(op, one, requestOf(one, { response_type: 'token' }))
    refused(answer, 'unsupported_response_type', 'unauthorized_client', 'invalid_request')
  },
}
