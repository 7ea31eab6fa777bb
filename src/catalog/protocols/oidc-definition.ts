/** What a client of OpenID Connect and OAuth 2.0 is registered with: as files have it, as it is stored, as it is seen. */
import { z } from 'zod'
import type { PreviousSecret } from '../secrets.ts'
import { addresses, groupName, list, scope, slug } from '../words.ts'
import { type Federated, type FederatedDefinition, federatedFields } from './client-federated.ts'
import { type Profile, type ProfileDefinition, profileFields } from './client-profile.ts'
import { type ClientProof, proofFields } from './client-proof.ts'

export const TOKEN_ENDPOINT_AUTH_METHODS = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'tls_client_auth',
  'self_signed_tls_client_auth',
  'none',
] as const
export const GRANT_TYPES = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:device_code',
  'urn:ietf:params:oauth:grant-type:token-exchange',
  'urn:openid:params:grant-type:ciba',
] as const
export const SIGNING_ALGS = ['ES256', 'RS256', 'EdDSA'] as const

/** Which of the person's groups the app may see, and whether its claims go into the ID token as well as to userinfo. */
export const claimsShape = z.strictObject({
  groups: z.union([z.enum(['all', 'none']), list(groupName, 200)]).default('all'),
  in_id_token: z.boolean().default(false).describe('For apps that never call userinfo'),
})

export const jwksShape = z.strictObject({
  keys: z
    .array(z.looseObject({ kty: z.enum(['RSA', 'EC', 'OKP']) }))
    .min(1)
    .max(20),
})

/** In a template its addresses hold placeholders; what they may be is checked after rendering. */
const oidcFields = {
  redirect_uris: addresses,
  post_logout_redirect_uris: addresses,
  scopes: list(scope, 50),
  token_endpoint_auth_method: z.enum(TOKEN_ENDPOINT_AUTH_METHODS),
  pkce: z.enum(['required', 'optional']),
  dpop_bound_access_tokens: z
    .boolean()
    .describe('Every token is bound to a key that the app proves to have (RFC 9449)'),
  grant_types: list(z.enum(GRANT_TYPES), GRANT_TYPES.length).refine(
    (grants) => grants.length > 0,
    'expected at least one',
  ),
  id_token_signed_response_alg: z.enum(SIGNING_ALGS),
  backchannel_logout_uri: z.string(),
  backchannel_logout_session_required: z.boolean(),
  frontchannel_logout_uri: z
    .string()
    .describe("Loaded by the person's browser when they sign out, where there is no `backchannel_logout_uri`"),
  frontchannel_logout_session_required: z.boolean(),
  claims: claimsShape,
  jwks: jwksShape,
  jwks_uri: z.string(),
  apis: z
    .record(slug, list(scope, 200))
    .describe('The APIs that it gets tokens for, each with the scopes that it may have'),
}

export type TokenEndpointAuthMethod = (typeof TOKEN_ENDPOINT_AUTH_METHODS)[number]
export type GrantType = (typeof GRANT_TYPES)[number]
export type SigningAlg = (typeof SIGNING_ALGS)[number]
export type PublicJwks = { readonly keys: readonly Readonly<Record<string, unknown>>[] }

export interface AppOidc {
  /** The same as the app's id. */
  readonly clientId: string
  /**
   * Only on what `apps.find` answers. INVARIANT: not enumerable, so that JSON, a spread or a log line never carries it.
   * Undefined for what authenticates without one.
   */
  readonly clientSecret?: string
  /** The one before it, as long as it is taken too; otherwise like it. */
  readonly previousSecret?: PreviousSecret
  readonly redirectUris: readonly string[]
  readonly postLogoutRedirectUris: readonly string[]
  readonly scopes: readonly string[]
  readonly tokenEndpointAuthMethod: TokenEndpointAuthMethod
  /** `optional`: a code challenge is honoured where the app sends one. */
  readonly pkce: 'required' | 'optional'
  /** The app gets no token without a proof of its key (RFC 9449 §5.2). */
  readonly dpopBoundAccessTokens: boolean
  readonly proof: ClientProof
  /** Tokens of others that stand for a key of its own. */
  readonly federated: readonly Federated[]
  readonly profile?: Profile
  readonly requirePushedAuthorizationRequests: boolean
  readonly requireSignedRequestObject: boolean
  readonly grantTypes: readonly GrantType[]
  readonly responseTypes: readonly 'code'[]
  readonly jwks?: PublicJwks
  readonly jwksUri?: string
  readonly backchannelLogoutUri?: string
  readonly backchannelLogoutSessionRequired: boolean
  readonly frontchannelLogoutUri?: string
  readonly frontchannelLogoutSessionRequired: boolean
  /** Undefined: whatever the gateway signs with by default. */
  readonly idTokenSignedResponseAlg?: SigningAlg
  readonly claims: { readonly groups: 'all' | 'none' | readonly string[]; readonly inIdToken: boolean }
  /** The APIs that it gets tokens for, by their ids, each with the scopes that it may have. */
  readonly apis: Readonly<Record<string, readonly string[]>>
}

/** The stored form, in the words of a manifest. */
export interface OidcDefinition extends ClientProof, ProfileDefinition, FederatedDefinition {
  readonly redirect_uris: readonly string[]
  readonly post_logout_redirect_uris: readonly string[]
  readonly scopes: readonly string[]
  readonly token_endpoint_auth_method: TokenEndpointAuthMethod
  readonly pkce: 'required' | 'optional'
  readonly dpop_bound_access_tokens?: boolean
  readonly grant_types: readonly GrantType[]
  readonly id_token_signed_response_alg?: SigningAlg
  readonly backchannel_logout_uri?: string
  readonly backchannel_logout_session_required: boolean
  readonly frontchannel_logout_uri?: string
  readonly frontchannel_logout_session_required: boolean
  readonly claims: { readonly groups: 'all' | 'none' | readonly string[]; readonly in_id_token: boolean }
  readonly jwks?: PublicJwks
  readonly jwks_uri?: string
  readonly apis?: Readonly<Record<string, readonly string[]>>
}

export const BARE_OIDC = {
  redirect_uris: [],
  post_logout_redirect_uris: [],
  scopes: ['openid', 'profile', 'email'],
  token_endpoint_auth_method: 'client_secret_basic',
  pkce: 'required',
  grant_types: ['authorization_code'],
  backchannel_logout_session_required: false,
  frontchannel_logout_session_required: false,
  claims: { groups: 'all', in_id_token: false },
} as const satisfies OidcDefinition

// an app's own keys, and the APIs of an organisation, are never the same in two installations, so a template has none
export const oidcTemplate = z.strictObject(oidcFields).partial().omit({ jwks: true, jwks_uri: true, apis: true })

/** What a manifest may say; `null` takes away what the template has. */
export const oidcOverrides = z
  .strictObject({
    ...oidcFields,
    ...proofFields,
    ...profileFields,
    ...federatedFields,
    id_token_signed_response_alg: oidcFields.id_token_signed_response_alg.nullable(),
    backchannel_logout_uri: oidcFields.backchannel_logout_uri.nullable(),
    frontchannel_logout_uri: oidcFields.frontchannel_logout_uri.nullable(),
  })
  .partial()
