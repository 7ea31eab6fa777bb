/** OpenID Connect and OAuth 2.0: an app that is a client (OIDC Registration §2, RFC 7591). */
import type { z } from 'zod'
import { federatedAddresses } from './client-federated.ts'
import { proofOf } from './client-proof.ts'
import { type AppOidc, BARE_OIDC, type OidcDefinition, type oidcTemplate } from './oidc-definition.ts'
import { oidcRules } from './oidc-rules.ts'
import { type AddressAt, type AppProtocol, present } from './protocol.ts'

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
    ...federatedAddresses(stored),
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
      dpopBoundAccessTokens: stored.dpop_bound_access_tokens ?? false,
      proof: proofOf(stored),
      federated: stored.federated ?? [],
      ...(stored.profile && { profile: stored.profile }),
      requirePushedAuthorizationRequests: stored.require_pushed_authorization_requests ?? false,
      requireSignedRequestObject: stored.require_signed_request_object ?? false,
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
      // ATTACK: an API may have the name of something that every object has of itself, like `constructor`
      apis: { __proto__: null, ...stored.apis } as unknown as Readonly<Record<string, readonly string[]>>,
    }
    if (secrets)
      Object.defineProperties(seen, {
        clientSecret: { value: secrets.current, enumerable: false },
        previousSecret: { value: secrets.previous, enumerable: false },
      })
    return seen
  },
}
