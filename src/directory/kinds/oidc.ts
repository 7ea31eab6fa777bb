/**
 * An OpenID Connect provider: authorization code with PKCE and nonce (OpenID Connect Core 1.0 §3.1), pushed where it offers
 * that (RFC 9126), the issuer of each answer checked against mix-up (RFC 9207), the ID Token by its signature.
 */
import type { Configuration } from 'openid-client'
import { type Clock, stopwatch } from '#core/clock'
import { randomId } from '#core/random'
import { Refusal } from '#core/refusal'
import { json } from '#http'
import { clockAt } from '../date-header.ts'
import type { Asked, Away, Federated, Returned, UpstreamSession, Vouched } from '../federation/federated.ts'
import { signedInAt } from '../federation/moment.ts'
import { troubleOf } from '../federation/trouble.ts'
import type { DirectoryEnds, DirectoryKind, OpenDirectory, Outside, TestStep } from '../kind.ts'
import { personOf, together } from './oidc-claims.ts'
import {
  ANSWER_LIMIT,
  createOidcClient,
  discoveryOf,
  type OidcClient,
  type OidcSettings,
  type OpenidClient,
} from './oidc-client.ts'
import { createLogoutReader } from './oidc-logout.ts'

export const oidc = Object.freeze<DirectoryKind<'oidc'>>({
  kind: 'oidc',
  async open(settings, { clock, outside }) {
    const wrong = (say: string) => new Refusal('settings-invalid', `directories: ${settings.id}: ${say}`)
    if (!outside) throw wrong('a provider cannot be asked from here')
    if (settings.client_authentication !== 'private_key_jwt' && settings.client_secret === undefined)
      throw wrong('`client_secret` is missing; without one use `client_authentication: private_key_jwt`')
    const client = createOidcClient(settings, outside, clock)
    return {
      id: settings.id,
      kind: 'oidc',
      organisation: settings.organisation,
      local: false,
      federated: federate(settings, client, outside, clock),
      async verify() {
        return 'wrong'
      },
      health: client.reach.health,
      look: client.reach.look,
      ...(settings.client_secret_expires !== undefined && {
        ends: async () => secretEnds(settings.client_secret_expires!),
      }),
      clock: () => clockAt(outside.outbound, discoveryOf(settings), ANSWER_LIMIT),
      test: () => test(settings, client),
    } satisfies OpenDirectory
  },
})

const backTo = ({ issuer }: Outside, { id }: OidcSettings): string => `${issuer}/signin/back/${id}`

function federate(settings: OidcSettings, client: OidcClient, outside: Outside, clock: Clock): Federated {
  const refused = (detail: string, cause?: unknown) =>
    new Refusal('upstream-refused', `directory ${settings.id}: ${detail}`, cause === undefined ? {} : { cause })
  const readLogout = createLogoutReader(settings, client, clock)

  return {
    title: settings.title ?? settings.id,

    async begin(asked) {
      const { library, config } = await client.configured()
      if (!isPage(config.serverMetadata().authorization_endpoint, settings))
        throw refused('what it gives as `authorization_endpoint` is no page')
      const remembered = {
        state: asked.state,
        nonce: randomId(),
        verifier: library.randomPKCECodeVerifier(),
        left: String(clock.now()),
      }
      const parameters = {
        redirect_uri: backTo(outside, settings),
        scope: settings.scopes.join(' '),
        state: remembered.state,
        nonce: remembered.nonce,
        code_challenge: await library.calculatePKCECodeChallenge(remembered.verifier),
        code_challenge_method: 'S256',
        ...wishes(asked, settings),
      }
      const pushes = config.serverMetadata().pushed_authorization_request_endpoint !== undefined
      const url = pushes
        ? await library.buildAuthorizationUrlWithPAR(config, parameters).catch((cause) => {
            throw failure(library, cause, settings)
          })
        : library.buildAuthorizationUrl(config, parameters)
      return { url: url.href, remembered }
    },

    async finish({ url }: Returned, remembered: Away['remembered']): Promise<Vouched> {
      const { library, config } = await client.configured()
      try {
        const tokens = await library.authorizationCodeGrant(config, url, {
          expectedState: remembered['state']!,
          expectedNonce: remembered['nonce']!,
          pkceCodeVerifier: remembered['verifier']!,
          idTokenExpected: true,
        })
        const claims = tokens.claims()!
        const asks = settings.userinfo && config.serverMetadata().userinfo_endpoint !== undefined
        const all = asks
          ? together(claims, await library.fetchUserInfo(config, tokens.access_token, claims.sub))
          : claims
        const person = personOf(all, settings)
        if (!person) throw refused(`the claim \`${settings.claims.id}\` is missing or no stable id`)
        const { auth_time: at, acr, amr } = claims
        return {
          person,
          amr: Array.isArray(amr) ? amr.filter((one) => typeof one === 'string').slice(0, 20) : [],
          ...(typeof acr === 'string' ? { acr } : {}),
          at: Number.isSafeInteger(at) && at! > 0 ? signedInAt(at! * 1000, Number(remembered['left'])) : undefined,
          session: {
            subject: claims.sub,
            ...(typeof claims['sid'] === 'string' ? { sid: claims['sid'] } : {}),
            ...(tokens.id_token ? { hint: tokens.id_token } : {}),
          },
        }
      } catch (error) {
        throw error instanceof Refusal ? error : failure(library, error, settings)
      }
    },

    async signOutThere(session: UpstreamSession, back: string) {
      if (!settings.sign_out) return undefined
      const { library, config } = await client.configured()
      if (!isPage(config.serverMetadata().end_session_endpoint, settings)) return undefined
      // a browser that is sent to a provider that is down does not come back
      await client.reach.answers()
      const { href } = library.buildEndSessionUrl(config, {
        post_logout_redirect_uri: back,
        ...(session.hint === undefined ? {} : { id_token_hint: session.hint }),
      })
      return { url: href }
    },

    loggedOut: readLogout,
    // OpenID Connect Back-Channel Logout 1.0 §2.8
    logoutRefused: () => json({ error: 'invalid_request' }, 400),
  }
}

