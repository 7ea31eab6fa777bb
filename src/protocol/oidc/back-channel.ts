/** Tells an app from server to server that somebody has signed out (OpenID Connect Back-Channel Logout 1.0). */
import type { Catalog } from '#catalog'
import type { Clock } from '#core/clock'
import { randomId } from '#core/random'
import type { Outbound } from '#http'
import type { Keys } from '#keys'
import type { Delivery, LogoutRow } from '#sessions'
import { answerAlg } from './profiles.ts'
import { signedToken } from './signed-token.ts'

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
/** Seconds: short (§2.4), and an app whose clock is a little off still takes it. */
const LIFE = 120

export interface BackChannelOptions {
  readonly issuer: string
  readonly clock: Clock
  readonly keys: Pick<Keys, 'signing'>
  readonly catalog: Pick<Catalog, 'apps'>
  readonly outbound: Outbound
}

/**
 * How a row of the outbox is sent. 200 and 204 say that the app is done, 400 that it will never take this one (§2.8); whatever
 * else comes, or nothing, is tried again later. An app that took the first one and could not say so sees the same once more with
 * another `jti`, so it is no replay, and has nobody left to sign out.
 */
export function createBackChannel({ issuer, clock, keys, catalog, outbound }: BackChannelOptions) {
  /** §2.4. Without a `sid` every session of the person has ended. */
  function logoutToken({ app, subject, sid }: LogoutRow, alg: string): Promise<string> {
    const signer = keys.signing.signers().find((one) => one.alg === alg)
    if (!signer) throw new Error(`no signing key for ${alg}`)
    const iat = Math.floor(clock.now() / 1000)
    const whose = { iss: issuer, sub: subject, aud: app, ...(sid === undefined ? {} : { sid }) }
    const claims = { ...whose, iat, exp: iat + LIFE, jti: randomId(), events: { [EVENT]: {} } }
    return signedToken(signer, claims, 'logout+jwt')
  }

  return async (row: LogoutRow): Promise<Delivery> => {
    const oidc = (await catalog.apps.find(row.app))?.oidc
    // removed meanwhile, or told in another way now
    if (!oidc?.backchannelLogoutUri) return 'give-up'
    const token = await logoutToken(row, answerAlg(oidc))
    const { status } = await outbound(oidc.backchannelLogoutUri, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ logout_token: token }).toString(),
    })
    return status === 200 || status === 204 ? 'done' : status === 400 ? 'give-up' : 'retry'
  }
}
