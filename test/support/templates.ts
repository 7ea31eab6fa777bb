/**
 * The shipped templates as their files say them. Read and filled in without the catalog's own code, so that apps which are
 * made of them here differ from the registered ones where that code has a mistake.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

const FOLDER = join(import.meta.dirname, '../../apps-catalog')

/** Of OIDC Registration §2; what a template leaves out is what docs/apps.md says. */
export interface OidcPattern {
  readonly slug: string
  readonly redirectUris: readonly string[]
  readonly scopes: readonly string[]
  readonly method: 'client_secret_basic' | 'client_secret_post' | 'none'
  readonly pkce: 'required' | 'optional'
  readonly grants: readonly string[]
  readonly alg: string
  readonly inIdToken: boolean
}

/** Of SAML 2.0 Metadata §2.4.4. */
export interface SamlPattern {
  readonly slug: string
  readonly entityId: string
  readonly acsUrls: readonly string[]
  readonly nameIdFormat: 'persistent' | 'emailAddress' | 'transient' | 'unspecified'
  /** The field that the NameID is made of; absent where the gateway makes one. */
  readonly nameId: string | undefined
  readonly attributes: readonly { readonly name: string; readonly value: string }[]
  readonly sign: readonly ('assertion' | 'response')[]
}

export interface Pattern {
  readonly slug: string
  readonly inputs: Readonly<Record<string, string>>
  readonly oidc?: OidcPattern
  readonly saml?: SamlPattern
}

interface File {
  readonly slug: string
  readonly inputs?: Readonly<Record<string, { readonly example: string }>>
  readonly oidc?: Readonly<Record<string, unknown>> & { readonly redirect_uris?: readonly string[] }
  readonly saml?: Readonly<Record<string, unknown>> & {
    readonly entity_id: string
    readonly acs_urls: readonly string[]
  }
}

/** Without `name_id`; `persistent` and `transient` have none. */
const FIELD_OF: Readonly<Record<string, string>> = { emailAddress: 'email', unspecified: 'username' }

function patternOf({ slug, inputs: asked = {}, oidc, saml }: File): Pattern {
  const inputs = Object.fromEntries(Object.entries(asked).map(([name, { example }]) => [name, example]))
  const filled = (text: string) =>
    text.replace(/\{(\w+)\}/g, (_, name: string) => (name === 'client_id' ? slug : inputs[name]!))
  return {
    slug,
    inputs,
    ...(oidc && {
      oidc: {
        slug,
        redirectUris: (oidc.redirect_uris ?? []).map(filled),
        scopes: (oidc['scopes'] as string[] | undefined) ?? ['openid', 'profile', 'email'],
        method: (oidc['token_endpoint_auth_method'] as OidcPattern['method'] | undefined) ?? 'client_secret_basic',
        pkce: (oidc['pkce'] as OidcPattern['pkce'] | undefined) ?? 'required',
        grants: (oidc['grant_types'] as string[] | undefined) ?? ['authorization_code'],
        alg: (oidc['id_token_signed_response_alg'] as string | undefined) ?? 'RS256',
        inIdToken: (oidc['claims'] as { in_id_token?: boolean } | undefined)?.in_id_token ?? false,
      },
    }),
    ...(saml && {
      saml: {
        slug,
        entityId: filled(saml.entity_id),
        acsUrls: saml.acs_urls.map(filled),
        nameIdFormat: (saml['name_id_format'] as SamlPattern['nameIdFormat'] | undefined) ?? 'persistent',
        nameId:
          saml['name_id_format'] === 'transient'
            ? undefined
            : ((saml['name_id'] as string | undefined) ?? FIELD_OF[saml['name_id_format'] as string]),
        attributes: (saml['attributes'] as SamlPattern['attributes'] | undefined) ?? [],
        sign: (saml['sign'] as SamlPattern['sign'] | undefined) ?? ['assertion', 'response'],
      },
    }),
  }
}

/** In the order of their slugs. */
export const readPatterns = (): Pattern[] =>
  readdirSync(FOLDER)
    .filter((name) => name.endsWith('.yaml'))
    .sort()
    .map((name) => patternOf(parse(readFileSync(join(FOLDER, name), 'utf8')) as File))
