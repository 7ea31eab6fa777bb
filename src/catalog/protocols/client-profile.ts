/** Clients that keep to a profile of the OpenID Foundation, or to a part of one: what their registration then may not say. */
import { z } from 'zod'
import type { Path, Rule } from './protocol.ts'

export const PROFILES = ['fapi2', 'fapi2-message-signing'] as const
export type Profile = (typeof PROFILES)[number]

export const profileFields = {
  profile: z
    .enum(PROFILES)
    .describe(
      'FAPI 2.0 Security Profile, or Message Signing as well: what the profile asks for is required of the app',
    ),
  require_pushed_authorization_requests: z.boolean().describe('Every authorization request is pushed first (RFC 9126)'),
  require_signed_request_object: z.boolean().describe('Every authorization request is signed by the app (RFC 9101)'),
}

/** As a manifest has it, and as it is stored. */
export interface ProfileDefinition {
  readonly profile?: Profile
  readonly require_pushed_authorization_requests?: boolean
  readonly require_signed_request_object?: boolean
}

interface Registered extends ProfileDefinition {
  readonly token_endpoint_auth_method: string
  readonly pkce: string
  readonly grant_types: readonly string[]
  readonly redirect_uris: readonly string[]
  readonly id_token_signed_response_alg?: string
  readonly dpop_bound_access_tokens?: boolean
  readonly tls_client_certificate_bound_access_tokens?: boolean
  readonly jwks?: { readonly keys: readonly Readonly<Record<string, unknown>>[] }
  readonly jwks_uri?: string
}

const METHODS = ['private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth']
const GRANTS = ['authorization_code', 'refresh_token', 'client_credentials']
/** FAPI 2.0 Security Profile §5.4.1, of those that we sign by. */
const ALGS = ['ES256', 'EdDSA']

/** Whether the app signs its authorization requests, and so has keys for that. */
export const signsRequests = ({ profile, require_signed_request_object: required }: ProfileDefinition): boolean =>
  required === true || profile === 'fapi2-message-signing'

export function profileRules(oidc: Registered): readonly Rule[] {
  const { profile } = oidc
  const keys = oidc.jwks ?? oidc.jwks_uri
  const signed: Rule = [
    !signsRequests(oidc) || keys !== undefined,
    ['jwks'],
    'keys-missing',
    'is missing, expected the keys by which the app signs its requests (or `jwks_uri`)',
  ]
  if (profile === undefined) return [signed]
  const rule = (holds: boolean, path: Path, about: string, message: string): Rule => [
    holds,
    path,
    `profile-${about}`,
    `${message} (\`profile: ${profile}\`)`,
  ]
  return [
    signed,
    rule(
      METHODS.includes(oidc.token_endpoint_auth_method),
      ['token_endpoint_auth_method'],
      'authentication',
      `is \`${oidc.token_endpoint_auth_method}\`, expected one of ${METHODS.join(', ')}`,
    ),
    rule(
      (oidc.dpop_bound_access_tokens ?? false) || (oidc.tls_client_certificate_bound_access_tokens ?? false),
      ['dpop_bound_access_tokens'],
      'binding',
      'is not set, and neither is `tls_client_certificate_bound_access_tokens`, but tokens are bound to the app',
    ),
    rule(oidc.pkce === 'required', ['pkce'], 'pkce', 'is `optional`, but codes are bound to their request'),
    rule(
      oidc.grant_types.every((grant) => GRANTS.includes(grant)),
      ['grant_types'],
      'grant',
      `holds more than ${GRANTS.join(', ')}`,
    ),
    rule(
      oidc.id_token_signed_response_alg === undefined || ALGS.includes(oidc.id_token_signed_response_alg),
      ['id_token_signed_response_alg'],
      'algorithm',
      `is \`${oidc.id_token_signed_response_alg}\`, expected one of ${ALGS.join(', ')}`,
    ),
    rule(
      (oidc.jwks?.keys ?? []).every(isStrong),
      ['jwks'],
      'key',
      'holds a key that is no P-256, Ed25519, or RSA of at least 2048 bits, or is for RS256',
    ),
    // addresses that are neither https nor loopback are private-use schemes (`addresses.ts`)
    ...oidc.redirect_uris.map((uri, i) =>
      rule(/^https?:/.test(uri), ['redirect_uris', i], 'redirect', 'is no https address, and not on this machine'),
    ),
  ]
}

const RSA_BYTES = 256

/** FAPI 2.0 Security Profile §5.4. */
function isStrong({ kty, crv, n, alg }: Readonly<Record<string, unknown>>): boolean {
  if (kty === 'EC') return crv === 'P-256'
  if (kty === 'OKP') return crv === 'Ed25519'
  return alg !== 'RS256' && typeof n === 'string' && Buffer.from(n, 'base64url').length >= RSA_BYTES
}
