/** Registered apps as the engine's clients. */
import Provider, { type ClientMetadata, errors } from 'oidc-provider'
import { type App, type Catalog, isSecretOf } from '#catalog'
import { SIGN_IN_SCOPES } from './account.ts'
import { createKeyReading, type KeyReadingRooms } from './client-keys.ts'
import type { FederatedCredentials } from './federated.ts'
import { profileMetadata } from './profiles.ts'

type Client = InstanceType<Provider['Client']>

export interface ClientRooms extends KeyReadingRooms {
  readonly catalog: Catalog
  /** Of authorization details. */
  readonly types: readonly string[]
  readonly federated: Pick<FederatedCredentials, 'key'>
}

/** RFC 7591 metadata of an app; `types` are the authorization details that there are. Undefined when the app does not speak OpenID Connect. */
export function clientMetadata(app: App, types: readonly string[]): ClientMetadata | undefined {
  const { oidc } = app
  if (!oidc) return undefined
  const known = oidc.scopes.filter((scope) => SIGN_IN_SCOPES.has(scope))
  const codeFlow = oidc.grantTypes.includes('authorization_code')
  return {
    client_id: app.id,
    client_name: app.name,
    redirect_uris: [...oidc.redirectUris],
    post_logout_redirect_uris: [...oidc.postLogoutRedirectUris],
    response_types: codeFlow ? ['code'] : [],
    grant_types: [...oidc.grantTypes],
    // the engine refuses a client with words that it does not know: scopes of an API
    ...(known.length > 0 ? { scope: known.join(' ') } : {}),
    token_endpoint_auth_method: oidc.tokenEndpointAuthMethod,
    // RFC 9396 §10
    authorization_details_types: types.filter((type) => Object.values(oidc.apis).some((words) => words.includes(type))),
    ...(oidc.grantTypes.includes('urn:openid:params:grant-type:ciba') && { backchannel_token_delivery_mode: 'poll' }),
    pkce: oidc.pkce,
    dpop_bound_access_tokens: oidc.dpopBoundAccessTokens,
    ...oidc.proof,
    // `native` would match loopback ports loosely: only for schemes that the engine takes from nobody else
    application_type: oidc.redirectUris.some((uri) => !/^https?:/.test(uri)) ? 'native' : 'web',
    ...(oidc.clientSecret ? { client_secret: oidc.clientSecret } : {}),
    // the engine writes thumbprints into the keys
    ...(oidc.jwks ? { jwks: structuredClone(oidc.jwks) as NonNullable<ClientMetadata['jwks']> } : {}),
    ...(oidc.jwksUri ? { jwks_uri: oidc.jwksUri } : {}),
    ...profileMetadata(oidc),
  }
}

/**
 * Replaces the engine's own look-up, whose cache holds 100 clients and hashes the client's record at each request. Apps
 * are frozen and the catalog hands out the same object until it changes, so the object itself is the cache key.
 */
export function useCatalogClients(engine: Provider, rooms: ClientRooms): void {
  const { catalog, clock, federated, types } = rooms
  const known = new WeakMap<App, Client>()
  const readKeys = createKeyReading(rooms)
  const appOf = (id: string) => {
    if (catalog.documents?.covers(id)) return catalog.documents.read(id)
    return id.length <= 64 ? catalog.apps.find(id) : undefined
  }
  engine.Client.find = async (id: string) => {
    const app = typeof id === 'string' ? await appOf(id) : undefined
    if (!app) return undefined
    let client = known.get(app)
    if (!client) {
      const metadata = clientMetadata(app, types)
      if (!metadata) return undefined
      if (app.oidc!.federated.length > 0)
        metadata.jwks = { keys: [federated.key] } as NonNullable<ClientMetadata['jwks']>
      client = new (engine.Client as unknown as new (metadata: ClientMetadata) => Client)(metadata)
      Object.assign(client, {
        // every ID token names its session: the app is told by that of its end, and signs out by that here
        includeSid: () => true,
        compareClientSecret: (shown: string) => isSecretOf(app.oidc ?? {}, shown, clock),
        grantTypeAllowed: (grant: string) => isGranted(app, grant),
        responseTypeAllowed: () => isAnsweredByCode(app),
      })
      known.set(app, client)
    }
    await readKeys(client as Parameters<typeof readKeys>[0])
    return client
  }
}

const GRANT_OF_ROUTE: Readonly<Record<string, string>> = Object.freeze({
  device_authorization: 'urn:ietf:params:oauth:grant-type:device_code',
  backchannel_authentication: 'urn:openid:params:grant-type:ciba',
})

/**
 * Whether it may use the grant. Where this request is about that very grant it hears what the engine has no word for:
 * `unauthorized_client` (RFC 6749 §5.2, CIBA Core 1.0 §13), for the request is right and its client is not.
 */
function isGranted({ oidc }: App, grant: string): boolean {
  if (oidc?.grantTypes.some((allowed) => allowed === grant)) return true
  const { route, params } = Provider.ctx?.oidc ?? {}
  const asked = route === 'token' ? params?.['grant_type'] : GRANT_OF_ROUTE[route ?? '']
  if (asked === grant) throw new errors.UnauthorizedClient('requested grant type is not allowed for this client')
  return false
}

/** RFC 6749 §4.1.2.1; the engine asks after it has looked whether there is such a response type. */
function isAnsweredByCode({ oidc }: App): boolean {
  if (!oidc?.grantTypes.includes('authorization_code'))
    throw new errors.UnauthorizedClient('requested response_type is not allowed for this client')
  return true
}
