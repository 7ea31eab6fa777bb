/** openid-client, as its documentation has it. */
import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as oidc from 'openid-client'
import { fetchCertified } from '../../support/certified.ts'
import {
  ACCESS_TOKEN,
  type Begun,
  CALLBACK,
  certificateOf,
  EXCHANGE,
  isCertified,
  ORDERS,
  type Place,
  type Program,
  SCOPE,
  STOCK,
} from './axes.ts'

const ES256 = { name: 'ECDSA', namedCurve: 'P-256' }

async function signingKey(folder: string) {
  const der = createPrivateKey(readFileSync(join(folder, 'signing.pem'))).export({ type: 'pkcs8', format: 'der' })
  return { key: await crypto.subtle.importKey('pkcs8', der, ES256, false, ['sign']), kid: 'signing' }
}

async function authentication({ method, secret, folder }: Place): Promise<oidc.ClientAuth> {
  if (method === 'client_secret_basic') return oidc.ClientSecretBasic(secret)
  if (method === 'client_secret_post') return oidc.ClientSecretPost(secret)
  if (method === 'private_key_jwt') return oidc.PrivateKeyJwt(await signingKey(folder))
  return method === 'none' ? oidc.None() : oidc.TlsClientAuth()
}

export async function openidClient(place: Place): Promise<Program> {
  const { issuer, app, folder, method, binding } = place
  const certified = isCertified(method, binding)
  const certifiedFetch = fetchCertified(folder, certificateOf(place))
  const configuration = await oidc.discovery(
    new URL(issuer),
    app,
    {
      use_mtls_endpoint_aliases: certified,
      id_token_signed_response_alg: 'ES256',
      authorization_signed_response_alg: 'ES256',
    },
    await authentication(place),
    {
      execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks],
      ...(certified ? { [oidc.customFetch]: (url: string, init: object) => certifiedFetch(url, init) } : {}),
    },
  )
  const bound =
    binding === 'dpop' ? { DPoP: oidc.getDPoPHandle(configuration, await oidc.randomDPoPKeyPair('ES256')) } : {}
  return {
    async begin({ pushed = false, signed = false, answered = false }): Promise<Begun> {
      // what it expects of the answer is said once and for all
      const own = answered ? await oidcCopy(configuration, place) : configuration
      if (answered) oidc.useJwtResponseMode(own)
      const [verifier, state, nonce] = [oidc.randomPKCECodeVerifier(), oidc.randomState(), oidc.randomNonce()]
      let parameters: URLSearchParams | Record<string, string> = {
        ...{ redirect_uri: CALLBACK, scope: SCOPE, resource: ORDERS, state, nonce },
        code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      }
      if (signed)
        parameters = (await oidc.buildAuthorizationUrlWithJAR(own, parameters, await signingKey(folder))).searchParams
      const url = pushed
        ? await oidc.buildAuthorizationUrlWithPAR(own, parameters, bound)
        : oidc.buildAuthorizationUrl(own, parameters)
      const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true }
      const more = { resource: ORDERS }
      return { url: url.href, finish: (callback) => oidc.authorizationCodeGrant(own, callback, checks, more, bound) }
    },
    refresh: (token) => oidc.refreshTokenGrant(configuration, token, { resource: ORDERS }, bound),
    credentials: () => oidc.clientCredentialsGrant(configuration, { resource: ORDERS, scope: 'orders:read' }, bound),
    async device() {
      const begun = await oidc.initiateDeviceAuthorization(configuration, { scope: SCOPE, resource: ORDERS })
      return {
        url: begun.verification_uri_complete!,
        // somebody has connected it before it asks for the first time
        finish: () =>
          oidc.pollDeviceAuthorizationGrant(configuration, { ...begun, interval: 0 }, { resource: ORDERS }, bound),
      }
    },
    exchange: (token) =>
      oidc.genericGrantRequest(
        configuration,
        EXCHANGE,
        { subject_token: token, subject_token_type: ACCESS_TOKEN, resource: STOCK },
        bound,
      ),
  }
}

async function oidcCopy(of: oidc.Configuration, place: Place): Promise<oidc.Configuration> {
  const copy = new oidc.Configuration(of.serverMetadata(), place.app, of.clientMetadata(), await authentication(place))
  const fetching = of[oidc.customFetch]
  if (fetching) copy[oidc.customFetch] = fetching
  oidc.allowInsecureRequests(copy)
  oidc.enableNonRepudiationChecks(copy)
  return copy
}
