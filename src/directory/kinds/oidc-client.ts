/** The client of an OpenID Connect provider (OpenID Connect Discovery 1.0): found once, looked up again now and then. */
import type { Configuration, CustomFetch } from 'openid-client'
import type { Directory } from '#config'
import { type Clock, type Instant, type Millis, minutes, seconds, systemClock } from '#core/clock'
import { parseDuration } from '#core/duration'
import { randomId } from '#core/random'
import { Refusal } from '#core/refusal'
import type { Outbound } from '#http'
import { createReach, type Reach } from '../federation/reach.ts'
import type { Outside } from '../kind.ts'

export type OidcSettings = Extract<Directory, { kind: 'oidc' }>
export type OpenidClient = typeof import('openid-client')

export interface OidcClient {
  /** The library and what it knows of the provider. Throws `directory-unavailable`. */
  configured(): Promise<{ library: OpenidClient; config: Configuration }>
  /** Throws `directory-unavailable`. */
  get(url: string): Promise<string>
  readonly reach: Reach
}

/** Keys are looked for at each answer by the library itself; addresses hardly ever change. */
const KEEP_FOR = minutes(60)
export const ANSWER_LIMIT = 256 * 1024
/** Seconds by which the clocks of two servers may differ. */
const TOLERANCE = 5

/** OpenID Connect Discovery 1.0 §4. */
export const discoveryOf = ({ issuer }: Pick<OidcSettings, 'issuer'>): string =>
  `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`

export function createOidcClient(settings: OidcSettings, { outbound, keys }: Outside, clock: Clock): OidcClient {
  const timeout = parseDuration(settings.timeout) ?? seconds(5)
  const reach = createReach({ directory: settings.id, outbound, clock, timeout, ask: readDocument })
  let known: { at: Instant; skew: number; ready: Promise<{ library: OpenidClient; config: Configuration }> } | undefined
  /** Seconds: the library reads the machine's clock, and ours may be another one. */
  const skewNow = () => Math.round((clock.now() - systemClock.now()) / 1000)

  /** OpenID Connect Discovery 1.0 §4.2, of which this much says that it is there. */
  async function readDocument(within: Millis): Promise<string> {
    const { status, body } = await outbound(discoveryOf(settings), { timeout: within, limit: ANSWER_LIMIT })
    if (status !== 200) throw new Error(`status ${status}`)
    const document = JSON.parse(body) as { issuer?: unknown }
    if (document.issuer !== settings.issuer) throw new Error('another issuer')
    // in one spelling: JSON has two for a slash
    return JSON.stringify(document)
  }

  /** ATTACK: a discovery document may name any address; the one door outwards refuses those inside. */
  const through =
    (door: Outbound): CustomFetch =>
    async (url, { method, headers, body }) => {
      const answer = await door(url, {
        method: method === 'POST' ? 'POST' : 'GET',
        headers,
        timeout,
        limit: ANSWER_LIMIT,
        ...(body === undefined || body === null ? {} : { body: String(body) }),
      })
      const nothing = answer.status === 204 || answer.status === 304
      return new Response(nothing ? null : answer.body, { status: answer.status, headers: answer.headers })
    }

  async function discover(skew: number) {
    // loaded when the first person goes there: nobody else pays for it
    const library = await import('openid-client')
    const { client_id: id, client_secret: secret } = settings
    const authentication = {
      client_secret_basic: () => library.ClientSecretBasic(secret),
      client_secret_post: () => library.ClientSecretPost(secret),
      private_key_jwt: () => signedAssertion,
    }[settings.client_authentication]()
    const server = new URL(settings.issuer)
    const { userinfo_alg: alg } = settings
    const metadata = {
      [library.clockSkew]: skew,
      [library.clockTolerance]: TOLERANCE,
      ...(alg ? { userinfo_signed_response_alg: alg } : {}),
    }
    const config = await library.discovery(server, id, metadata, authentication, {
      [library.customFetch]: through(outbound),
      execute: server.protocol === 'http:' ? [library.allowInsecureRequests] : [],
    })
    // ATTACK: an ID Token is believed for its signature, not for the connection that it came over
    library.enableNonRepudiationChecks(config)
    config[library.customFetch] = through(reach.outbound)
    return { library, config }
  }

  /** RFC 7523 §2.2, signed with our own published keys. */
  const signedAssertion = async (as: { issuer: string }, client: { client_id: string }, body: URLSearchParams) => {
    const signer = keys.signing.signers().find(({ alg }) => alg === 'ES256')
    if (!signer) throw new Error('no key to sign with')
    const now = Math.floor(clock.now() / 1000)
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const claims = {
      iss: client.client_id,
      sub: client.client_id,
      aud: as.issuer,
      jti: randomId(),
      iat: now,
      nbf: now,
      exp: now + 60,
    }
    const input = `${part({ alg: signer.alg, kid: signer.kid, typ: 'JWT' })}.${part(claims)}`
    const signature = await signer.sign(Buffer.from(input))
    body.set('client_id', client.client_id)
    body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
    body.set('client_assertion', `${input}.${signature.toString('base64url')}`)
  }

  return {
    reach,
    async configured() {
      const skew = skewNow()
      if (!known || clock.now() - known.at > KEEP_FOR || Math.abs(skew - known.skew) > 1) {
        const ready = reach.find(() => discover(skew))
        const mine = { at: clock.now(), skew, ready }
        known = mine
        // what failed is tried again by whoever comes next
        ready.catch(() => {
          if (known === mine) known = undefined
        })
      }
      return known.ready
    },
    async get(url) {
      const { status, body } = await reach.outbound(url, { timeout, limit: ANSWER_LIMIT })
      if (status !== 200)
        throw new Refusal('directory-unavailable', `directory ${settings.id}: status ${status} instead of an answer`)
      return body
    },
  }
}
