/** The shapes of small values that templates, manifests and apps share. */
import { z } from 'zod'

const shape = (pattern: RegExp, expected: string) => z.string().regex(pattern, `expected ${expected}`)

export const slug = shape(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and hyphens')
/** RFC 6749 §3.3: scope-token. */
export const scope = shape(/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/, 'a scope without blanks, quotes and backslashes')
export const line = shape(/^(?!\s)[^\p{Cc}\u2028\u2029]{1,200}(?<!\s)$/u, 'one line of at most 200 characters')
export const groupName = line

const unique = <T extends z.ZodType>(item: T, most: number) =>
  z
    .array(item)
    .max(most, `expected at most ${most}`)
    .refine((list) => new Set(list).size === list.length, 'the same value stands there twice')

export const list = unique

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

const addresses = list(z.string().max(4000), 50)

/** The OIDC part. In a template its addresses hold placeholders; what they may be is checked after rendering. */
export const oidcFields = {
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
  claims: claimsShape,
  jwks: jwksShape,
  jwks_uri: z.string(),
}
