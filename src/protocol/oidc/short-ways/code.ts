/**
 * An authorization code for an access token and an ID token (RFC 6749 §4.1.3, OIDC Core §3.1.3): what every app does at
 * every sign-on. With PKCE by S256, without refresh token, without anything that the app asked for beyond its scopes.
 */
import { sha256 } from '#core/digest'
import { signedToken } from '../signed-token.ts'
import { type Code, type Grant, grantOf, idTokenClaims, isPlain, spend } from './granted.ts'
import type { Way } from './way.ts'

export const code: Way = {
  fields: ['code', 'redirect_uri', 'code_verifier'],

  open({ engine, issuer, clock, keys, people, judge, provingKeys, diagnosis }) {
    const signers = keys.signing.signers()

    /** The code and its grant where both hold; a code that was used before is the engine's, which ends what it gave. */
    async function find(value: string, clientId: string): Promise<{ code: Code; grant: Grant } | undefined> {
      const found = await engine.AuthorizationCode.find(value)
      if (!found?.isValid || found.clientId !== clientId || found.codeChallengeMethod !== 'S256') return undefined
      const grant = await grantOf(engine, found, clientId)
      return grant && isPlain(found, grant) ? { code: found, grant } : undefined
    }

    return async ({ app, client, fields, key, spend: showOnce }) => {
      const signer = signers.find(({ alg }) => alg === client.idTokenSignedResponseAlg)
      if (!signer || app.oidc!.grantTypes.includes('refresh_token')) return undefined
      const found = await find(fields.get('code')!, app.id)
      if (!found || found.code.redirectUri !== fields.get('redirect_uri')) return undefined
      // RFC 7636 §4.1 and §4.6
      const verifier = fields.get('code_verifier')!
      if (!/^[A-Za-z0-9._~-]{43,128}$/.test(verifier) || sha256(verifier) !== found.code.codeChallenge) return undefined
      const { code, grant } = found
      // INVARIANT: somebody switched off gets no token
      const person = await people.byId(code.accountId!)
      if (!person || person.disabled) return undefined
      if (!(await showOnce())) return undefined

      const { accountId, expiresWithSession, grantId, sessionUid, sid } = code
      const token = new engine.AccessToken({
        ...{ accountId, client, expiresWithSession, grantId, gty: 'authorization_code', sessionUid, sid },
      } as ConstructorParameters<typeof engine.AccessToken>[0])
      token.scope = grant.getOIDCScopeFiltered(new Set(code.scope!.split(' ')))
      judge.allowed(token, judge.ofCode(app, code), code)
      if (key !== undefined) provingKeys.provenBy(token, key)
      const claims = idTokenClaims(code, { iss: issuer, aud: client.clientId, now: clock.now() })
      // both are waited for from the start: one that fails while nobody listens would end the process
      const [accessToken, idToken] = await Promise.all([token.save(), signedToken(signer, claims)])
      return {
        body: {
          access_token: accessToken,
          expires_in: token.expiration,
          id_token: idToken,
          scope: token.scope,
          token_type: token.tokenType,
        },
        async spend() {
          if (await spend(code)) {
            if (code.sessionUid) diagnosis.redeemed(app.id, code.sessionUid)
            return true
          }
          await token.destroy()
          return false
        },
      }
    }
  },
}
