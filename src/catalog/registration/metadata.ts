/**
 * What a client says of itself when it registers (RFC 7591 §2), as a part of an app. Only what stands here can be said; everything
 * else is passed over, so nobody gets by a word what an administrator decides.
 */
import { z } from 'zod'
import type { Definition } from '../app.ts'
import { type Manifest, manifestSchema, resolve } from '../manifest.ts'
import { jwksShape, SIGNING_ALGS, type TokenEndpointAuthMethod } from '../protocols/oidc-definition.ts'
import { present } from '../protocols/protocol.ts'
import type { CheckOptions } from '../rules.ts'

/** What the settings say of such clients. */
export interface RegistrationTerms {
  readonly hosts: readonly string[]
  readonly policy: string
  readonly audience: readonly string[]
  readonly scopes: readonly string[]
  readonly apis: Readonly<Record<string, readonly string[]>>
  readonly authentication: readonly TokenEndpointAuthMethod[]
  /** So many of them at a time. */
  readonly most: number
}

const address = z.string().max(2000)
const addresses = z.array(address).max(20)
const metadata = z.object({
  client_name: z.string().regex(/^(?!\s)[^\p{Cc}\p{Cf}\u2028\u2029]{1,60}(?<!\s)$/u),
  redirect_uris: addresses.min(1),
  post_logout_redirect_uris: addresses.optional(),
  grant_types: z.array(z.enum(['authorization_code', 'refresh_token'])).default(['authorization_code']),
  response_types: z.array(z.literal('code')).default(['code']),
  token_endpoint_auth_method: z.string().optional(),
  scope: z.string().max(2000).optional(),
  jwks: jwksShape.optional(),
  jwks_uri: address.optional(),
  backchannel_logout_uri: address.optional(),
  backchannel_logout_session_required: z.boolean().optional(),
  frontchannel_logout_uri: address.optional(),
  frontchannel_logout_session_required: z.boolean().optional(),
  dpop_bound_access_tokens: z.boolean().optional(),
  id_token_signed_response_alg: z.enum(SIGNING_ALGS).optional(),
  // what would mean something that is not done here is refused rather than passed over
  subject_type: z.literal('public').optional(),
  sector_identifier_uri: z.never().optional(),
  request_uris: z.never().optional(),
  software_statement: z.never().optional(),
})

/** RFC 7591 §3.2.2. */
export interface MetadataFault {
  readonly error: 'invalid_redirect_uri' | 'invalid_client_metadata'
  readonly why: string
}
export type MadeOfMetadata = { readonly definition: Definition } | MetadataFault

const isRedirect = (path: unknown): boolean => path === 'redirect_uris'

export function readMetadata(
  id: string,
  body: unknown,
  terms: RegistrationTerms,
  options: CheckOptions,
): MadeOfMetadata {
  const read = metadata.safeParse(body)
  if (!read.success) {
    const [at] = read.error.issues[0]!.path
    return fault(isRedirect(at), `${String(at ?? 'the body')} is not as expected`)
  }
  const said = read.data
  const method = said.token_endpoint_auth_method ?? terms.authentication[0]!
  if (!(terms.authentication as readonly string[]).includes(method))
    return fault(false, 'token_endpoint_auth_method is not one of those that are taken')
  // ATTACK: codes, keys and calls that go to a host that nobody here knows
  for (const key of [
    'redirect_uris',
    'post_logout_redirect_uris',
    'backchannel_logout_uri',
    'frontchannel_logout_uri',
    'jwks_uri',
  ] as const)
    if ([said[key] ?? []].flat().some((one) => !terms.hosts.includes(URL.parse(one)?.host ?? '')))
      return fault(isRedirect(key), `${key} holds an address at a host that is not allowed`)
  const manifest = manifestOf(id, said, method as TokenEndpointAuthMethod, terms)
  const { definition, issues } = resolve(manifestSchema.parse(manifest), undefined, options)
  if (definition) return { definition }
  const [issue] = issues
  return fault(isRedirect(issue!.path[1]), `${issue!.path.slice(1).join('.')}: ${issue!.code}`)
}

const fault = (redirect: boolean, why: string): MetadataFault => ({
  error: redirect ? 'invalid_redirect_uri' : 'invalid_client_metadata',
  why,
})

function manifestOf(
  id: string,
  said: z.output<typeof metadata>,
  method: TokenEndpointAuthMethod,
  terms: RegistrationTerms,
): Manifest {
  const asked = said.scope?.split(' ')
  const stays = said.grant_types.includes('refresh_token')
  const may = (scope: string) => (asked?.includes(scope) ?? true) && (stays || scope !== 'offline_access')
  const {
    client_name: name,
    response_types: _,
    token_endpoint_auth_method: __,
    scope: ___,
    subject_type: ____,
    ...oidc
  } = said
  return {
    id,
    name,
    policy: terms.policy,
    audience: [...terms.audience],
    tags: ['self-registered'],
    first_party: false,
    oidc: {
      ...present(oidc),
      scopes: [...new Set(['openid', ...terms.scopes.filter(may)])],
      grant_types: [...new Set(said.grant_types)],
      token_endpoint_auth_method: method,
      pkce: 'required',
      apis: Object.fromEntries(Object.entries(terms.apis).map(([api, words]) => [api, [...words]])),
    } as Manifest['oidc'],
  }
}

/** As the client is told: what is registered, which may be less than it said (RFC 7591 §3.2.1). */
export function toMetadata({ id, name, oidc }: Definition): Record<string, unknown> {
  const { scopes, claims: _claims, pkce: _pkce, apis: _apis, ...rest } = oidc!
  const code = rest.grant_types.includes('authorization_code')
  return { client_id: id, client_name: name, ...rest, response_types: code ? ['code'] : [], scope: scopes.join(' ') }
}
