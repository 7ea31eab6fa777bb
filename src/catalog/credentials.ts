/** What an app shows who it is with, and what of that is taken away when its registration changes: what was got with it is over. */
import { isDeepStrictEqual } from 'node:util'
import { calculateJwkThumbprint } from 'jose'
import type { Instant } from '#core/clock'
import type { Records } from '#storage'
import type { Definition } from './app.ts'
import { proofOf } from './protocols/client-proof.ts'
import type { OidcDefinition, PublicJwks } from './protocols/oidc-definition.ts'

/** Tokens of a program that are over, wherever they are looked at. */
export interface TokensEnd {
  readonly client: string
  /** Only those that were got with these of its keys, by their thumbprints (RFC 7638). */
  readonly keys?: readonly string[]
  /** Those of the second of it, and from before; now unless given. */
  readonly at?: Instant
}

/** Told in the transaction of the change. `by`: a person's id, `cli`, or `system` where it follows from something else. */
export type OnTokensEnd = (end: TokensEnd, by: string, on: Records) => Promise<void>

/** Undefined: everything that it could show before is taken now as well. */
export async function withdrawn(before: Definition, after: Definition): Promise<TokensEnd | undefined> {
  const [was, is] = [before.oidc, after.oidc]
  const client = before.id
  if (!was) return undefined
  if (!is || isAnotherWay(was, is)) return { client }
  const now = new Set(await thumbprints(is.jwks))
  const keys = (await thumbprints(was.jwks)).filter((key) => !now.has(key))
  if (keys.length === 0) return undefined
  // what came with a certificate does not say with which
  return was.token_endpoint_auth_method === 'private_key_jwt' ? { client, keys } : { client }
}

/** Of what is left nobody can tell with which of it a token was got. */
function isAnotherWay(was: OidcDefinition, is: OidcDefinition): boolean {
  if (was.token_endpoint_auth_method !== is.token_endpoint_auth_method) return true
  if (was.jwks_uri !== undefined && was.jwks_uri !== is.jwks_uri) return true
  if (was.token_endpoint_auth_method === 'tls_client_auth' && !isDeepStrictEqual(subjectOf(was), subjectOf(is)))
    return true
  return (was.federated ?? []).some((one) => !(is.federated ?? []).some((other) => isDeepStrictEqual(one, other)))
}

function subjectOf(oidc: OidcDefinition) {
  const { tls_client_certificate_bound_access_tokens: _, ...subject } = proofOf(oidc)
  return subject
}

const thumbprints = (jwks: PublicJwks | undefined): Promise<string[]> =>
  Promise.all((jwks?.keys ?? []).map((key) => calculateJwkThumbprint(key, 'sha256')))
