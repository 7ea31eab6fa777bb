/** What must not succeed, and what a client may not take from another. */
import { expect } from 'vitest'
import { headingOf } from '../../../demo/browser.ts'
import {
  AS_HEADER,
  addressOf,
  answerOf,
  arrive,
  ask,
  atTokenEndpoint,
  browserOf,
  claimsOf,
  complete,
  redeem,
  requestFor,
  signIn,
  type TokenAnswer,
  tokensOf,
  userinfo,
} from '../op/flow.ts'
import type { Op } from '../op/op.ts'
import type { Modules } from '../op/plan.ts'

/** RFC 6749 §5.2. */
function refused({ status, body }: TokenAnswer, error: string): void {
  expect([status, body['error']]).toEqual([400, error])
  for (const name of ['error_description', 'error_uri'])
    if (body[name] !== undefined) expect(body[name]).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/)
  expect(body).not.toHaveProperty('access_token')
}

/** A second use of a code, some time after the first: refused, and what the first brought is worth nothing any more. */
async function reused(op: Op, after: number): Promise<void> {
  const client = op.client('client')
  const { code, tokens } = await complete(op)
  op.pass(after)
  refused(await redeem(op, client, code), 'invalid_grant')
  const { status } = await op.fetch(op.metadata.userinfo_endpoint, AS_HEADER(tokens.access))
  expect(status).toBe(401)
}

/** OIDC Core §6.1: `alg: none`. */
const requestObject = (claims: object) =>
  `${[{ alg: 'none' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`

/** A request whose parameters stand in an object that is not taken: none of them is used, and no code comes of it. */
async function notSupported(
  op: Op,
  outside: Readonly<Record<string, string | undefined>>,
  error: string,
): Promise<void> {
  const client = op.client('client')
  const browser = browserOf(op)
  const request = requestFor(op, client, outside)
  const page = await browser.open(addressOf(op, request))
  const answer = answerOf(op, (await arrive(op, browser, client, page))!, request['state'])
  expect(answer.get('error')).toBe(error)
}

export const REFUSALS: Modules = {
  async 'oidcc-response-type-missing'(op) {
    const { answer } = await ask(op, browserOf(op), op.client('client'), { response_type: undefined })
    expect(['invalid_request', 'unsupported_response_type']).toContain(answer?.get('error'))
  },

  async 'oidcc-ensure-registered-redirect-uri'(op) {
    const client = op.client('client')
    const asked = await ask(op, browserOf(op), client, { redirect_uri: `${client.redirectUri}/not-registered` })
    // an error page, and the browser is sent nowhere
    expect([asked.page.status, asked.page.url.origin]).toEqual([400, op.metadata.issuer])
    expect(headingOf(asked.page)).toMatch(/\S/)
    expect(op.receiver.taken(new URL(`${client.redirectUri}/not-registered`).pathname)).toEqual([])
  },

  'oidcc-codereuse': (op) => reused(op, 0),
  'oidcc-codereuse-30seconds': (op) => reused(op, 30_000),

  async 'oidcc-idtoken-unsigned'(op) {
    // skipped where it is not offered: and it never is
    expect(op.metadata['id_token_signing_alg_values_supported']).not.toContain('none')
    expect(op.metadata['id_token_signing_alg_values_supported']).toContain('RS256')
  },

  async 'oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported'(op) {
    const request = requestFor(op, op.client('client'))
    // where objects are taken they are signed
    const taken = op.metadata['request_parameter_supported'] === true
    expect(op.metadata['request_object_signing_alg_values_supported'] ?? []).not.toContain('none')
    const error = taken ? 'invalid_request_object' : 'request_not_supported'
    await notSupported(op, { ...request, request: requestObject(request) }, error)
  },

  async 'oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported'(op) {
    expect(op.metadata['request_uri_parameter_supported'] ?? true).toBe(false)
    await notSupported(op, { request_uri: `${op.receiver.origin}/request.jwt` }, 'request_uri_not_supported')
    // nor is it looked at
    expect(op.receiver.taken('/request.jwt')).toEqual([])
  },

  async 'oidcc-ensure-request-object-with-redirect-uri'(op) {
    const client = op.client('client')
    const request = requestFor(op, client)
    const wrong = { ...request, redirect_uri: `${client.redirectUri}/wrong`, request: requestObject(request) }
    const browser = browserOf(op)
    const page = await browser.open(addressOf(op, wrong))
    expect([page.status, page.url.origin]).toEqual([400, op.metadata.issuer])
    expect(await arrive(op, browser, client, page)).toBeUndefined()
  },

  async 'oidcc-refresh-token'(op) {
    const parameters = { scope: 'openid offline_access', prompt: 'consent' }
    const tokensFor = async (id: string) => {
      const client = op.client(id)
      const browser = browserOf(op)
      const asked = await signIn(op, browser, client, await ask(op, browser, client, parameters))
      return { client, nonce: asked.nonce, tokens: tokensOf(await redeem(op, client, asked.answer!.get('code')!)) }
    }
    expect(op.metadata['grant_types_supported']).toContain('refresh_token')
    const [one, two] = [await tokensFor('client'), await tokensFor('client2')]
    const refresh = (token: string) =>
      atTokenEndpoint(op, one.client, { grant_type: 'refresh_token', refresh_token: token })
    expect(one.tokens.refresh).toMatch(/^[\x20-\x7e]+$/)
    const before = await claimsOf(op, one.client, one.tokens.id, one.nonce)
    op.pass(2000)
    const renewed = tokensOf(await refresh(one.tokens.refresh!))
    expect(renewed.access).not.toBe(one.tokens.access)
    // OIDC Core §12.2
    const after = await claimsOf(op, one.client, renewed.id, one.nonce)
    for (const name of ['iss', 'sub', 'aud', 'auth_time', 'azp']) expect(after[name]).toEqual(before[name])
    expect(after.iat).toBeGreaterThan(before.iat!)
    expect((await userinfo(op, renewed.access)).sub).toBe(before.sub)
    // the other client's
    refused(await refresh(two.tokens.refresh!), 'invalid_grant')
  },
}
