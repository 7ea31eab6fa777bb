/** The pushed authorization request endpoint (RFC 9126), and what becomes of the address that it hands out. */
import { expect } from 'vitest'
import { now } from '../../support/proofs.ts'
import { browserOf } from '../op/flow.ts'
import type { Op } from '../op/op.ts'
import type { Modules } from '../op/plan.ts'
import { addressOf, authorize, type Changes, complete, PUSHED, push, pushed, requestOf } from './flow.ts'
import { fapiOf } from './parties.ts'
import { type AssertionParts, refused, send } from './party.ts'

const PREFIX = 'fapi2-security-profile-final-par-'

const refusedFor =
  (changes: Changes, ...errors: readonly string[]): Modules[string] =>
  async (op) => {
    const { one } = fapiOf(op)
    refused(await push(op, one, requestOf(one, changes)), ...errors)
  }

const assertionRefused =
  (parts: (op: Op) => AssertionParts): Modules[string] =>
  async (op) => {
    const { one } = fapiOf(op)
    refused(await push(op, one, requestOf(one), { assertion: parts(op) }), 'invalid_client', 'invalid_request')
  }

/** The address is worth nothing: the person sees a page, or the client an error without a code. */
async function worthless(op: Op, address: string): Promise<void> {
  const browser = browserOf(op)
  const page = await browser.open(address)
  expect(page.text).not.toContain('name="username"')
  const came = [fapiOf(op).one, fapiOf(op).two].flatMap(({ redirectUri }) =>
    op.receiver.taken(new URL(redirectUri).pathname),
  )
  if (came.length === 0) expect([page.url.origin, page.status]).toEqual([op.metadata.issuer, 400])
  for (const { query } of came)
    expect([query.get('error'), query.has('code')]).toEqual([expect.stringMatching(/^invalid_request/), false])
}

export const PUSHING: Modules = {
  async [`${PREFIX}without-duplicate-parameters`](op) {
    await complete(op, fapiOf(op).one)
  },

  async [`${PREFIX}ensure-reused-request-uri-prior-to-auth-completion-succeeds`](op) {
    const { one } = fapiOf(op)
    const request = requestOf(one)
    const address = addressOf(op, one, await pushed(op, one, request))
    // looked at before, by a program or another browser: nobody has signed in with it
    for (let i = 0; i < 2; i++) expect((await browserOf(op).open(address)).text).toContain('name="username"')
    const answer = await authorize(op, one, address)
    expect([answer?.get('state'), answer?.has('code')]).toEqual([request.parameters['state'], true])
  },

  async [`${PREFIX}attempt-reuse-request_uri`](op) {
    const { one } = fapiOf(op)
    const address = addressOf(op, one, await pushed(op, one, requestOf(one)))
    expect((await authorize(op, one, address))?.has('code')).toBe(true)
    await worthless(op, address)
  },

  async [`${PREFIX}attempt-to-use-expired-request_uri`](op) {
    const { one } = fapiOf(op)
    const { body } = await push(op, one, requestOf(one))
    op.pass((Number(body['expires_in']) + 1) * 1000)
    await worthless(op, addressOf(op, one, String(body['request_uri'])))
  },

  async [`${PREFIX}attempt-to-use-request_uri-for-different-client`](op) {
    const { one, two } = fapiOf(op)
    await worthless(op, addressOf(op, two, await pushed(op, one, requestOf(one))))
  },

  async [`${PREFIX}attempt-invalid-http-method`](op) {
    const { one } = fapiOf(op)
    const { parameters } = requestOf(one)
    const { status, body } = await send(op, one, String(op.metadata[PUSHED]), parameters, {
      method: 'PUT',
      proof: null,
    })
    expect(status).toBe(405)
    expect(body).not.toHaveProperty('request_uri')
  },

  [`${PREFIX}authorization-request-containing-request_uri-form-param`]: refusedFor(
    { request_uri: 'urn:ietf:params:oauth:request_uri:aaaaaaaaaaaaaaaaaaaaaaaaaaaa' },
    'invalid_request',
    'request_uri_not_supported',
  ),
  [`${PREFIX}ensure-pkce-required`]: refusedFor(
    { code_challenge: undefined, code_challenge_method: undefined },
    'invalid_request',
  ),
  [`${PREFIX}plain-pkce-rejected`]: refusedFor({ code_challenge_method: 'plain' }, 'invalid_request'),

  async [`${PREFIX}ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted`](op) {
    const { one } = fapiOf(op)
    const times = () => ({ iat: now() + 8, nbf: now() + 8, exp: now() + 68 })
    await pushed(op, one, requestOf(one), { assertion: { claims: times() } })
  },
  [`${PREFIX}ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails`]: assertionRefused(() => ({
    claims: { iat: now() + 70, nbf: now() + 70, exp: now() + 130 },
  })),
}
