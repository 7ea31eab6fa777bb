/** OpenID Connect and OAuth 2.0: an app that is a client (OIDC Registration §2, RFC 7591). */
import { z } from 'zod'
import type { PreviousSecret } from '../secrets.ts'
import { addresses, groupName, list, scope } from '../words.ts'
import { type AddressAt, type AppProtocol, present, type Rule } from './protocol.ts'

export const TOKEN_ENDPOINT_AUTH_METHODS = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'none',
] as const
export const GRANT_TYPES = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:device_code',
] as const
export const SIGNING_ALGS = ['ES256', 'RS256', 'EdDSA'] as const

/** Which of the person's groups the app may see, and whether its claims go into the ID token as well as to userinfo. */
export const claimsShape = z.strictObject({
  groups: z.union([z.enum(['all', 'none']), list(groupName, 200)]).default('all'),
  in_id_token: z.boolean().default(false).describe('For apps that never call userinfo'),
})

const jwksShape = z.strictObject({
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
   * Undefined for `none` and `private_key_jwt`.
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
}

/** The stored form, in the words of a manifest. */
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
  readonly frontchannel_logout_uri?: string
  readonly frontchannel_logout_session_required: boolean
  readonly claims: { readonly groups: 'all' | 'none' | readonly string[]; readonly in_id_token: boolean }
  readonly jwks?: PublicJwks
  readonly jwks_uri?: string
}

