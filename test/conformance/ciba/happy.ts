/** Modules in which a client that behaves well asks somebody. */
import { expect } from 'vitest'
import { CIBA } from '../../support/ciba.ts'
import { refused, send } from '../fapi2/party.ts'
import type { Modules } from '../op/plan.ts'
import { answerOnScreen, ask, asked, partiesOf, poll } from './asking.ts'

const tokensOf = (answer: Awaited<ReturnType<typeof poll>>) => {
  expect(answer.status).toBe(200)
  expect(answer.body).toMatchObject({
    token_type: 'DPoP',
    access_token: expect.any(String),
    id_token: expect.any(String),
  })
  return answer.body
}

export const HAPPY: Modules = {
  async 'fapi-ciba-id1-discovery-end-point-verification'({ metadata }) {
    expect(metadata['backchannel_token_delivery_modes_supported']).toContain('poll')
    expect(metadata['grant_types_supported']).toContain(CIBA)
    expect(new URL(String(metadata['backchannel_authentication_endpoint'])).protocol).toBe('https:')
    const algs = metadata['backchannel_authentication_request_signing_alg_values_supported']
    expect(algs).toEqual(expect.arrayContaining(['PS256', 'ES256']))
    expect(algs).not.toContain('none')
  },

  async 'fapi-ciba-id1'(op) {
    for (const party of partiesOf(op)) {
      if (party.id !== 'ciba-one') continue
      const question = asked(await ask(op))
      await answerOnScreen(op, 'allow')
      const { id_token: token } = tokensOf(await poll(op, question))
      const claims = JSON.parse(Buffer.from(String(token).split('.')[1]!, 'base64url').toString())
      expect(claims).toMatchObject({ iss: op.metadata.issuer, aud: party.id, sub: expect.any(String) })
    }
  },

  async 'fapi-ciba-id1-user-rejects-authentication'(op) {
    const question = asked(await ask(op))
    await answerOnScreen(op, 'deny')
    refused(await poll(op, question), 'access_denied')
  },

  async 'fapi-ciba-id1-multiple-call-to-token-endpoint'(op) {
    const question = asked(await ask(op))
    refused(await poll(op, question), 'authorization_pending')
    for (const _ of [1, 2, 3]) refused(await poll(op, question), 'authorization_pending', 'slow_down')
    op.pass(60_000)
    refused(await poll(op, question), 'authorization_pending')
    await answerOnScreen(op, 'allow')
    tokensOf(await poll(op, question))
  },

  async 'fapi-ciba-id1-auth-req-id-expired'(op) {
    const question = asked(await ask(op, { claims: { requested_expiry: 10 } }))
    expect(question.body['expires_in']).toBe(10)
    op.pass(11_000)
    refused(await poll(op, question), 'expired_token')
  },

  async 'fapi-ciba-id1-ensure-authorization-request-with-binding-message-succeeds'(op) {
    const question = asked(await ask(op, { claims: { binding_message: '1234' } }))
    expect(await answerOnScreen(op, 'allow')).toContain('1234')
    tokensOf(await poll(op, question))
  },

  async 'fapi-ciba-id1-ensure-other-scope-order-succeeds'(op) {
    const question = asked(await ask(op, { claims: { scope: 'profile openid' } }))
    await answerOnScreen(op, 'allow')
    tokensOf(await poll(op, question))
  },

  async 'fapi-ciba-id1-ensure-requested-expiry-as-string-succeeds'(op) {
    for (const requested_expiry of ['30', 30])
      expect(asked(await ask(op, { claims: { requested_expiry } })).body['expires_in']).toBe(30)
    await answerOnScreen(op, 'deny')
  },

  // shown as it is, or refused
  async 'fapi-ciba-id1-ensure-authorization-request-with-potentially-bad-binding-message'(op) {
    const message = '1234 Пожалуйста, подтвердите 確認 \u00e9 – please'
    const question = asked(await ask(op, { claims: { binding_message: message } }))
    expect(await answerOnScreen(op, 'allow')).toContain(message)
    tokensOf(await poll(op, question))
    refused(await ask(op, { claims: { binding_message: '🙂'.repeat(60) } }), 'invalid_binding_message')
  },

  async 'fapi-ciba-id1-ensure-client-assertion-with-iss-aud-to-token-endpoint-succeeds'(op) {
    const question = asked(await ask(op))
    await answerOnScreen(op, 'allow')
    tokensOf(await poll(op, question, undefined, { assertion: { claims: { aud: op.metadata.issuer } } }))
  },

  async 'fapi-ciba-id1-refresh-token'(op) {
    const question = asked(await ask(op, { claims: { scope: 'openid offline_access' } }))
    await answerOnScreen(op, 'allow')
    const { refresh_token } = tokensOf(await poll(op, question)) as { refresh_token: string }
    const [one, two] = partiesOf(op)
    const fields = { grant_type: 'refresh_token', refresh_token }
    refused(await send(op, two, op.metadata.token_endpoint, fields), 'invalid_grant')
    const again = await send(op, one, op.metadata.token_endpoint, fields)
    expect([again.status, again.body['token_type']]).toEqual([200, 'DPoP'])
  },
}
