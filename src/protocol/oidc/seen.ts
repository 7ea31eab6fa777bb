/** What can be seen of a request that the engine has refused, next to what its app is registered with. */
import type { KoaContextWithOIDC } from 'oidc-provider'
import { type App, type AppOidc, isSecretOf } from '#catalog'
import type { Seen, SentBy } from '#diagnosis'

/** As the engine throws them. `error_detail` says more, to us only. */
export interface EngineError extends Error {
  readonly error?: string | undefined
  readonly error_description?: string | undefined
  readonly error_detail?: string | undefined
}

type Params = Readonly<Record<string, unknown>>
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
const wordsOf = (value: unknown): string[] => (textOf(value) ?? '').split(' ').filter(Boolean)
const paramsOf = ({ oidc, query }: KoaContextWithOIDC): Params => oidc.params ?? query

interface Basic {
  readonly id: string
  readonly secret: string
}

function basicOf(header: string | undefined): Basic | undefined {
  const sent = /^Basic ([A-Za-z0-9+/=]{1,2048})$/i.exec(header ?? '')?.[1]
  const text = sent && Buffer.from(sent, 'base64').toString()
  if (!text?.includes(':')) return undefined
  try {
    const [id = '', secret = ''] = text.split(/:(.*)/s).map((part) => decodeURIComponent(part.replace(/\+/g, '%20')))
    return { id, secret }
  } catch {
    return undefined
  }
}

/** Of a JWT that nobody has verified. */
function payloadOf(jwt: unknown): Params {
  try {
    const read = JSON.parse(Buffer.from(String(jwt).split('.')[1] ?? '', 'base64url').toString('utf8'))
    return typeof read === 'object' && read !== null ? read : {}
  } catch {
    return {}
  }
}

/** By what the request says who sent it, also where the engine did not come so far as to look. */
export function clientIdOf(ctx: KoaContextWithOIDC): string | undefined {
  const params = paramsOf(ctx)
  return (
    ctx.oidc.client?.clientId ??
    textOf(params['client_id']) ??
    basicOf(ctx.get('authorization'))?.id ??
    textOf(payloadOf(params['client_assertion'])['sub']) ??
    textOf(payloadOf(params['id_token_hint'])['aud'])
  )
}

function authenticationOf(
  ctx: KoaContextWithOIDC,
  oidc: AppOidc,
  { now }: Around,
): NonNullable<Seen['authentication']> {
  const params = paramsOf(ctx)
  const basic = basicOf(ctx.get('authorization'))
  const posted = textOf(params['client_secret'])
  const sent: SentBy[] = [
    ...(ctx.get('authorization') === '' ? [] : ['client_secret_basic' as const]),
    ...(posted ? ['client_secret_post' as const] : []),
    ...(params['client_assertion'] ? ['client_assertion' as const] : []),
  ]
  const shown = basic?.secret ?? posted
  const is = (text: string) => isSecretOf(oidc, text, { now: () => now })
  const secret =
    oidc.clientSecret === undefined || shown === undefined
      ? undefined
      : is(shown)
        ? 'right'
        : is(shown.trim())
          ? 'blanks'
          : 'wrong'
  return { sent, registered: oidc.tokenEndpointAuthMethod, ...(secret ? { secret } : {}) }
}

/** In the order in which the engine looks: for whom, by whose key, when. */
function assertionOf(ctx: KoaContextWithOIDC, detail: string, oidc: AppOidc, rooms: Around): Partial<Seen> {
  const payload = payloadOf(paramsOf(ctx)['client_assertion'])
  if (/\baud\b/.test(detail)) {
    const named = [payload['aud']].flat().filter((one) => typeof one === 'string')
    return { audience: { of: 'client_assertion', named, expected: rooms.issuer } }
  }
  const now = rooms.now / 1000
  const { iat, nbf, exp } = payload
  if (/^jwt (?:issued in the future|not active yet)$/.test(detail)) {
    const at = [iat, nbf].filter((one) => typeof one === 'number').sort((a, b) => b - a)[0] ?? now
    return { clock: { of: 'client assertion', ahead: at - now } }
  }
  if (detail === 'jwt expired')
    return { clock: { of: 'client assertion', ahead: (typeof iat === 'number' ? iat : Number(exp)) - now } }
  if (/signature|key/i.test(detail))
    return { signature: { of: 'client assertion', fault: 'wrong', keys: oidc.jwks?.keys.length ?? 1 } }
  return {}
}

