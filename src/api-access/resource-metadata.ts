/** What a client finds out about an API by itself: who gives tokens for it, and which scopes there are (RFC 9728 §2). */
import { type Api, PROOF_ALGS } from '#apis'
import { Refusal } from '#core/refusal'
import { json, type Route } from '#http'
import type { ApiAccessOptions } from './options.ts'

const WELL_KNOWN = '/.well-known/oauth-protected-resource'
/** For the gateway before the API, which hands on what stands there (`snippets/`). */
export const metadataPlace = ({ id }: Pick<Api, 'id'>): string => `${WELL_KNOWN}/${id}`

/** §1.2: an https address, and nothing else. */
const resourceOf = ({ audience }: Pick<Api, 'audience'>): URL | undefined =>
  audience.startsWith('https:') ? new URL(audience) : undefined

/**
 * §3: where clients look, at the API's own host, with the words put in before its path; undefined where no gateway of this API
 * answers for the host that its audience names. §3.3: only there is the document about the address that it was made from.
 */
export function metadataAt(api: Pick<Api, 'audience' | 'gateway'>): URL | undefined {
  const resource = resourceOf(api)
  if (!resource || !api.gateway?.hosts.includes(resource.host)) return undefined
  // §3.1: the slash that only ends the host goes; one at the end of a path is part of the name, and stays
  const path = resource.pathname === '/' ? '' : resource.pathname
  return new URL(`${WELL_KNOWN}${path}${resource.search}`, resource)
}

/** For the challenge (§5.1). An API that is no address has no such document. */
export const metadataAddress = (api: Api, issuer: string): string | undefined =>
  resourceOf(api) && (metadataAt(api)?.href ?? `${issuer}${metadataPlace(api)}`)

export const createResourceMetadata = ({ issuer, apis }: Pick<ApiAccessOptions, 'issuer' | 'apis'>): Route => ({
  method: 'GET',
  path: metadataPlace({ id: ':api' }),
  async handle({ params }) {
    const api = (await apis.all()).find(params['api']!)
    if (!api || !resourceOf(api)) throw new Refusal('api-unknown')
    const { name, audience, scopes, details, senderConstraint } = api
    const document = {
      resource: audience,
      authorization_servers: [issuer],
      scopes_supported: [...scopes.keys()],
      ...(details.size > 0 ? { authorization_details_types_supported: [...details.keys()] } : {}),
      bearer_methods_supported: ['header'],
      resource_name: name,
      dpop_signing_alg_values_supported: PROOF_ALGS,
      ...(senderConstraint === 'dpop' ? { dpop_bound_access_tokens_required: true } : {}),
      ...(senderConstraint === 'mtls' || senderConstraint === 'either'
        ? { tls_client_certificate_bound_access_tokens: true }
        : {}),
    }
    const answer = json(document)
    // public, and read by programs in browsers
    return {
      ...answer,
      headers: { ...answer.headers, 'cache-control': 'public, max-age=300', 'access-control-allow-origin': '*' },
    }
  },
})
