/** A registered app: what the other rooms see, what is stored, and when it is valid. */
import type { Instant } from '#core/clock'
import type { GRANT_TYPES, SIGNING_ALGS, TOKEN_ENDPOINT_AUTH_METHODS } from './words.ts'

export type TokenEndpointAuthMethod = (typeof TOKEN_ENDPOINT_AUTH_METHODS)[number]
export type GrantType = (typeof GRANT_TYPES)[number]
export type SigningAlg = (typeof SIGNING_ALGS)[number]
export type PublicJwks = { readonly keys: readonly Readonly<Record<string, unknown>>[] }

export interface AppOidc {
  /** The same as the app's id. */
  readonly clientId: string
  /**
   * Only on what `apps.find` answers. INVARIANT: not enumerable, so that JSON, a spread or a log line never carries it.
   * Undefined for `none` and `private_key_jwt`.
   */
  readonly clientSecret?: string
  readonly redirectUris: readonly string[]
  readonly postLogoutRedirectUris: readonly string[]
  readonly scopes: readonly string[]
  readonly tokenEndpointAuthMethod: TokenEndpointAuthMethod
  /** `optional`: a code challenge is honoured where the app sends one. */
  readonly pkce: 'required' | 'optional'
  readonly grantTypes: readonly GrantType[]
  readonly responseTypes: readonly 'code'[]
  readonly jwks?: PublicJwks
  readonly jwksUri?: string
  readonly backchannelLogoutUri?: string
  readonly backchannelLogoutSessionRequired: boolean
  /** Undefined: whatever the gateway signs with by default. */
  readonly idTokenSignedResponseAlg?: SigningAlg
  readonly claims: { readonly groups: 'all' | 'none' | readonly string[]; readonly inIdToken: boolean }
}

export interface App {
  readonly id: string
  readonly name: string
  /** The slug of the template it was made from. */
  readonly template?: string
  /** The name of the policy that decides who gets in. */
  readonly policy: string
  /** Groups; `['*']` is everybody who has signed in; `[]` nobody, which only a machine has. */
  readonly audience: readonly string[]
  readonly tags: readonly string[]
  readonly tier: string
  readonly launchUrl?: string
  /** First-party apps skip consent. */
  readonly firstParty: boolean
  readonly oidc?: AppOidc
  readonly inputs: Readonly<Record<string, string>>
  readonly createdAt: Instant
  readonly changedAt: Instant
}

/** The stored form, in the words of a manifest. Complete: nothing of it depends on a template any more. */
export interface Definition {
  readonly id: string
  readonly template?: string
  readonly inputs: Readonly<Record<string, string>>
  readonly name: string
  readonly policy: string
  readonly audience: readonly string[]
  readonly tags: readonly string[]
  readonly tier: string
  readonly launch_url?: string
  readonly first_party: boolean
  readonly oidc: OidcDefinition
}

export interface OidcDefinition {
  readonly redirect_uris: readonly string[]
  readonly post_logout_redirect_uris: readonly string[]
  readonly scopes: readonly string[]
  readonly token_endpoint_auth_method: TokenEndpointAuthMethod
  readonly pkce: 'required' | 'optional'
  readonly grant_types: readonly GrantType[]
  readonly id_token_signed_response_alg?: SigningAlg
  readonly backchannel_logout_uri?: string
  readonly backchannel_logout_session_required: boolean
  readonly claims: { readonly groups: 'all' | 'none' | readonly string[]; readonly in_id_token: boolean }
  readonly jwks?: PublicJwks
  readonly jwks_uri?: string
}

/** Whether the app holds a secret that both sides know. */
export const hasSecret = (definition: Definition): boolean =>
  definition.oidc.token_endpoint_auth_method.startsWith('client_secret_')

/** A machine gets tokens for itself only: no person ever signs in to it. */
export const isMachine = (definition: Definition): boolean =>
  definition.oidc.grant_types.every((grant) => grant === 'client_credentials')

const frozen = <T extends object>(value: T): T => {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) frozen(inner)
  return Object.freeze(value)
}

/** The stored form as other rooms see it, frozen all the way down. */
export function toApp(
  definition: Definition,
  times: { createdAt: Instant; changedAt: Instant },
  clientSecret?: string,
): App {
  const { oidc } = definition
  const seen: AppOidc = {
    clientId: definition.id,
    redirectUris: oidc.redirect_uris,
    postLogoutRedirectUris: oidc.post_logout_redirect_uris,
    scopes: oidc.scopes,
    tokenEndpointAuthMethod: oidc.token_endpoint_auth_method,
    pkce: oidc.pkce,
    grantTypes: oidc.grant_types,
    responseTypes: oidc.grant_types.includes('authorization_code') ? ['code'] : [],
    ...(oidc.jwks && { jwks: oidc.jwks }),
    ...(oidc.jwks_uri !== undefined && { jwksUri: oidc.jwks_uri }),
    ...(oidc.backchannel_logout_uri !== undefined && { backchannelLogoutUri: oidc.backchannel_logout_uri }),
    backchannelLogoutSessionRequired: oidc.backchannel_logout_session_required,
    ...(oidc.id_token_signed_response_alg && { idTokenSignedResponseAlg: oidc.id_token_signed_response_alg }),
    claims: { groups: oidc.claims.groups, inIdToken: oidc.claims.in_id_token },
  }
  if (clientSecret !== undefined)
    Object.defineProperty(seen, 'clientSecret', { value: clientSecret, enumerable: false })
  return frozen({
    id: definition.id,
    name: definition.name,
    ...(definition.template !== undefined && { template: definition.template }),
    policy: definition.policy,
    audience: definition.audience,
    tags: definition.tags,
    tier: definition.tier,
    ...(definition.launch_url !== undefined && { launchUrl: definition.launch_url }),
    firstParty: definition.first_party,
    oidc: seen,
    inputs: definition.inputs,
    ...times,
  })
}
