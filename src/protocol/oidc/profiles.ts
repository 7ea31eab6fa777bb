/**
 * Profiles of the OpenID Foundation, per client: FAPI 2.0 Security Profile and Message Signing. What can be said in a
 * registration is said there (`#catalog`); here is what the engine is told, and what is looked at in each request.
 */
import { type ClientMetadata, type Configuration, errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider'
import { isCanonical } from '#apis'
import type { AppOidc } from '#catalog'
import type { Clock } from '#core/clock'
import { CIBA_ROUTE } from './ciba/feature.ts'

type Features = NonNullable<Configuration['features']>
type Client = InstanceType<Provider['Client']>
type Claims = Readonly<Record<string, unknown>>

/** OIDC Registration §2; FAPI 2.0 Security Profile §5.4.1. */
const DEFAULT_ALG = 'RS256'
const PROFILE_ALG = 'ES256'

/** RFC 9101 §10.8: never a token of another kind. */
const REQUEST_TYPES = [undefined, 'jwt', 'oauth-authz-req+jwt', 'application/oauth-authz-req+jwt']
const STRONG_ALGS = ['PS256', 'ES256', 'EdDSA', 'Ed25519']
const SIGNED_MODES = ['jwt', 'query.jwt', 'fragment.jwt', 'form_post.jwt']
const LONGEST_REQUEST = 3600
const REQUIRED = ['aud', 'iss', 'exp', 'iat', 'nbf', 'jti']
/** FAPI 2.0 Security Profile §5.3.2.1: a clock that is ahead by more is refused. */
const AHEAD = 60

export const SIGNED_REQUEST_ALGS = ['RS256', 'PS256', 'ES256', 'EdDSA'] as const
export const SIGNED_ANSWER_ALGS = ['RS256', 'ES256', 'EdDSA'] as const

/** By what everything is signed that the app is told. */
export const answerAlg = ({
  idTokenSignedResponseAlg: own,
  profile,
}: AppOidc): NonNullable<AppOidc['idTokenSignedResponseAlg']> => own ?? (profile ? PROFILE_ALG : DEFAULT_ALG)

export function profileMetadata(oidc: AppOidc): Partial<ClientMetadata> {
  const { profile } = oidc
  const alg = answerAlg(oidc)
  const signing = profile === 'fapi2-message-signing'
  const codeFlow = oidc.grantTypes.includes('authorization_code')
  return {
    ...(profile ? { profile } : {}),
    id_token_signed_response_alg: alg,
    authorization_signed_response_alg: alg,
    introspection_signed_response_alg: alg,
    require_pushed_authorization_requests: oidc.requirePushedAuthorizationRequests || profile !== undefined,
    require_signed_request_object: oidc.requireSignedRequestObject || signing,
    ...(signing && codeFlow ? { response_modes: SIGNED_MODES as ClientMetadata['response_modes'] } : {}),
  }
}

/** A client with a profile keeps its refresh token: it is bound to what the client proves (§5.3.2.1, number 9). */
export const rotates = (client: Client | undefined): boolean => client?.['profile'] === undefined

/** Signed requests (RFC 9101) and answers (JARM), also of introspection (RFC 9701), for whoever wants them. */
export function signedMessages(clock: Clock) {
  return {
    jwtResponseModes: { enabled: true },
    jwtIntrospection: { enabled: true },
    requestObjects: {
      enabled: true,
      async assertJwtClaimsAndHeader(ctx: KoaContextWithOIDC, claims: Claims, header: Claims, client: Client) {
        // what was pushed was looked at when it was pushed, and is ours since
        if ('PushedAuthorizationRequest' in ctx.oidc.entities) return
        const now = clock.now() / 1000
        const asked = { claims, header, client, now, toAnother: ctx.oidc.route === CIBA_ROUTE }
        const wrong = requestFault(String(ctx.oidc.params?.['request']), asked)
        if (wrong) throw new errors.InvalidRequestObject(wrong)
      },
    },
  } satisfies Partial<Features>
}

interface Signed {
  readonly claims: Claims
  readonly header: Claims
  readonly client: Client
  /** Seconds since 1970. */
  readonly now: number
}

/** `toAnother`: for somebody who is asked on another screen. */
function requestFault(
  text: string,
  { claims, header, client, now, toAnother }: Signed & { toAnother: boolean },
): string | undefined {
  if (!isCanonical(text)) return 'Request Object is not canonical base64url'
  const type = typeof header['typ'] === 'string' ? header['typ'].toLowerCase() : header['typ']
  // ATTACK: an assertion by which the client authenticates has its own id as subject (RFC 9101 §10.8)
  if (!REQUEST_TYPES.includes(type as string) || claims['sub'] !== undefined)
    return 'Request Object is a token of another kind'
  // CIBA Core §7.1.1; the engine has compared `iss` and `aud`
  if (toAnother && !REQUIRED.every((name) => claims[name] !== undefined))
    return `Request Object lacks one of ${REQUIRED.join(', ')}`
  if (client['profile'] === undefined && !toAnother) return undefined
  const { nbf, exp } = claims
  if (client['profile'] !== undefined && !STRONG_ALGS.includes(String(header['alg'])))
    return 'Request Object is signed by an algorithm outside the profile'
  // FAPI 2.0 Message Signing §5.3.1
  if (typeof nbf !== 'number' || typeof exp !== 'number')
    return 'Request Object has no time from which and until which it holds'
  if (now - nbf > LONGEST_REQUEST || exp - nbf > LONGEST_REQUEST) return 'Request Object holds for too long'
  return undefined
}

/** FAPI 2.0 Security Profile §5.3.2.1 about the assertion by which a client authenticates; undefined where it will do. */
export function assertionFault({
  claims,
  header,
  client,
  now,
  issuer,
}: Signed & { issuer: string }): string | undefined {
  if (client['profile'] === undefined) return undefined
  if (!STRONG_ALGS.includes(String(header['alg'])))
    return 'client assertion is signed by an algorithm outside the profile'
  // the issuer's name and nothing else: one for an endpoint may have been asked for by somebody in between
  if (claims['aud'] !== issuer) return 'aud of the client assertion is not the issuer alone'
  const ahead = [claims['iat'], claims['nbf']].some((at) => typeof at === 'number' && at > now + AHEAD)
  return ahead ? 'jwt issued in the future' : undefined
}
