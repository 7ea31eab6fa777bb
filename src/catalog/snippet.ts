/** The app's side: its settings with the real values in them. */
import { X509Certificate } from 'node:crypto'
import type { App } from './app.ts'
import { type KnownValue, protocolsIn, render } from './placeholders.ts'
import type { Template } from './template.ts'

export const SECRET_NOT_SHOWN = '<client secret shown at registration>'

type OfTheApp = 'client_id' | 'client_secret' | 'scopes'
type OfTheCertificate = 'saml_certificate' | 'saml_certificate_line' | 'saml_fingerprint'

/** What the doors know: the issuer and the addresses below it. */
export interface Endpoints extends Readonly<Record<Exclude<KnownValue, OfTheApp | OfTheCertificate>, string>> {
  /** PEM. Without it, settings that need it are left out. */
  readonly saml_certificate?: string
}

export interface Snippet {
  readonly format: string
  readonly text: string
}

/**
 * The `settings` entries of the template for the protocols that the app speaks, filled. Without a template, or where it
 * has none, the bare values. The secret is given only in the moment when it was made; later nobody can read it.
 */
export function renderSettings(
  app: App,
  template: Template | undefined,
  endpoints: Endpoints,
  clientSecret?: string,
): Snippet[] {
  const method = app.oidc?.tokenEndpointAuthMethod
  const { saml_certificate: certificate, ...addresses } = endpoints
  const values = {
    ...addresses,
    ...(certificate !== undefined && certificateValues(certificate)),
    client_id: app.id,
    client_secret:
      clientSecret ?? (method === undefined || method.startsWith('client_secret_') ? SECRET_NOT_SHOWN : ''),
    scopes: (app.oidc?.scopes ?? []).join(' '),
  }
  const filled = (template?.settings ?? []).flatMap(({ format, text }) => {
    if (!protocolsIn(text).every((protocol) => app[protocol])) return []
    const rendered = renderLines(format === 'steps' ? numbered(text) : text, { ...app.inputs, ...values })
    return rendered === undefined ? [] : [{ format, text: rendered.trimEnd() }]
  })
  if (filled.length > 0) return filled
  if (!app.oidc && app.saml) return [bareSaml(values)]
  // behind a proxy the app knows nothing of us: what there is to set is the proxy's
  if (!app.oidc) return []
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

/** A value of several lines keeps to the column where it begins, as YAML wants it. */
function renderLines(text: string, values: Readonly<Record<string, string>>): string | undefined {
  const lines = text.split('\n').map((line) => {
    const indent = /^ */.exec(line)![0]
    return render(line, values)?.replaceAll('\n', `\n${indent}`)
  })
  return lines.includes(undefined) ? undefined : lines.join('\n')
}

/** A number before each step; what is indented belongs to the step above. */
function numbered(text: string): string {
  let number = 0
  return text
    .trimEnd()
    .split('\n')
    .map((line) => (line.startsWith(' ') ? `  ${line}` : `${++number}. ${line}`))
    .join('\n')
}

const certificateValues = (pem: string): Record<OfTheCertificate, string> => ({
  saml_certificate: pem.trim(),
  saml_certificate_line: pem.replaceAll(/-----[A-Z ]+-----|\s/g, ''),
  saml_fingerprint: new X509Certificate(pem).fingerprint256,
})

/** What every service provider wants to know, by the names of SAML. */
const bareSaml = (
  values: Pick<Endpoints, 'saml_entity_id' | 'saml_metadata_url' | 'saml_sso_url' | 'saml_slo_url'>,
): Snippet => ({
  format: 'env',
  text: (['entity_id', 'metadata_url', 'sso_url', 'slo_url'] as const)
    .map((name) => `SAML_IDP_${name.toUpperCase()}='${values[`saml_${name}`]}'`)
    .join('\n'),
})
