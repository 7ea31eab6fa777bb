/** Somebody signed out at the provider (OpenID Connect Back-Channel Logout 1.0 §2.6). */
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose'
import { type Clock, type Instant, minutes, seconds } from '#core/clock'
import { Refusal } from '#core/refusal'
import type { Told, UpstreamLogout } from '../federation/federated.ts'
import type { OidcClient, OidcSettings } from './oidc-client.ts'

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
/** Never one that a public key can be mistaken for a secret of. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
/** A message of no age could be replayed for ever. */
const LONGEST_AGE = '5m'
const LOOK_AGAIN = seconds(30)
/** Where they could not be fetched: not every provider says a second time that somebody has signed out. */
const TRY_AGAIN = seconds(5)
/** A key that the provider has taken back is not believed for longer. */
const KEEP_KEYS = minutes(60)
const LONGEST = 16_384

type KeySet = ReturnType<typeof createLocalJWKSet>

export function createLogoutReader(settings: OidcSettings, client: OidcClient, clock: Clock) {
  const refused = (detail: string, cause?: unknown) =>
    new Refusal('upstream-refused', `directory ${settings.id}: logout token: ${detail}`, { cause })
  const keys = createKeys(settings, client, clock)

  return async ({ form }: Told): Promise<UpstreamLogout> => {
    const token = form.get('logout_token')
    if (token === undefined || token.length > LONGEST) throw refused('is missing')
    const wrong = plainlyWrong(token, settings)
    if (wrong) throw refused(wrong)
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
    const { subject, session } = whomOf(payload)
    return {
      id: String(payload.jti),
      ...(subject === undefined ? {} : { subject }),
      sids: session === undefined ? [] : [session],
    }
  }
}

/**
 * What can be seen without any key, before one is fetched; nothing here is believed yet.
 * ATTACK: forgiving readers take one token in many spellings, and made-up tokens must not send us anywhere.
 */
function plainlyWrong(token: string, { issuer, client_id: client }: OidcSettings): string | undefined {
  const parts = token.split('.')
  const spelled = (part: string) => part !== '' && Buffer.from(part, 'base64url').toString('base64url') === part
  if (parts.length !== 3 || !parts.every(spelled)) return 'is no token'
  let claims: JWTPayload
  try {
    if (!ALGORITHMS.includes(decodeProtectedHeader(token).alg ?? '')) return 'is not signed in a way that counts'
    claims = decodeJwt(token)
  } catch {
    return 'is no token'
  }
  const { iss, aud, events } = claims as JWTPayload & { events?: unknown }
  if (iss !== issuer) return 'is of another issuer'
  if (![aud].flat().includes(client)) return 'is for somebody else'
  const isLogout = typeof events === 'object' && events !== null && Object.hasOwn(events, EVENT)
  // §2.4: an ID Token has a nonce, and must not be taken for this
  if (!isLogout || 'nonce' in claims) return 'is something else'
  const { subject, session } = whomOf(claims)
  return subject === undefined && session === undefined ? 'says nobody' : undefined
}

function whomOf({ sub, sid }: JWTPayload): { subject: string | undefined; session: string | undefined } {
  const [subject, session] = [sub, sid].map((one) => (typeof one === 'string' && one !== '' ? one : undefined))
  return { subject, session }
}

/**
 * The keys of the provider; `anew` where they lack the one that is named. Throws `directory-unavailable`.
 * ATTACK: messages with made-up key ids, or while there are no keys, must not have them fetched for each of them: all share one
 * look, also one that failed.
 */
function createKeys(settings: OidcSettings, client: OidcClient, clock: Clock) {
  let held: { readonly at: Instant; readonly keys: KeySet } | undefined
  let look: { readonly at: Instant; readonly keys: Promise<KeySet>; failed?: true } | undefined

  async function fetchKeys(at: Instant): Promise<KeySet> {
    const { config } = await client.configured()
    const text = await client.get(config.serverMetadata().jwks_uri ?? '')
    try {
      const keys = createLocalJWKSet(JSON.parse(text))
      held = { at, keys }
      return keys
    } catch (cause) {
      throw new Refusal('directory-unavailable', `directory ${settings.id}: what it gives as keys is none`, { cause })
    }
  }

  return async (anew: boolean): Promise<KeySet> => {
    const now = clock.now()
    if (!anew && held && now - held.at < KEEP_KEYS) return held.keys
    if (!look || now - look.at >= (look.failed ? TRY_AGAIN : LOOK_AGAIN)) {
      const mine: typeof look = { at: now, keys: fetchKeys(now) }
      look = mine
      mine.keys.catch(() => {
        mine.failed = true
      })
    }
    return look.keys
  }
}
