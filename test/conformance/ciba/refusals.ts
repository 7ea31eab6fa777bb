/** Modules in which something is wrong with the request, or with who comes for the tokens. */
import { es256, now, unsigned } from '../../support/proofs.ts'
import { refused } from '../fapi2/party.ts'
import { USERNAME } from '../op/op.ts'
import type { Modules } from '../op/plan.ts'
import { answerOnScreen, ask, asked, askUnsigned, partiesOf, poll, type Request } from './asking.ts'

const REQUEST = ['invalid_request', 'invalid_request_object']
const wrong =
  (request: () => Request): Modules[string] =>
  async (op) =>
    refused(await ask(op, request()), ...REQUEST)
const without = (claim: string) => wrong(() => ({ claims: { [claim]: undefined } }))

export const REFUSALS: Modules = {
  'fapi-ciba-id1-ensure-request-object-missing-aud-fails': without('aud'),
  'fapi-ciba-id1-ensure-request-object-bad-aud-fails': wrong(() => ({ claims: { aud: 'https://other.example' } })),
  'fapi-ciba-id1-ensure-request-object-missing-iss-fails': without('iss'),
  'fapi-ciba-id1-ensure-request-object-bad-iss-fails': wrong(() => ({ claims: { iss: 'somebody' } })),
  'fapi-ciba-id1-ensure-request-object-missing-exp-fails': without('exp'),
  'fapi-ciba-id1-ensure-request-object-expired-exp-fails': wrong(() => ({ claims: { exp: now() - 300 } })),
  'fapi-ciba-id1-ensure-request-object-exp-is-70-minutes-in-future-fails': wrong(() => ({
    claims: { exp: now() + 4200 },
  })),
  'fapi-ciba-id1-ensure-request-object-missing-iat-fails': without('iat'),
  'fapi-ciba-id1-ensure-request-object-missing-nbf-fails': without('nbf'),
  'fapi-ciba-id1-ensure-request-object-nbf-is-10-minutes-in-future-fails': wrong(() => ({
    claims: { nbf: now() + 600, exp: now() + 900 },
  })),
  'fapi-ciba-id1-ensure-request-object-nbf-is-70-minutes-in-past-fails': wrong(() => ({
    claims: { nbf: now() - 4200 },
  })),
  'fapi-ciba-id1-ensure-request-object-missing-jti-fails': without('jti'),
  'fapi-ciba-id1-ensure-request-object-signature-algorithm-is-none-fails': wrong(() => ({
    ...{ header: { alg: 'none' }, signer: unsigned },
  })),
  // the right algorithm, and a signature of something else
  'fapi-ciba-id1-ensure-request-object-signature-algorithm-is-bad-fails': wrong(() => ({
    ...{ signer: () => 'x'.repeat(86) },
  })),
  async 'fapi-ciba-id1-ensure-request-object-signed-by-other-client-fails'(op) {
    const [, two] = partiesOf(op)
    refused(await ask(op, { signer: es256(two.keys.privateKey) }), ...REQUEST)
  },
  'fapi-ciba-id1-ensure-authorization-request-with-multiple-hints-fails': wrong(() => ({
    claims: { id_token_hint: 'eyJhbGciOiJFUzI1NiJ9.e30.x' },
  })),
  async 'fapi-ciba-id1-ensure-unsigned-backchannel-authorization-request-fails'(op) {
    op.pass(61_000)
    refused(await askUnsigned(op, { scope: 'openid', login_hint: USERNAME }), ...REQUEST)
  },
  async 'fapi-ciba-id1-ensure-wrong-auth-req-id-in-token-endpoint-request'(op) {
    const question = asked(await ask(op))
    await answerOnScreen(op, 'allow')
    refused(await poll(op, question, partiesOf(op)[1]), 'invalid_grant')
  },
  async 'fapi-ciba-id1-ensure-without-client-assertion-in-backchannel-authorization-request'(op) {
    refused(await ask(op, {}, { assertion: null }), 'invalid_client', 'invalid_request')
  },
  async 'fapi-ciba-id1-ensure-without-client-assertion-in-token-endpoint-request'(op) {
    const question = asked(await ask(op))
    refused(await poll(op, question, undefined, { assertion: null }), 'invalid_client', 'invalid_request')
    await answerOnScreen(op, 'deny')
  },
}