const NO_PKCE = 'Authorization Server policy requires PKCE to be used for this request'
const NOT_S256 = ['not supported value of code_challenge_method', 'code_challenge_method must be provided']
/** Of how the app shows who it is, though the engine calls it another error. */
const AUTHENTICATION: ReadonlySet<string> = new Set([
  'client authentication must only be provided using one mechanism',
  'client_id and client_secret in the authorization header are not properly encoded',
  'client_secret must be provided in the Authorization header',
])
const NOT_REGISTERED = /^requested (?:grant type|response_type) is not allowed for this client$/
const EXCHANGES: Readonly<Record<string, NonNullable<Seen['exchange']>>> = {
  'authorization code redirect_uri mismatch': 'redirect-uri-changed',
  'code_verifier must be provided': 'verifier-missing',
  'code_verifier does not match code_challenge': 'verifier-wrong',
  // a verifier for a code without a challenge
  'unsupported code_challenge_method': 'verifier-wrong',
}
const BINDINGS: Readonly<Record<string, NonNullable<Seen['binding']>>> = {
  'DPoP proof JWT not provided': 'proof-missing',
  'missing DPoP proof JWT': 'proof-missing',
  'mutual TLS client certificate not provided': 'certificate-missing',
  'client certificate was not provided': 'certificate-none',
  'client certificate was not verified': 'certificate-other',
  'certificate subject value does not match the registered one': 'certificate-other',
  'unregistered client certificate provided': 'certificate-other',
}
/** Everything else is between us and the person, or happens every day: a page that is loaded again, a refresh too late. */
const FAILURES: ReadonlySet<string> = new Set([
  'invalid_client',
  'invalid_redirect_uri',
  'invalid_request',
  'invalid_request_object',
  'invalid_scope',
  'request_not_supported',
  'unauthorized_client',
  'unsupported_grant_type',
  'unsupported_response_mode',
  'unsupported_response_type',
])

export interface Around {
  readonly issuer: string
  /** Milliseconds. */
  readonly now: number
}

/** Undefined where nothing is wrong with the app. */
export function seenOf(ctx: KoaContextWithOIDC, thrown: EngineError, app: App, around: Around): Seen | undefined {
  const { oidc } = app
  const { error = '', error_description: said = '', error_detail: detail = '', name } = thrown
  if (!oidc || name === 'SessionNotFound') return undefined
  const params = paramsOf(ctx)
  if (error === 'invalid_dpop_proof') return { error, binding: 'proof-wrong' }
  const binding = BINDINGS[detail]
  if (binding) return { error, binding }
  const exchange = EXCHANGES[detail]
  if (error === 'invalid_grant') return exchange && { error, exchange }
  if (!FAILURES.has(error)) return undefined
  const address = (of: 'redirect_uri' | 'post_logout_redirect_uri', registered: readonly string[]): Seen => ({
    error,
    address: { of, asked: textOf(params[of]) ?? '', registered },
  })
  if (error === 'invalid_redirect_uri' || said === "missing required parameter 'redirect_uri'")
    return address('redirect_uri', oidc.redirectUris)
  const target = textOf(params['post_logout_redirect_uri'])
  const hint = params['id_token_hint']
  if (hint !== undefined && payloadOf(hint)['aud'] !== app.id) {
    const named = [payloadOf(hint)['aud']].flat().map(String)
    return { error, audience: { of: 'id_token_hint', named, expected: app.id } }
  }
  if (ctx.oidc.route === 'end_session' && target !== undefined && !oidc.postLogoutRedirectUris.includes(target))
    return address('post_logout_redirect_uri', oidc.postLogoutRedirectUris)
  if (said === NO_PKCE) return { error, pkce: 'missing' }
  if (NOT_S256.includes(said)) return { error, pkce: 'not-s256' }
  if (NOT_REGISTERED.test(said)) return { error, exchange: 'grant-not-registered' }
  if (error === 'invalid_scope') return { error, scopes: { asked: wordsOf(params['scope']), registered: oidc.scopes } }
  if (error !== 'invalid_client' && !AUTHENTICATION.has(said)) return { error }
  // why is in the log: what the engine has seen is not what the app has sent (`federated.ts`)
  if (oidc.federated.length > 0 && params['client_assertion'] !== undefined) return { error }
  const authentication = authenticationOf(ctx, oidc, around)
  const byAssertion =
    authentication.sent.join() === 'client_assertion' && oidc.tokenEndpointAuthMethod === 'private_key_jwt'
  return { error, ...(byAssertion ? assertionOf(ctx, detail, oidc, around) : { authentication }) }
}

/** What was asked for where somebody was let in; the claims parameter asks as well (OIDC Core §5.5). */
export function asksGroups({ oidc }: KoaContextWithOIDC): boolean {
  const { userinfo, id_token } = (oidc.claims ?? {}) as Record<string, Params | undefined>
  return (
    wordsOf(oidc.params?.['scope']).includes('groups') || [userinfo, id_token].some((one) => one && 'groups' in one)
  )
}

export const scopesOf = ({ oidc }: KoaContextWithOIDC): string[] => wordsOf(oidc.params?.['scope'])