const BARE_OIDC = {
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

// an app's own keys are never the same in two installations, so a template has none
export const oidcTemplate = z.strictObject(oidcFields).partial().omit({ jwks: true, jwks_uri: true })

/** What a manifest may say; `null` takes away what the template has. */
export const oidcOverrides = z
  .strictObject({
    ...oidcFields,
    id_token_signed_response_alg: oidcFields.id_token_signed_response_alg.nullable(),
    backchannel_logout_uri: oidcFields.backchannel_logout_uri.nullable(),
    frontchannel_logout_uri: oidcFields.frontchannel_logout_uri.nullable(),
  })
  .partial()

export const oidc: AppProtocol<z.output<typeof oidcTemplate>, OidcDefinition, AppOidc> = {
  key: 'oidc',

  base(part, { one, all }) {
    const back = one(part?.backchannel_logout_uri)
    const front = one(part?.frontchannel_logout_uri)
    const {
      redirect_uris: _redirects,
      post_logout_redirect_uris: _postLogout,
      backchannel_logout_uri: _back,
      frontchannel_logout_uri: _front,
      ...plain
    } = part ?? {}
    return {
      ...BARE_OIDC,
      ...present(plain),
      redirect_uris: all(part?.redirect_uris),
      post_logout_redirect_uris: all(part?.post_logout_redirect_uris),
      ...(back !== undefined && { backchannel_logout_uri: back }),
      ...(front !== undefined && { frontchannel_logout_uri: front }),
    }
  },

  addresses: (stored) => [
    ...stored.redirect_uris.map((text, i): AddressAt => ({ path: ['redirect_uris', i], text, use: 'redirect' })),
    ...stored.post_logout_redirect_uris.map(
      (text, i): AddressAt => ({ path: ['post_logout_redirect_uris', i], text, use: 'redirect' }),
    ),
    ...(['backchannel_logout_uri', 'jwks_uri'] as const).flatMap((key): AddressAt[] => {
      const text = stored[key]
      return text === undefined ? [] : [{ path: [key], text, use: 'endpoint' }]
    }),
    ...(stored.frontchannel_logout_uri === undefined
      ? []
      : [{ path: ['frontchannel_logout_uri'], text: stored.frontchannel_logout_uri, use: 'page' } as const]),
  ],

  rules: oidcRules,
  names: () => [],

  seen(stored, id, secrets) {
    const seen: AppOidc = {
      clientId: id,
      redirectUris: stored.redirect_uris,
      postLogoutRedirectUris: stored.post_logout_redirect_uris,
      scopes: stored.scopes,
      tokenEndpointAuthMethod: stored.token_endpoint_auth_method,
      pkce: stored.pkce,
      grantTypes: stored.grant_types,
      responseTypes: stored.grant_types.includes('authorization_code') ? ['code'] : [],
      ...(stored.jwks && { jwks: stored.jwks }),
      ...(stored.jwks_uri !== undefined && { jwksUri: stored.jwks_uri }),
      ...(stored.backchannel_logout_uri !== undefined && { backchannelLogoutUri: stored.backchannel_logout_uri }),
      backchannelLogoutSessionRequired: stored.backchannel_logout_session_required,
      ...(stored.frontchannel_logout_uri !== undefined && { frontchannelLogoutUri: stored.frontchannel_logout_uri }),
      // what was registered before this was known has none
      frontchannelLogoutSessionRequired: stored.frontchannel_logout_session_required ?? false,
      ...(stored.id_token_signed_response_alg && { idTokenSignedResponseAlg: stored.id_token_signed_response_alg }),
      claims: { groups: stored.claims.groups, inIdToken: stored.claims.in_id_token },
    }
    if (secrets)
      Object.defineProperties(seen, {
        clientSecret: { value: secrets.current, enumerable: false },
        previousSecret: { value: secrets.previous, enumerable: false },
      })
    return seen
  },
}

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'] // RFC 7518 §6.2.2, §6.3.2, §6.4

/** Undefined for a private-use scheme, which has none. */
function originOf(address: string): string | undefined {
  const url = URL.parse(address)
  return url && /^https?:$/.test(url.protocol) ? url.origin : undefined
}

function oidcRules(oidc: OidcDefinition): readonly Rule[] {
  const method = oidc.token_endpoint_auth_method
  const grants = new Set(oidc.grant_types)
  const code = grants.has('authorization_code')
  const person = code || grants.has('urn:ietf:params:oauth:grant-type:device_code')
  const keys = oidc.jwks?.keys ?? []
  const at = ['token_endpoint_auth_method']
  const front = oidc.frontchannel_logout_uri
  return [
    [
      code === oidc.redirect_uris.length > 0,
      ['redirect_uris'],
      'redirect-mismatch',
      code ? 'is missing, expected at least one address' : 'stands without the grant `authorization_code`',
    ],
    [
      front === undefined || oidc.redirect_uris.some((uri) => originOf(uri) === originOf(front)),
      ['frontchannel_logout_uri'],
      'front-channel-elsewhere',
      'is on another origin than every redirect URI (Front-Channel Logout §2)',
    ],
    [
      method !== 'none' || oidc.pkce === 'required',
      ['pkce'],
      'pkce-required',
      'is `optional`, but a public client must use PKCE (RFC 9700 §2.1.1)',
    ],
    [
      method !== 'none' || !grants.has('client_credentials'),
      at,
      'machine-public',
      'is `none`, but `client_credentials` is for confidential clients (RFC 6749 §4.4)',
    ],
    [
      person || !grants.has('refresh_token'),
      ['grant_types'],
      'refresh-alone',
      'has `refresh_token` without a grant by which a person signs in',
    ],
    [person || grants.has('client_credentials'), ['grant_types'], 'grant-missing', 'has no grant that starts anything'],
    [
      person === oidc.scopes.includes('openid'),
      ['scopes'],
      'scope-openid',
      person ? 'lacks `openid`' : 'holds `openid`, but nobody signs in to a machine',
    ],
    [
      !oidc.scopes.includes('offline_access') || grants.has('refresh_token'),
      ['scopes'],
      'scope-offline',
      'holds `offline_access` without the grant `refresh_token`',
    ],
    [
      method !== 'private_key_jwt' || (oidc.jwks === undefined) !== (oidc.jwks_uri === undefined),
      at,
      'keys-missing',
      'is `private_key_jwt`, expected exactly one of `jwks` and `jwks_uri`',
    ],
    [
      method === 'private_key_jwt' || (oidc.jwks ?? oidc.jwks_uri) === undefined,
      at,
      'keys-unused',
      `is \`${method}\`, but there are keys for \`private_key_jwt\``,
    ],
    [
      !keys.some((key) => PRIVATE_MEMBERS.some((member) => member in key)),
      ['jwks'],
      'keys-private',
      'holds a private key; only the public half belongs here',
    ],
  ]
}
