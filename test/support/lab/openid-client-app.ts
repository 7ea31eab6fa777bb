/** A sample app on openid-client, as its documentation has it: nothing of the protocol is ours. */
import * as oidc from 'openid-client'
import { home, type LabApp, newId, startLabServer } from './server.ts'

export interface OpenidClientAppOptions {
  readonly issuer: () => string
  readonly clientId: string
  readonly secret: () => string
  /** Signatures of ID Tokens too, which over TLS may be left out (Core §3.1.3.7). */
  readonly checksSignatures: boolean
}

export async function startOpenidClientApp({
  issuer,
  clientId,
  secret,
  checksSignatures,
}: OpenidClientAppOptions): Promise<LabApp> {
  const begun = new Map<string, { verifier: string; state: string; nonce: string }>()
  const sessions = new Map<string, string>()
  let known: Promise<oidc.Configuration> | undefined
  const configuration = () => {
    known ??= oidc.discovery(new URL(issuer()), clientId, secret(), undefined, {
      execute: [oidc.allowInsecureRequests, ...(checksSignatures ? [oidc.enableNonRepudiationChecks] : [])],
    })
    return known
  }
  return startLabServer(async ({ url, cookie }, origin) => {
    if (url.pathname === '/') return home(sessions.get(cookie('session') ?? ''))
    if (url.pathname === '/login') {
      const one = { verifier: oidc.randomPKCECodeVerifier(), state: oidc.randomState(), nonce: oidc.randomNonce() }
      const key = newId()
      begun.set(key, one)
      const to = oidc.buildAuthorizationUrl(await configuration(), {
        redirect_uri: `${origin}/callback`,
        scope: 'openid profile email',
        code_challenge: await oidc.calculatePKCECodeChallenge(one.verifier),
        code_challenge_method: 'S256',
        state: one.state,
        nonce: one.nonce,
      })
      return { location: to.href, cookies: [`begun=${key}; Path=/; HttpOnly`] }
    }
    if (url.pathname !== '/callback') return { status: 404 }
    const one = begun.get(cookie('begun') ?? '')
    if (!one) return { status: 400, body: 'nothing was begun in this browser' }
    begun.delete(cookie('begun')!)
    const tokens = await oidc.authorizationCodeGrant(await configuration(), url, {
      pkceCodeVerifier: one.verifier,
      expectedState: one.state,
      expectedNonce: one.nonce,
      idTokenExpected: true,
    })
    const claims = tokens.claims()!
    const who = await oidc.fetchUserInfo(await configuration(), tokens.access_token, claims.sub)
    const key = newId()
    sessions.set(key, String(who.name))
    return { location: '/', cookies: [`session=${key}; Path=/; HttpOnly`] }
  })
}
