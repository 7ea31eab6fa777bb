/** Tokens bound to a key (RFC 9449), by a client that is not ours: openid-client makes and repeats the proofs by itself. */
import { calculateJwkThumbprint, exportJWK } from 'jose'
import * as oidc from 'openid-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createBrowser } from '../../demo/browser.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { POLICIES } from '../support/policies.ts'
import { CALLBACK, relyingParty, signIn } from '../support/relying-party.ts'

let gateway: Gateway
beforeAll(async () => {
  gateway = await startGateway({
    policies: POLICIES,
    people: [{ username: 'sam', name: 'Sam de Vries', mail: 'sam@kestrel.example', groups: ['staff'] }],
    apps: [
      { id: 'machine', template: 'machine', policy: 'plain', oidc: { dpop_bound_access_tokens: true } },
      {
        id: 'web',
        policy: 'plain',
        audience: ['staff'],
        oidc: {
          redirect_uris: [CALLBACK],
          scopes: ['openid', 'profile', 'email', 'offline_access'],
          grant_types: ['authorization_code', 'refresh_token'],
          dpop_bound_access_tokens: true,
        },
      },
    ] as never,
  })
})
afterAll(() => gateway.close())

const handleFor = async (configuration: oidc.Configuration, alg: string) => {
  const keys = await oidc.randomDPoPKeyPair(alg)
  return {
    DPoP: oidc.getDPoPHandle(configuration, keys),
    jkt: await calculateJwkThumbprint(await exportJWK(keys.publicKey)),
  }
}

test('the discovery document says how proofs may be signed', async () => {
  const { configuration } = await relyingParty(gateway, 'machine')
  expect(configuration.serverMetadata().dpop_signing_alg_values_supported).toEqual([
    'ES256',
    'EdDSA',
    'Ed25519',
    'PS256',
  ])
})

test.each(['ES256', 'Ed25519', 'PS256'])('a program gets its token with a proof signed by %s', async (alg) => {
  const { configuration } = await relyingParty(gateway, 'machine')
  const { DPoP, jkt } = await handleFor(configuration, alg)
  const token = await oidc.clientCredentialsGrant(configuration, {}, { DPoP })
  expect(token.token_type).toBe('dpop')
  const told = await oidc.tokenIntrospection(configuration, token.access_token)
  expect(told).toMatchObject({ active: true, token_type: 'DPoP', cnf: { jkt } })
  // the next one needs no second round: the answer told the nonce
  await expect(oidc.clientCredentialsGrant(configuration, {}, { DPoP })).resolves.toBeTruthy()
})

test('somebody signs in, and the tokens of the app are bound: code, userinfo and refresh', async () => {
  const party = await relyingParty(gateway, 'web')
  const { configuration } = party
  const { DPoP, jkt } = await handleFor(configuration, 'ES256')
  const bound = {
    ...party,
    finish: (begun: Parameters<typeof party.finish>[0], url: URL) =>
      oidc.authorizationCodeGrant(
        configuration,
        url,
        { pkceCodeVerifier: begun.verifier, expectedState: begun.state, expectedNonce: begun.nonce },
        undefined,
        { DPoP },
      ),
  }
  const browser = createBrowser({ stopAt: CALLBACK })
  const parameters = { scope: 'openid email offline_access', dpop_jkt: await DPoP.calculateThumbprint() }
  const { tokens } = await signIn(browser, bound, 'sam', parameters)
  expect(tokens.token_type).toBe('dpop')
  const sub = tokens.claims()!.sub
  const info = await oidc.fetchUserInfo(configuration, tokens.access_token, sub, { DPoP })
  expect(info.email).toBe('sam@kestrel.example')
  const refreshed = await oidc.refreshTokenGrant(configuration, tokens.refresh_token!, {}, { DPoP })
  expect(await oidc.tokenIntrospection(configuration, refreshed.access_token)).toMatchObject({ cnf: { jkt } })
})

test('a code that was asked for by one key is not redeemed by another', async () => {
  const party = await relyingParty(gateway, 'web')
  const [first, second] = [await handleFor(party.configuration, 'ES256'), await handleFor(party.configuration, 'ES256')]
  const begun = await party.begin({ dpop_jkt: first.jkt })
  const browser = createBrowser({ stopAt: CALLBACK })
  const stolen = {
    ...party,
    begin: async () => begun,
    finish: (_: unknown, url: URL) =>
      oidc.authorizationCodeGrant(
        party.configuration,
        url,
        { pkceCodeVerifier: begun.verifier, expectedState: begun.state, expectedNonce: begun.nonce },
        undefined,
        { DPoP: second.DPoP },
      ),
  }
  await expect(signIn(browser, stolen, 'sam')).rejects.toMatchObject({ error: 'invalid_grant' })
})