/**
 * Whether a browser may be sent there: over TLS, or on the very host of a provider that is on this machine.
 * ATTACK: a discovery document may name `javascript:` and the like.
 */
function isPage(address: string | undefined, { issuer }: OidcSettings): boolean {
  const [url, own] = [URL.parse(address ?? ''), new URL(issuer)]
  if (url === null) return false
  return (
    url.protocol === 'https:' || (own.protocol === 'http:' && url.protocol === 'http:' && url.hostname === own.hostname)
  )
}

/** What should happen there: for whom, how fresh, how strong. */
function wishes({ loginHint, maxAge, strength }: Asked, settings: OidcSettings): Record<string, string> {
  const acr = strength === undefined ? undefined : settings.step_up_acr?.[strength as keyof typeof settings.step_up_acr]
  return {
    ...(loginHint === undefined ? {} : { login_hint: loginHint }),
    ...(maxAge === undefined ? {} : { max_age: String(Math.floor(maxAge)) }),
    // a provider that does not know `max_age` may know this
    ...(maxAge === 0 ? { prompt: 'login' } : {}),
    ...(acr === undefined ? {} : { acr_values: acr }),
  }
}

/** A provider that cannot be asked, or an answer that is not accepted: the cause is for the administrator. */
function failure(library: OpenidClient, error: unknown, { id }: OidcSettings): Refusal {
  const causes: unknown[] = []
  for (let one = error; one instanceof Error && causes.length < 5; one = one.cause) causes.push(one)
  const outward = causes.find((one) => one instanceof Refusal)
  const code = causes.find(
    (one) => one instanceof library.AuthorizationResponseError || one instanceof library.ResponseBodyError,
  )
  const told = code ? `, it said \`${String((code as { error: unknown }).error).slice(0, 60)}\`` : ''
  if (outward)
    return new Refusal('directory-unavailable', `directory ${id}: provider cannot be asked`, { cause: error })
  const [first] = causes as Error[]
  const why = first && 'code' in first && typeof first.code === 'string' ? `: ${first.code}` : ''
  return new Refusal('upstream-refused', `directory ${id}: answer not accepted${why}${told}`, { cause: error })
}

async function* test(settings: OidcSettings, client: OidcClient): AsyncGenerator<TestStep> {
  const started = stopwatch()
  let config: Configuration
  try {
    ;({ config } = await client.configured())
  } catch (error) {
    const told = troubleOf(
      error,
      'look at `issuer`: it is the URL before `/.well-known/openid-configuration`, exactly as the provider spells it',
    )
    yield { step: 'discovery', ok: false, ms: stopwatch() - started, ...told }
    return
  }
  const {
    issuer,
    jwks_uri: keys,
    end_session_endpoint: end,
    pushed_authorization_request_endpoint: par,
  } = config.serverMetadata()
  yield { step: 'discovery', ok: true, ms: stopwatch() - started, say: issuer }
  const asked = stopwatch()
  try {
    const { keys: list } = JSON.parse(await client.get(keys ?? '')) as { keys: unknown[] }
    yield { step: 'keys', ok: true, ms: stopwatch() - asked, say: `${list.length} keys` }
  } catch (error) {
    const { say, fix } = troubleOf(error, 'the provider has to answer at its `jwks_uri`')
    yield { step: 'keys', ok: false, ms: stopwatch() - asked, say: `the keys cannot be read: ${say}`, fix }
    return
  }
  const offers = [...(par ? ['pushed requests'] : []), ...(end ? ['sign-out'] : [])]
  yield { step: 'offers', ok: true, ms: 0, say: offers.join(', ') || 'nothing more' }
  const strengths = settings.assurance.map(({ is }) => is).join(', ')
  yield { step: 'strength', ok: true, ms: 0, say: strengths ? `any, by rules: ${strengths}` : 'any' }
}

/** A provider does not tell when a secret ends: the settings do. */
const secretEnds = (date: string): DirectoryEnds => ({
  ends: [{ what: 'client-secret', name: '', at: Date.parse(date) }],
})
