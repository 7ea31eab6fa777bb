/**
 * A refresh token for new tokens (RFC 6749 §6, OIDC Core §12): what an app does every hour for everybody who uses it. For the same
 * scopes as before, with a new refresh token each time (RFC 9700 §4.14.2).
 */
import type { TokenLimits } from '#policy'
import { signedToken } from '../signed-token.ts'
import { grantOf, idTokenClaims, isPlain, type Refresh, spend } from './granted.ts'
import type { Rooms, Way } from './way.ts'

export const refresh: Way = {
  fields: ['refresh_token'],

  open({ engine, issuer, clock, keys, people, judge, provingKeys }) {
    const { AccessToken, RefreshToken } = engine
    const signers = keys.signing.signers()

    /** One that was used before is the engine's, which ends what it gave. */
    async function find(value: string, clientId: string) {
      const found = await RefreshToken.find(value)
      if (!found?.isValid || found.clientId !== clientId || !found.gty) return undefined
      const grant = await grantOf(engine, found, clientId)
      return grant && isPlain(found, grant) ? { old: found, grant } : undefined
    }

    return async ({ request, app, client, fields, key, spend: showOnce }) => {
      const signer = signers.find(({ alg }) => alg === client.idTokenSignedResponseAlg)
      // a profile says by itself whether its refresh tokens change
      if (!signer || app.oidc!.profile !== undefined) return undefined
      const found = await find(fields.get('refresh_token')!, app.id)
      if (!found || !(await showOnce())) return undefined
      const { old, grant } = found
      // INVARIANT: somebody switched off gets no token
      const person = await people.byId(old.accountId!)
      const limits = person && !person.disabled ? await allowed(judge, request, old) : undefined
      if (!limits) return undefined

      const { accountId, expiresWithSession, grantId, sessionUid, sid } = old
      const gty = old.gty!.endsWith('refresh_token') ? old.gty : `${old.gty} refresh_token`
      const common = { accountId, client, expiresWithSession, grantId, gty, sessionUid, sid }
      const next = new RefreshToken({
        ...common,
        ...{ acr: old.acr, amr: old.amr, authTime: old.authTime, claims: old.claims, nonce: old.nonce },
        ...{ iiat: old.iiat, rotations: (old.rotations ?? 0) + 1, scope: old.scope },
      } as ConstructorParameters<typeof RefreshToken>[0])
      const token = new AccessToken({ ...common, claims: old.claims } as ConstructorParameters<typeof AccessToken>[0])
      token.scope = grant.getOIDCScopeFiltered(old.scopes)
      judge.allowed(token, limits, old)
      if (key !== undefined) provingKeys.provenBy(token, key)
      const claims = idTokenClaims(old, { iss: issuer, aud: client.clientId, now: clock.now() })
      // all are waited for from the start: one that fails while nobody listens would end the process
      const [accessToken, refreshToken, idToken] = await Promise.all([
        token.save(),
        next.save(),
        signedToken(signer, claims),
      ])
      return {
        body: {
          access_token: accessToken,
          expires_in: token.expiration,
          id_token: idToken,
          refresh_token: refreshToken,
          scope: token.scope,
          token_type: token.tokenType,
        },
        async spend() {
          if (await spend(old)) return true
          await Promise.all([token.destroy(), next.destroy()])
          return false
        },
      }
    }
  },
}

/** Undefined: it may not be, and the engine says why. */
async function allowed(
  judge: Rooms['judge'],
  request: Parameters<Rooms['judge']['refresh']>[0],
  old: Refresh,
): Promise<TokenLimits | undefined> {
  try {
    return await judge.refresh(request, old)
  } catch (error) {
    if ((error as { error?: string }).error === 'invalid_grant') return undefined
    throw error
  }
}
