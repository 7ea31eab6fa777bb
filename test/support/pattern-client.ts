/** An app on openid-client as its template describes it, and as careful as the library can be told to be. */
import { decodeProtectedHeader } from 'jose'
import * as oidc from 'openid-client'
import type { Page } from '../../demo/browser.ts'
import type { OidcPattern } from './templates.ts'

export interface SignedIn {
  readonly idToken: Readonly<Record<string, unknown>>
  readonly alg: string | undefined
  readonly userinfo: Readonly<Record<string, unknown>>
  readonly scopes: readonly string[]
  /** The claims of the ID token that a refresh brought; undefined for apps that do not refresh. */
  readonly refreshed?: Readonly<Record<string, unknown>>
}

const AUTHENTICATION = {
  client_secret_basic: oidc.ClientSecretBasic,
  client_secret_post: oidc.ClientSecretPost,
  none: () => oidc.None(),
}

export const discover = (issuer: string): Promise<oidc.ServerMetadata> =>
  oidc
    .discovery(new URL(issuer), 'nobody', undefined, undefined, { execute: [oidc.allowInsecureRequests] })
    .then((configuration) => configuration.serverMetadata())

/** Signs in at one of its addresses. `open` brings a browser there and says where it has come to. */
export async function signInAs(
  { slug, method, alg, scopes, grants }: OidcPattern,
  about: {
    readonly server: oidc.ServerMetadata
    readonly secret: string | undefined
    readonly redirectUri: string
    readonly pkce: boolean
    readonly prompt?: 'consent'
    readonly sub: string
    open(url: string): Promise<Page>
  },
): Promise<SignedIn> {
  const { server, secret, redirectUri, sub } = about
  const authentication = AUTHENTICATION[method](secret)
  const client = new oidc.Configuration(server, slug, { id_token_signed_response_alg: alg }, authentication)
  oidc.allowInsecureRequests(client)
  // the ID token's signature is checked too, although it comes straight from the token endpoint
  oidc.enableNonRepudiationChecks(client)
  // the library takes a redirect URI's own query for a part of the answer, and `http://localhost:8000` for another text
  client[oidc.customFetch] = (url, init) => {
    if (init.body instanceof URLSearchParams && init.body.has('code')) init.body.set('redirect_uri', redirectUri)
    return fetch(url, init as RequestInit)
  }
  const begun = { verifier: oidc.randomPKCECodeVerifier(), state: oidc.randomState(), nonce: oidc.randomNonce() }
  const asked = oidc.buildAuthorizationUrl(client, {
    redirect_uri: redirectUri,
    scope: scopes.join(' '),
    state: begun.state,
    nonce: begun.nonce,
    ...(about.prompt && { prompt: about.prompt }),
    ...(about.pkce && {
      code_challenge: await oidc.calculatePKCECodeChallenge(begun.verifier),
      code_challenge_method: 'S256',
    }),
  })
  const { url, status } = await about.open(asked.href)
  const registered = new URL(redirectUri)
  if (!url.href.startsWith(registered.href)) throw new Error(`stopped at ${url.origin}${url.pathname} (${status})`)
  const tokens = await oidc.authorizationCodeGrant(client, url, {
    expectedState: begun.state,
    expectedNonce: begun.nonce,
    idTokenExpected: true,
    ...(about.pkce && { pkceCodeVerifier: begun.verifier }),
  })
  const refreshing = grants.includes('refresh_token')
  if (refreshing !== (tokens.refresh_token !== undefined)) throw new Error('a refresh token is there, or is not')
  const renewed = refreshing ? await oidc.refreshTokenGrant(client, tokens.refresh_token!) : undefined
  return {
    idToken: { ...tokens.claims() },
    alg: decodeProtectedHeader(tokens.id_token!).alg,
    userinfo: { ...(await oidc.fetchUserInfo(client, (renewed ?? tokens).access_token, sub)) },
    scopes: (tokens.scope ?? '').split(' '),
    ...(renewed && { refreshed: { ...renewed.claims() } }),
  }
}
