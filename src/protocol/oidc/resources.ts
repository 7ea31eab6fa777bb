/**
 * APIs as the engine's resources (RFC 8707): which of them a client gets tokens for, and what such a token looks like.
 * One token is for one API.
 */
import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import type { Api, Apis } from '#apis'
import type { App, Catalog } from '#catalog'
import { askedDetails, audiencesOf } from './asked-details.ts'

export interface ResourceRooms {
  readonly apis: Pick<Apis, 'all'>
  readonly catalog: Catalog
}

/** The API and the scopes of it that the app may have; undefined where it may have none. */
export function grantedScopes(app: App | undefined, api: Api): readonly string[] | undefined {
  const granted = app?.oidc?.apis[api.id]
  return granted?.filter((scope) => api.scopes.has(scope))
}

/** The types of authorization details that the app may ask for; they stand beside the scopes in its registration. */
export const grantedTypes = (app: App | undefined, api: Api): readonly string[] | undefined =>
  app?.oidc?.apis[api.id]?.filter((word) => api.details.has(word))

type Binding = { readonly jkt?: unknown; readonly 'x5t#S256'?: unknown }

/** Throws where the API takes only tokens that are of use to their holder, and this one would be of use to anybody. */
export function checkBound({ senderConstraint: wanted }: Api, token: object): void {
  const { jkt, 'x5t#S256': certificate } = token as Binding
  const [byKey, byCertificate] = [jkt !== undefined, certificate !== undefined]
  const met = { none: true, dpop: byKey, mtls: byCertificate, either: byKey || byCertificate }[wanted]
  const by = {
    none: '',
    dpop: 'a key (DPoP)',
    mtls: 'a client certificate',
    either: 'a key (DPoP) or a client certificate',
  }
  if (!met) throw new errors.InvalidRequest(`this API takes tokens only that are bound to ${by[wanted]}`)
}

/**
 * INVARIANT: an app whose tokens are to be bound gets no other. The engine sees to it as well, but where the settings name no
 * `client_certificates` it passes over what a registration says about them.
 */
export function checkPromised(app: App | undefined, token: object): void {
  const { jkt, 'x5t#S256': certificate } = token as Binding
  if (app?.oidc?.dpopBoundAccessTokens && jkt === undefined)
    throw new errors.InvalidGrant('DPoP proof JWT not provided')
  if (app?.oidc?.proof.tls_client_certificate_bound_access_tokens && certificate === undefined)
    throw new errors.InvalidGrant('mutual TLS client certificate not provided')
}

/** An API as the engine knows resources. */
export const resourceOf = (api: Api, scopes: readonly string[]) =>
  ({
    audience: api.audience,
    scope: scopes.join(' '),
    accessTokenTTL: api.lifetime,
    accessTokenFormat: api.format,
    ...(api.format === 'jwt' ? { jwt: { sign: { alg: api.alg } } } : {}),
  }) as never

export function resourceIndicators({ apis, catalog }: ResourceRooms) {
  return {
    enabled: true,

    /** What a client means that names none: a machine that calls one API only does not have to say so each time. */
    async defaultResource(ctx: KoaContextWithOIDC, client: { clientId: string }, oneOf?: readonly string[]) {
      if (oneOf) return oneOf as string[]
      const meant = audiencesOf(askedDetails(ctx), await apis.all())
      if (meant.length > 0) return meant.length === 1 ? meant[0] : [...meant]
      const { oidc } = (await catalog.apps.find(client.clientId)) ?? {}
      const granted = Object.keys(oidc?.apis ?? {})
      if (granted.length !== 1 || oidc?.grantTypes.some((grant) => grant !== 'client_credentials')) return undefined
      return (await apis.all()).find(granted[0]!)?.audience
    },

    /** RFC 8707 §2: `invalid_target` for what is not there, and for what is not this client's to ask for, alike. */
    async getResourceServerInfo(_ctx: KoaContextWithOIDC, resource: string, client: { clientId: string }) {
      const api = (await apis.all()).forAudience(resource)
      const scopes = api && grantedScopes(await catalog.apps.find(client.clientId), api)
      if (!scopes) throw new errors.InvalidTarget('this client gets no tokens for this resource')
      return resourceOf(api!, scopes)
    },
  }
}
