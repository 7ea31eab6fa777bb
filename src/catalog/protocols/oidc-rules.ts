/** When a client of OpenID Connect is registered in a way that holds together. */
import { federatedRules } from './client-federated.ts'
import { profileRules, signsRequests } from './client-profile.ts'
import { proofRules } from './client-proof.ts'
import type { OidcDefinition } from './oidc-definition.ts'
import type { Rule } from './protocol.ts'

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'] // RFC 7518 §6.2.2, §6.3.2, §6.4

/** Undefined for a private-use scheme, which has none. */
function originOf(address: string): string | undefined {
  const url = URL.parse(address)
  return url && /^https?:$/.test(url.protocol) ? url.origin : undefined
}

export function oidcRules(oidc: OidcDefinition): readonly Rule[] {
  const method = oidc.token_endpoint_auth_method
  const grants = new Set(oidc.grant_types)
  const code = grants.has('authorization_code')
  const ciba = grants.has('urn:openid:params:grant-type:ciba')
  const person = code || ciba || grants.has('urn:ietf:params:oauth:grant-type:device_code')
  const exchange = grants.has('urn:ietf:params:oauth:grant-type:token-exchange')
  const keys = oidc.jwks?.keys ?? []
  const keyed = method === 'private_key_jwt' || method === 'self_signed_tls_client_auth'
  const at = ['token_endpoint_auth_method']
  const front = oidc.frontchannel_logout_uri
  return [
    ...proofRules(oidc),
    ...profileRules(oidc),
    ...federatedRules(oidc),
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
    [
      person || grants.has('client_credentials') || exchange,
      ['grant_types'],
      'grant-missing',
      'has no grant that starts anything',
    ],
    [
      !ciba || method !== 'none',
      at,
      'ciba-public',
      'is `none`, but only a client that authenticates may ask somebody on another screen (CIBA Core §7.1)',
    ],
    [
      !exchange || method !== 'none',
      at,
      'exchange-public',
      'is `none`, but only a client that authenticates may exchange tokens (RFC 8693 §5)',
    ],
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
      !keyed || oidc.federated !== undefined || (oidc.jwks === undefined) !== (oidc.jwks_uri === undefined),
      at,
      'keys-missing',
      `is \`${method}\`, expected exactly one of \`jwks\` and \`jwks_uri\``,
    ],
    [
      keyed || signsRequests(oidc) || (oidc.jwks ?? oidc.jwks_uri) === undefined,
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
