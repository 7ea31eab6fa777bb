/** Whoever asks for what it is not registered with hears that (RFC 6749 §4.1.2.1 and §5.2, CIBA Core 1.0 §13, RFC 8628 §3.2). */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { send } from '../support/ciba.ts'
import { failuresOf } from '../support/failures.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { CALLBACK } from '../support/relying-party.ts'

const GRANT = 'urn:ietf:params:oauth:grant-type'
const CODE = { response_type: 'code', code_challenge: 'c'.repeat(43), code_challenge_method: 'S256' }

let gateway: Gateway
beforeAll(async () => {
  gateway = await startGateway({
    policies: POLICIES,
    apps: [
      { id: 'machine', template: 'machine', policy: 'plain' },
      { id: 'web', policy: 'plain', audience: ['staff'], oidc: { redirect_uris: [CALLBACK] } },
      {
        ...{ id: 'screen', policy: 'plain', audience: ['staff'] },
        oidc: { grant_types: [`${GRANT}:device_code`] },
      },
    ] as never,
  })
})
afterAll(() => gateway?.close())

const asked: [string, string, string, Record<string, string>][] = [
  ['a code (§4.1.3)', 'machine', 'token', { grant_type: 'authorization_code', code: 'x', redirect_uri: CALLBACK }],
  ['a refresh (§6)', 'machine', 'token', { grant_type: 'refresh_token', refresh_token: 'x' }],
  ['a token for itself (§4.4)', 'web', 'token', { grant_type: 'client_credentials' }],
  ['what a device got (RFC 8628 §3.4)', 'web', 'token', { grant_type: `${GRANT}:device_code`, device_code: 'x' }],
  ['an answer (CIBA §10.1)', 'web', 'token', { grant_type: 'urn:openid:params:grant-type:ciba', auth_req_id: 'x' }],
  [
    ...(['an exchange (RFC 8693 §2.1)', 'web', 'token'] as const),
    { grant_type: `${GRANT}:token-exchange`, subject_token: 'x', subject_token_type: `${GRANT}:x` },
  ],
  ['a code for a device (RFC 8628 §3.1)', 'web', 'device/auth', { scope: 'openid' }],
  ['a question (CIBA §7.1)', 'web', 'ciba', { scope: 'openid', login_hint: 'sam' }],
  ['the same with anything wrong in it', 'web', 'ciba', {}],
  ['a pushed request (RFC 9126 §2.1)', 'screen', 'request', { ...CODE, client_id: 'screen', redirect_uri: CALLBACK }],
]
test.each(asked)('%s', async (_, client, path, fields) => {
  const { status, body } = await send(gateway, client, path, fields)
  expect([status, body['error']], JSON.stringify(body)).toEqual([400, 'unauthorized_client'])
  expect(body['error_description']).toMatch(/not allowed for this client/)
  expect(body).not.toHaveProperty('access_token')
})

test('a browser is not sent anywhere: who has no such grant has no address for it', async () => {
  const fields = { ...CODE, client_id: 'screen', scope: 'openid', redirect_uri: CALLBACK, state: 's' }
  const answer = await fetch(`${gateway.issuer}/oauth2/auth?${new URLSearchParams(fields)}`, { redirect: 'manual' })
  expect([answer.status, answer.headers.get('location')]).toEqual([400, null])
})

test('who shows no credentials hears that first, and a grant that nobody has is another error', async () => {
  const fields = { grant_type: 'client_credentials', client_id: 'web' }
  const answer = await fetch(`${gateway.issuer}/oauth2/token`, { method: 'POST', body: new URLSearchParams(fields) })
  expect(((await answer.json()) as { error: string }).error).toBe('invalid_client')
  for (const grant_type of ['password', 'implicit', 'constructor'])
    expect((await send(gateway, 'web', 'token', { grant_type })).body['error']).toBe('unsupported_grant_type')
  expect((await send(gateway, 'web', 'token', {})).body['error']).toBe('invalid_request')
})

test('the diagnosis of the app names it', async () => {
  await send(gateway, 'web', 'ciba', { scope: 'openid', login_hint: 'sam' })
  const { last } = failuresOf(() => gateway, Date)
  const { said } = await last('web', 'grant-not-registered')
  expect(said).toContain('registered is `authorization_code`')
})
