/** Somebody signed out at the provider (OpenID Connect Back-Channel Logout 1.0 §2.6). */
import { createLocalJWKSet, errors, type JSONWebKeySet, jwtVerify } from 'jose'
import { type Clock, type Instant, minutes, seconds } from '#core/clock'
import { Refusal } from '#core/refusal'
import type { UpstreamLogout } from '../federation/federated.ts'
import type { OidcClient, OidcSettings } from './oidc-client.ts'

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
/** Never one that a public key can be mistaken for a secret of. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
/** A message of no age could be replayed for ever. */
const LONGEST_AGE = '5m'
const LOOK_AGAIN = seconds(30)
/** A key that the provider has taken back is not believed for longer. */
const KEEP_KEYS = minutes(60)

export function createLogoutReader(settings: OidcSettings, client: OidcClient, clock: Clock) {
  const refused = (detail: string, cause?: unknown) =>
    new Refusal('upstream-refused', `directory ${settings.id}: logout token: ${detail}`, { cause })
  let held: { at: Instant; keys: ReturnType<typeof createLocalJWKSet> } | undefined

  /** ATTACK: messages with made-up key ids must not have the keys fetched for each of them. */
  async function keys(anew: boolean) {
    const age = held && clock.now() - held.at
    if (held && age! < KEEP_KEYS && !(anew && age! >= LOOK_AGAIN)) return held.keys
    const { config } = await client.configured()
    const set = JSON.parse(await client.get(config.serverMetadata().jwks_uri ?? '')) as JSONWebKeySet
    held = { at: clock.now(), keys: createLocalJWKSet(set) }
    return held.keys
  }

  return async (form: ReadonlyMap<string, string>): Promise<UpstreamLogout> => {
    const token = form.get('logout_token')
    if (token === undefined || token.length > 16_384) throw refused('is missing')
    const verify = async (anew: boolean) =>
      jwtVerify(token, await keys(anew), {
        issuer: settings.issuer,
        audience: settings.client_id,
        algorithms: ALGORITHMS,
        maxTokenAge: LONGEST_AGE,
        clockTolerance: 5,
        currentDate: new Date(clock.now()),
        requiredClaims: ['iat', 'jti'],
      })
    const { payload } = await verify(false)
      .catch((error) => {
        if (error instanceof errors.JWKSNoMatchingKey) return verify(true)
        throw error
      })
      .catch((error) => {
        throw error instanceof Refusal ? error : refused('is not accepted', error)
      })
    const { events, sub, sid, jti } = payload as { events?: unknown; sub?: unknown; sid?: unknown; jti?: unknown }
    const isLogout = typeof events === 'object' && events !== null && Object.hasOwn(events, EVENT)
    // §2.4: an ID Token has a nonce, and must not be taken for this
    if (!isLogout || 'nonce' in payload) throw refused('is something else')
    const [subject, session] = [sub, sid].map((one) => (typeof one === 'string' && one !== '' ? one : undefined))
    if (subject === undefined && session === undefined) throw refused('says nobody')
    return {
      id: String(jti),
      ...(subject === undefined ? {} : { subject }),
      ...(session === undefined ? {} : { sid: session }),
    }
  }
}
