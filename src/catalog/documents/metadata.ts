/**
 * What a client says of itself (RFC 7591 §2) as an app: what it may choose, within what the settings allow. Everything else that
 * stands there is passed over; addresses of pictures and pages are neither shown nor fetched.
 */
import { z } from 'zod'
import { isLoopback } from '#http'
import type { Definition } from '../app.ts'
import { type Manifest, manifestSchema, resolve } from '../manifest.ts'
import { jwksShape } from '../protocols/oidc-definition.ts'
import { present } from '../protocols/protocol.ts'
import type { CheckOptions } from '../rules.ts'

/** What the settings say of such clients. */
export interface DocumentTerms {
  readonly policy: string
  readonly audience: readonly string[]
  readonly scopes: readonly string[]
  readonly apis: Readonly<Record<string, readonly string[]>>
}

const address = z.string().max(2000)
const metadata = z.object({
  client_id: z.string(),
  client_name: z
    .string()
    .regex(/^(?!\s)[^\p{Cc}\p{Cf}\u2028\u2029]{1,60}(?<!\s)$/u)
    .optional(),
  redirect_uris: z.array(address).min(1).max(20),
  post_logout_redirect_uris: z.array(address).max(20).optional(),
  grant_types: z.array(z.enum(['authorization_code', 'refresh_token'])).default(['authorization_code']),
  response_types: z.array(z.literal('code')).default(['code']),
  // INVARIANT: no secret that others could read in a public document
  token_endpoint_auth_method: z.enum(['none', 'private_key_jwt']),
  scope: z.string().max(2000).optional(),
  dpop_bound_access_tokens: z.boolean().optional(),
  jwks: jwksShape.optional(),
  jwks_uri: address.optional(),
  client_secret: z.never().optional(),
  client_secret_expires_at: z.never().optional(),
})

export type Made = { readonly definition: Definition } | { readonly fault: string }

/** The app that the document at `id` describes. */
export function toDefinition(id: string, document: unknown, terms: DocumentTerms, options: CheckOptions): Made {
  const read = metadata.safeParse(document)
  if (!read.success) return { fault: `${read.error.issues[0]?.path.join('.') || 'document'} is not as expected` }
  const said = read.data
  // ATTACK: a copy of somebody else's document
  if (said.client_id !== id) return { fault: 'client_id is not the address of the document' }
  const { origin, host } = new URL(id)
  const foreign = [...said.redirect_uris, ...(said.post_logout_redirect_uris ?? [])].find((uri) => !isOwn(uri, origin))
  if (foreign !== undefined) return { fault: 'redirect_uris holds an address of somebody else' }
  if (said.jwks_uri !== undefined && URL.parse(said.jwks_uri)?.origin !== origin)
    return { fault: 'jwks_uri is an address of somebody else' }
  const { definition, issues } = resolve(manifestSchema.parse(manifestOf(said, host, terms)), undefined, options)
  return definition ? { definition: { ...definition, id, document: true } } : { fault: issues[0]!.code }
}

/** A page of the same host, or a program on the person's own machine (RFC 8252 §7.3). */
function isOwn(uri: string, origin: string): boolean {
  const url = URL.parse(uri)
  return url !== null && (url.origin === origin || (url.protocol === 'http:' && isLoopback(url.hostname)))
}

function manifestOf(said: z.output<typeof metadata>, host: string, terms: DocumentTerms): Manifest {
  const asked = said.scope?.split(' ')
  const stays = said.grant_types.includes('refresh_token')
  const scopes = terms.scopes.filter(
    (scope) => (asked?.includes(scope) ?? true) && (stays || scope !== 'offline_access'),
  )
  return {
    id: 'document',
    // a name is anybody's to choose; the host is not
    name: said.client_name === undefined ? host : `${said.client_name} (${host})`,
    policy: terms.policy,
    audience: [...terms.audience],
    tags: ['client-document'],
    first_party: false,
    oidc: {
      redirect_uris: said.redirect_uris,
      post_logout_redirect_uris: said.post_logout_redirect_uris ?? [],
      scopes: [...new Set(['openid', ...scopes])],
      grant_types: [...new Set(said.grant_types)],
      token_endpoint_auth_method: said.token_endpoint_auth_method,
      pkce: 'required',
      apis: Object.fromEntries(Object.entries(terms.apis).map(([api, words]) => [api, [...words]])),
      ...present({
        jwks: said.jwks,
        jwks_uri: said.jwks_uri,
        dpop_bound_access_tokens: said.dpop_bound_access_tokens,
      }),
    },
  }
}
