/** What the `apps` and `catalog` verbs share: where templates are, and how an app is printed. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import {
  type App,
  type AppRule,
  type Endpoints,
  openTemplates,
  type Snippet,
  type Template,
  type Templates,
} from '#catalog'
import { Refusal } from '#core/refusal'
import type { Arguments, Context, Verb } from '../verb.ts'

/** The templates need no storage, so a verb that only looks them up opens none. */
export const templatesOf = (context: Context): Templates =>
  openTemplates(resolve(context.folder, context.settings.catalog), context.settings.catalog)

/** For verbs that can do nothing without the catalog. Throws `settings-invalid` where its folder is not there. */
export function catalogOf(context: Context): Templates {
  const folder = resolve(context.folder, context.settings.catalog)
  if (!existsSync(folder)) throw new Refusal('settings-invalid', `catalog: there is no folder \`${folder}\``)
  return templatesOf(context)
}

export const endpointsOf = (issuer: string): Endpoints => {
  const base = issuer.replace(/\/$/, '')
  return {
    issuer,
    discovery_url: `${base}/.well-known/openid-configuration`,
    authorization_endpoint: `${base}/oauth2/auth`,
    token_endpoint: `${base}/oauth2/token`,
    userinfo_endpoint: `${base}/oauth2/userinfo`,
    jwks_uri: `${base}/oauth2/jwks`,
    end_session_endpoint: `${base}/oauth2/session/end`,
    saml_metadata_url: `${base}/saml/metadata`,
    saml_entity_id: `${base}/saml/metadata`,
    saml_sso_url: `${base}/saml/sso`,
    saml_slo_url: `${base}/saml/slo`,
  }
}

/** The same with the certificate of today, for an app that speaks SAML. */
export async function endpointsFor(app: App, context: Context): Promise<Endpoints> {
  const endpoints = endpointsOf(context.settings.issuer)
  if (!app.saml) return endpoints
  const { samlKeys } = await context.open()
  const [signing] = await samlKeys.published()
  return { ...endpoints, ...(signing && { saml_certificate: signing.certificate }) }
}

/** What to do about a template whose facts may have changed since. */
export const datedWarning = ({ slug, as_of }: Pick<Template, 'slug' | 'as_of'>): string =>
  `warning: the facts of \`${slug}\` are of ${as_of}: compare them with what the app shows, or put its own metadata over them (--saml-metadata)`

/** The template, or undefined after saying what is near. */
export async function templateFor(slug: string, templates: Templates, context: Context): Promise<Template | undefined> {
  try {
    return await templates.show(slug)
  } catch (error) {
    if (!(error instanceof Refusal && error.code === 'template-unknown')) throw error
    const near = await templates.nearest(slug)
    context.err(
      `template-unknown: the catalog has no \`${slug}\`${near ? `; did you mean \`${near}\`?` : ''} (\`apps search WORD\` finds it, \`custom-oidc\` fits any app)`,
    )
    return undefined
  }
}

/** Like `sign-in GET,POST /admin/* two-factors`. */
const ruleLine = ({ access, methods, paths, strength, policy }: AppRule): string =>
  [access, methods?.join() ?? [], paths.join(' '), strength ?? [], policy === undefined ? [] : `policy ${policy}`]
    .flat()
    .join(' ')

/** How an app is shown: everything but its secret. */
export const shown = (app: App) => ({
  id: app.id,
  name: app.name,
  ...(app.template !== undefined && { template: app.template }),
  policy: app.policy,
  audience: app.audience,
  tags: app.tags,
  tier: app.tier,
  ...(app.owner !== undefined && { owner: app.owner }),
  ...(app.organisation !== undefined && { organisation: app.organisation }),
  ...(app.launchUrl !== undefined && { launch_url: app.launchUrl }),
  first_party: app.firstParty,
  inputs: app.inputs,
  ...(app.oidc && {
    client_id: app.oidc.clientId,
    redirect_uris: app.oidc.redirectUris,
    post_logout_redirect_uris: app.oidc.postLogoutRedirectUris,
    scopes: app.oidc.scopes,
    token_endpoint_auth_method: app.oidc.tokenEndpointAuthMethod,
    pkce: app.oidc.pkce,
    ...(app.oidc.dpopBoundAccessTokens ? { dpop_bound_access_tokens: true } : {}),
    ...(app.oidc.profile ? { profile: app.oidc.profile } : {}),
    grant_types: app.oidc.grantTypes,
  }),
  ...(app.saml && {
    entity_id: app.saml.entityId,
    acs_urls: app.saml.acsUrls,
    name_id_format: app.saml.nameIdFormat,
    ...(app.saml.metadataUrl !== undefined && { metadata_url: app.saml.metadataUrl }),
  }),
  ...(app.forwardAuth && {
    hosts: app.forwardAuth.hosts,
    headers: app.forwardAuth.headers.map(({ name, field }) => `${name}=${field}`),
    rules: app.forwardAuth.rules.map(ruleLine),
    ...(app.forwardAuth.upstream !== undefined && { upstream: app.forwardAuth.upstream }),
  }),
  ...(app.previousSecretUntil !== undefined && {
    previous_secret_until: new Date(app.previousSecretUntil).toISOString(),
  }),
  ...(app.firstOpenedAt !== undefined && { first_opened_at: new Date(app.firstOpenedAt).toISOString() }),
  created_at: new Date(app.createdAt).toISOString(),
  changed_at: new Date(app.changedAt).toISOString(),
})

export const written = (value: unknown): string =>
  Array.isArray(value)
    ? value.join(value.some((one) => /\s/.test(String(one))) ? '; ' : ' ') || '-'
    : typeof value === 'object'
      ? Object.entries(value ?? {})
          .map(([k, v]) => `${k}=${v}`)
          .join(' ') || '-'
      : String(value)
export const rows = (values: object): string[] =>
  Object.entries(values).map(([key, value]) => `${key.padEnd(27)} ${written(value)}`)
export const snippetLines = (snippets: readonly Snippet[]): string[] =>
  snippets.flatMap(({ format, text }) => ['', `# the app's side (${format})`, text])

/** Nobody signs in to what is registered from it. */
export const isForMachines = ({ oidc, saml, forward_auth }: Template): boolean =>
  (saml ?? forward_auth) === undefined && (oidc?.grant_types ?? []).join() === 'client_credentials'

/** The one id that a verb takes. */
export function idOf(verb: Verb, args: Arguments, context: Context): string | undefined {
  const [id, ...more] = args.positional
  if (id !== undefined && more.length === 0) return id
  context.err(`usage: portico ${verb.usage}`)
  return undefined
}

export async function appOf(id: string, context: Context): Promise<App> {
  const { apps } = (await context.open()).catalog
  const app = await apps.find(id)
  if (!app) throw await apps.unknown(id)
  return app
}
