/** A relying party on openid-client, as a test needs it: one call to begin, one to end. */
import * as oidc from 'openid-client'
import { type createBrowser, formOf, type Page } from '../../demo/browser.ts'
import { type Gateway, PASSWORD } from './gateway.ts'

export type Browser = ReturnType<typeof createBrowser>

/** Nobody listens there: the browser stops at the redirect. */
export const CALLBACK = 'http://localhost:9/callback'

export interface RelyingParty {
  readonly configuration: oidc.Configuration
  begin(parameters?: Record<string, string>): Promise<{ url: URL; verifier: string; state: string; nonce: string }>
  /** Exchanges what came back at the callback. */
  finish(
    begun: { verifier: string; state: string; nonce: string },
    callback: URL,
  ): Promise<oidc.TokenEndpointResponse & oidc.TokenEndpointResponseHelpers>
}

export async function relyingParty(
  gateway: Gateway,
  id: string,
  authentication?: oidc.ClientAuth,
): Promise<RelyingParty> {
  const secret = gateway.secrets.get(id)
  const configuration = await oidc.discovery(new URL(gateway.issuer), id, secret, authentication, {
    execute: [oidc.allowInsecureRequests],
  })
  return {
    configuration,
    async begin(parameters = {}) {
      const begun = { verifier: oidc.randomPKCECodeVerifier(), state: oidc.randomState(), nonce: oidc.randomNonce() }
      const url = oidc.buildAuthorizationUrl(configuration, {
        redirect_uri: CALLBACK,
        scope: 'openid profile email',
        code_challenge: await oidc.calculatePKCECodeChallenge(begun.verifier),
        code_challenge_method: 'S256',
        state: begun.state,
        nonce: begun.nonce,
        ...parameters,
      })
      return { url, ...begun }
    },
    finish: (begun, callback) =>
      oidc.authorizationCodeGrant(configuration, callback, {
        pkceCodeVerifier: begun.verifier,
        expectedState: begun.state,
        expectedNonce: begun.nonce,
        idTokenExpected: true,
      }),
  }
}

/** Types the user name and the password, wherever the browser is asked. */
export async function typePassword(
  browser: Browser,
  asked: Page,
  username: string,
  password = PASSWORD,
): Promise<Page> {
  const page = await browser.submit(formOf(asked, 'identifier'), { username })
  return browser.submit(formOf(page, 'password'), { password })
}

/** Opens the app and signs in on the way: the tokens, and the address the browser was sent back to. */
export async function signIn(
  browser: Browser,
  party: RelyingParty,
  username: string,
  parameters: Record<string, string> = {},
) {
  const begun = await party.begin(parameters)
  let page = await browser.open(begun.url.href)
  if (!atCallback(page)) page = await typePassword(browser, page, username)
  if (!atCallback(page)) throw new Error(`stopped at ${page.url.pathname} (${page.status})`)
  return { tokens: await party.finish(begun, page.url), callback: page.url, begun }
}

export const atCallback = (page: Page): boolean => page.url.href.startsWith(CALLBACK)
