/** What has to succeed, and what comes of it: codes, tokens, userinfo. */
import { decodeProtectedHeader } from 'jose'
import { expect } from 'vitest'
import { formsOf } from '../../../demo/browser.ts'
import {
  addressOf,
  answerOf,
  arrive,
  ask,
  browserOf,
  complete,
  finish,
  type How,
  type Parameters,
  redeem,
  requestFor,
  signIn,
  userinfo,
} from '../op/flow.ts'
import type { Op } from '../op/op.ts'
import type { Modules } from '../op/plan.ts'

/** OIDC Core §2, §3.1.2.5, §3.1.3.3: beyond what every flow checks. */
async function server(op: Op, clients: readonly string[]): Promise<void> {
  const codes: string[] = []
  for (const id of clients) {
    const client = op.client(id)
    expect(op.metadata['token_endpoint_auth_methods_supported']).toContain(client.method)
    const { code, claims } = await complete(op, { client })
    // RFC 6749 §10.10
    expect(code.length).toBeGreaterThanOrEqual(22)
    codes.push(code)
    const plain = ['sub', 'acr', 'amr', 'auth_time', 'sid', 'nonce', 'at_hash', 'aud', 'exp', 'iat', 'iss']
    expect(Object.keys(claims).filter((name) => !plain.includes(name))).toEqual([])
  }
  expect(new Set(codes).size).toBe(clients.length)
}

const succeeds =
  (parameters: Parameters) =>
  async (op: Op): Promise<void> => {
    await complete(op, { parameters })
  }

const userinfoBy =
  (how: How) =>
  async (op: Op): Promise<void> => {
    const { tokens, claims } = await complete(op)
    expect((await userinfo(op, tokens.access, how)).sub).toBe(claims.sub)
  }

export const HAPPY: Modules = {
  'oidcc-server': (op) => server(op, ['client', 'client2']),
  'oidcc-server-client-secret-post': (op) => server(op, ['post']),

  async 'oidcc-idtoken-signature'(op) {
    const { tokens } = await complete(op)
    // nothing is registered about it: OIDC Registration §2
    expect(decodeProtectedHeader(tokens.id)).toMatchObject({ alg: 'RS256', kid: expect.any(String) })
  },

  'oidcc-userinfo-get': userinfoBy((access) => ({ headers: { authorization: `Bearer ${access}` } })),
  'oidcc-userinfo-post-header': userinfoBy((access) => ({
    method: 'POST',
    headers: { authorization: `Bearer ${access}` },
  })),
  'oidcc-userinfo-post-body': userinfoBy((access) => ({
    method: 'POST',
    body: new URLSearchParams({ access_token: access }),
  })),

  async 'oidcc-ensure-request-without-nonce-succeeds-for-code-flow'(op) {
    const { claims } = await complete(op, { parameters: { nonce: undefined } })
    expect(claims).not.toHaveProperty('nonce')
  },

  // OIDC Core §3.1.2.1: what they ask for is up to the provider, and that they are sent is no error
  'oidcc-display-page': succeeds({ display: 'page' }),
  'oidcc-display-popup': succeeds({ display: 'popup' }),
  'oidcc-claims-locales': succeeds({ claims_locales: 'se' }),
  'oidcc-ensure-request-with-unknown-parameter-succeeds': succeeds({ extra: 'foobar' }),

  'oidcc-ui-locales': succeeds({ ui_locales: 'se' }),

  async 'oidcc-login-hint'(op) {
    const client = op.client('client')
    const browser = browserOf(op)
    const asked = await ask(op, browser, client, { login_hint: 'sam' })
    expect(formsOf(asked.page).some(({ fields }) => fields.get('username') === 'sam')).toBe(true)
    await finish(op, client, await signIn(op, browser, client, asked))
    // the suite's own is a mail address, also of nobody
    await complete(op, { parameters: { login_hint: 'buffy@kestrel.example' } })
  },

  async 'oidcc-ensure-request-with-acr-values-succeeds'(op) {
    const supported = op.metadata['acr_values_supported'] as string[]
    const { claims } = await complete(op, { parameters: { acr_values: supported.join(' ') } })
    expect(supported).toContain(claims['acr'])
  },

  async 'oidcc-ensure-post-request-succeeds'(op) {
    const client = op.client('client')
    const browser = browserOf(op)
    const request = requestFor(op, client)
    const fields = new URLSearchParams(request)
    const asked = await browser.submit({ action: new URL(op.metadata.authorization_endpoint), fields })
    expect(await arrive(op, browser, client, asked)).toBeUndefined()
    const { state, nonce } = request as { state: string; nonce: string }
    await finish(op, client, await signIn(op, browser, client, { page: asked, state, nonce }))
    // and once more, where nothing is asked: the answer comes at once
    const again = await browser.submit({ action: new URL(op.metadata.authorization_endpoint), fields })
    expect(answerOf(op, (await arrive(op, browser, client, again))!, state).get('code')).toBeTruthy()
  },

  async 'oidcc-ensure-request-with-valid-pkce-succeeds'(op) {
    const client = op.client('client')
    // RFC 7636 Appendix B
    const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
    const parameters = {
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
    }
    await complete(op, { parameters, redeeming: { code_verifier: verifier } })
    // a module that cannot fail is none: the challenge is looked at
    const browser = browserOf(op)
    const { answer } = await signIn(op, browser, client, await ask(op, browser, client, parameters))
    const refused = await redeem(op, client, answer!.get('code')!, { code_verifier: `${verifier}x` })
    expect([refused.status, refused.body['error']]).toEqual([400, 'invalid_grant'])
  },

  async 'oidcc-alternate-happy-flow'(op) {
    const client = op.client('client')
    const browser = browserOf(op)
    const request = requestFor(op, client, { scope: 'email openid' })
    const reversed = Object.fromEntries(Object.entries(request).reverse())
    const page = await browser.open(addressOf(op, reversed))
    const { state, nonce } = request as { state: string; nonce: string }
    const asked = await signIn(op, browser, client, { page, state, nonce })
    const { tokens } = await finish(op, client, asked)
    expect(await userinfo(op, tokens.access)).toMatchObject({ email: 'sam@kestrel.example', email_verified: true })
  },
}
