/** The app's side: its settings with the real values in them. */
import type { App } from './app.ts'
import { type KnownValue, render } from './placeholders.ts'
import type { Template } from './template.ts'

export const SECRET_NOT_SHOWN = '<client secret shown at registration>'

/** What the OIDC door knows: the issuer and the endpoints below it. */
export type Endpoints = Readonly<Record<Exclude<KnownValue, 'client_id' | 'client_secret' | 'scopes'>, string>>

export interface Snippet {
  readonly format: string
  readonly text: string
}

/**
 * Every `settings` entry of the template, filled. Without a template, or where it has none, the bare values. The secret
 * is given only in the moment when it was made; later nobody can read it.
 */
export function renderSettings(
  app: App,
  template: Template | undefined,
  endpoints: Endpoints,
  clientSecret?: string,
): Snippet[] {
  const method = app.oidc?.tokenEndpointAuthMethod
  const values = {
    ...endpoints,
    client_id: app.id,
    client_secret: clientSecret ?? (method === 'none' || method === 'private_key_jwt' ? '' : SECRET_NOT_SHOWN),
    scopes: (app.oidc?.scopes ?? []).join(' '),
  }
  const filled = (template?.settings ?? []).flatMap(({ format, text }) => {
    const rendered = render(text, { ...app.inputs, ...values })
    return rendered === undefined ? [] : [{ format, text: rendered.trimEnd() }]
  })
  if (filled.length > 0) return filled
  if (!app.oidc && app.saml) return [bareSaml(endpoints.issuer)]
  const bare = [
    'issuer',
    'discovery_url',
    'client_id',
    ...(values.client_secret ? ['client_secret'] : []),
    'scopes',
  ] as const
  return [
    {
      format: 'env',
      text: bare.map((key) => `OIDC_${key.toUpperCase()}='${values[key as keyof typeof values]}'`).join('\n'),
    },
  ]
}

/** What every service provider wants to know, by the names of SAML. */
const bareSaml = (issuer: string): Snippet => ({
  format: 'env',
  text: Object.entries({ ENTITY_ID: 'metadata', METADATA_URL: 'metadata', SSO_URL: 'sso', SLO_URL: 'slo' })
    .map(([name, path]) => `SAML_IDP_${name}='${issuer}/saml/${path}'`)
    .join('\n'),
})
