/**
 * An authorization code for an access token and an ID token (RFC 6749 §4.1.3, OIDC Core §3.1.3): what every app does at
 * every sign-on. With PKCE by S256, without refresh token, without anything that the app asked for beyond its scopes.
 */
import type { Instant } from '#core/clock'
import { sha256 } from '#core/digest'
import { LIFETIMES } from '../lifetimes.ts'
import { signedToken } from '../signed-token.ts'
import type { Rooms, Way } from './way.ts'

type Code = InstanceType<Rooms['engine']['AuthorizationCode']>
type Grant = InstanceType<Rooms['engine']['Grant']>

export const code: Way = {
  fields: ['code', 'redirect_uri', 'code_verifier'],

  open({ engine, issuer, clock, keys, people, judge, diagnosis }) {
    const signers = keys.signing.signers()

    /** The code and its grant where both hold; a code that was used before is the engine's, which ends what it gave. */
    async function find(value: string, clientId: string): Promise<{ code: Code; grant: Grant } | undefined> {
      const found = await engine.AuthorizationCode.find(value)
      if (!found?.isValid || found.clientId !== clientId || !found.grantId) return undefined
      const grant = await engine.Grant.find(found.grantId)
      if (!grant?.isValid || grant.clientId !== clientId || grant.accountId !== found.accountId) return undefined
      return { code: found, grant }
    }

    return async ({ app, client, fields }) => {
      const signer = signers.find(({ alg }) => alg === client.idTokenSignedResponseAlg)
      if (!signer || app.oidc!.grantTypes.includes('refresh_token')) return undefined
      const found = await find(fields.get('code')!, app.id)
      if (!found || !isPlain(found) || found.code.redirectUri !== fields.get('redirect_uri')) return undefined
      // RFC 7636 §4.1 and §4.6
      const verifier = fields.get('code_verifier')!
      if (!/^[A-Za-z0-9._~-]{43,128}$/.test(verifier) || sha256(verifier) !== found.code.codeChallenge) return undefined
      const { code, grant } = found
      // INVARIANT: somebody switched off gets no token
      const person = await people.byId(code.accountId!)
      if (!person || person.disabled) return undefined
      // the engine finds a code that somebody else has just spent, and says what there is to say
      if (!(await spend(code))) return undefined
      if (code.sessionUid) diagnosis.redeemed(app.id, code.sessionUid)

      const { accountId, expiresWithSession, grantId, sessionUid, sid } = code
      const token = new engine.AccessToken({
        ...{ accountId, client, expiresWithSession, grantId, gty: 'authorization_code', sessionUid, sid },
      } as ConstructorParameters<typeof engine.AccessToken>[0])
      token.scope = grant.getOIDCScopeFiltered(new Set(code.scope!.split(' ')))
      judge.allowed(token, judge.ofCode(app, code), code)
      const claims = idTokenClaims(code, { iss: issuer, aud: client.clientId, now: clock.now() })
      // both are waited for from the start: one that fails while nobody listens would end the process
      const [accessToken, idToken] = await Promise.all([token.save(), signedToken(signer, claims)])
      return {
        access_token: accessToken,
        expires_in: token.expiration,
        id_token: idToken,
        scope: token.scope,
        token_type: token.tokenType,
      }
    }
  },
}

/** Nothing in it that changes what the tokens say or how they are bound. */
function isPlain({ code, grant }: { code: Code; grant: Grant }): boolean {
  const asked = code as Code & Partial<Record<'dpopJkt' | 'attestationJkt' | 'rar' | 'resource', unknown>>
  const bound = asked.dpopJkt ?? asked.attestationJkt ?? asked.rar ?? asked.resource
  const single = Object.keys(code.claims ?? {}).length + grant.getRejectedOIDCClaims().length
  if (bound !== undefined || single > 0) return false
  return code.codeChallengeMethod === 'S256' && (code.scope?.split(' ').includes('openid') ?? false)
}

const spend = (code: Code): Promise<boolean> =>
  code.consume().then(
    () => true,
    (error) => {
      if ((error as { error?: string }).error === 'invalid_grant') return false
      throw error
    },
  )

/** OIDC Core §2. */
function idTokenClaims(code: Code, { iss, aud, now }: { iss: string; aud: string; now: Instant }): object {
  const { accountId: sub, acr, amr, authTime: auth_time, nonce, sid } = code
  const iat = Math.floor(now / 1000)
  return { sub, acr, amr, auth_time, nonce, sid, aud, exp: iat + LIFETIMES.IdToken, iat, iss }
}
