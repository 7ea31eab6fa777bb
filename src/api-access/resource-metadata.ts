/** What a client finds out about an API by itself: who gives tokens for it, and which scopes there are (RFC 9728 §2). */

import { Refusal } from '#core/refusal'
import { json, type Route } from '#http'
import type { ApiAccessOptions } from './options.ts'

/** RFC 9728 §3.1; the API's own host may hand on what stands there. */
const PATH = '/.well-known/oauth-protected-resource/:api'

export const createResourceMetadata = ({ issuer, apis }: Pick<ApiAccessOptions, 'issuer' | 'apis'>): Route => ({
  method: 'GET',
  path: PATH,
  async handle({ params }) {
    const api = (await apis.all()).find(params['api']!)
    if (!api) throw new Refusal('api-unknown')
    const { name, audience, scopes, details, senderConstraint } = api
    const document = {
      resource: audience,
      authorization_servers: [issuer],
      jwks_uri: `${issuer}/oauth2/jwks`,
      scopes_supported: [...scopes.keys()],
      ...(details.size > 0 ? { authorization_details_types_supported: [...details.keys()] } : {}),
      bearer_methods_supported: ['header'],
      resource_name: name,
      ...(senderConstraint === 'dpop' ? { dpop_bound_access_tokens_required: true } : {}),
      ...(senderConstraint === 'mtls' ? { tls_client_certificate_bound_access_tokens: true } : {}),
    }
    const answer = json(document)
    // public, and read by programs in browsers
    return {
      ...answer,
      headers: { ...answer.headers, 'cache-control': 'public, max-age=300', 'access-control-allow-origin': '*' },
    }
  },
})
