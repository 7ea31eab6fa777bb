/** The engine's configuration: what it offers, how long things live, and what it may never do. */
import Provider, { type AdapterPayload, type Configuration, type KoaContextWithOIDC } from 'oidc-provider'
import { PROOF_ALGS, type Revocations } from '#apis'
import type { Audit } from '#audit'
import type { Log } from '#core/log'
import type { People } from '#directory'
import { type Outbound, pageRequestOf, requestContext } from '#http'
import type { Keys } from '#keys'
import { errorView } from '#pages'
import { CLAIMS, createFindAccount } from './account.ts'
import { type AdapterOptions, createAdapterFactory } from './adapter.ts'
import { answer } from './answer.ts'
import { requestedApis } from './api-question.ts'
import { checkAssertion } from './assertions.ts'
import { richAuthorizationRequests } from './authorization-details.ts'
import { createAskers } from './ciba/asker.ts'
import { cibaFeature, expiryOf, findAsked } from './ciba/feature.ts'
import { slowDownPolls } from './ciba/polling.ts'
import { useCatalogClients } from './clients.ts'
import { deviceFlow } from './device.ts'
import type { Diagnosing } from './diagnosing.ts'
import { dPoP } from './dpop.ts'
import { createStarting, findNothingEnded } from './ended.ts'
import type { FederatedCredentials } from './federated.ts'
import { askingOf, type Consents, grantFor } from './grants.ts'
import { LIFETIMES } from './lifetimes.ts'
import { type LogoutOptions, rpInitiatedLogout } from './logout.ts'
import { type CertificateSettings, certificateMethods, endpointAliases, mutualTls } from './mutual-tls.ts'
import { rotates, SIGNED_ANSWER_ALGS, SIGNED_REQUEST_ALGS, signedMessages } from './profiles.ts'
import type { ProvingKeys } from './proving-keys.ts'
import type { createQuestioning, QuestionRooms } from './question.ts'
import { REGISTRATION } from './registration.ts'
import { type Spending, spendOnce } from './replay.ts'
import { type ResourceRooms, resourceIndicators } from './resources.ts'
import { mayAsk } from './short-ways/introspection.ts'
import type { ShownRooms } from './shown-token.ts'
import { EngineKey } from './signing-key.ts'
import type { TokenJudge } from './token-judge.ts'
import { beforeEachToken, keepLimits } from './token-limits.ts'
import { tellUnavailable, unavailable } from './unavailable.ts'
import { limitUserCodes } from './user-codes.ts'

export const ENGINE_COOKIES = Object.freeze({
  session: 'portico-engine',
  interaction: 'portico-interaction',
  resume: 'portico-resume',
})

export interface EngineOptions extends QuestionRooms, AdapterOptions, LogoutOptions, ResourceRooms {
  readonly keys: Pick<Keys, 'signing' | 'derive'>
  readonly people: Pick<People, 'byId' | 'merging'>
  readonly audit: Pick<Audit, 'record'>
  readonly shown: ShownRooms
  readonly consents: Consents
  readonly questioning: ReturnType<typeof createQuestioning>
  readonly outbound: Outbound
  readonly log: Log
  readonly strengths: readonly string[]
  readonly certificates?: CertificateSettings | undefined
  readonly federated: FederatedCredentials
  readonly spending: Spending
  /** Of authorization details, that the APIs declare. */
  readonly types: readonly string[]
  readonly provingKeys: ProvingKeys
  readonly revocations: Pick<Revocations, 'current'>
  /** Ends a grant and everything issued under it, whoever checks it. */
  revokeGrant(grantId: string): Promise<void>
  keysWithdrawn(client: string, keys: readonly string[]): Promise<void>
  /** Where the browser goes when somebody has to be asked. */
  interactionPath(ctx: KoaContextWithOIDC, interaction: InstanceType<Provider['Interaction']>): Promise<string>
  readonly judge: TokenJudge
  readonly diagnosing: Diagnosing
}

export function createEngine(options: EngineOptions): Provider {
  const { issuer, catalog, questioning } = options
  const secure = issuer.startsWith('https:')
  const cookie = { httpOnly: true, sameSite: 'lax', secure, signed: false } as const
  const prefix = secure ? '__Secure-' : ''
  const askers = createAskers()

  const configuration: Configuration = {
    adapter: createAdapterFactory(options),
    jwks: { keys: options.keys.signing.signers().map((signer) => new EngineKey(signer)) },
    findAccount: findAsked(createFindAccount(options.people, catalog)),
    claims: CLAIMS as unknown as NonNullable<Configuration['claims']>,
    scopes: ['openid', 'offline_access'],
    acrValues: [...options.strengths],
    responseTypes: ['code'],
    clientAuthMethods: [
      ...(['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'] as const),
      ...certificateMethods(options.certificates),
    ],
    enabledJWA: {
      idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA'],
      userinfoSigningAlgValues: ['RS256', 'ES256', 'EdDSA'],
      clientAuthSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'],
      dPoPSigningAlgValues: PROOF_ALGS,
      requestObjectSigningAlgValues: SIGNED_REQUEST_ALGS,
      authorizationSigningAlgValues: SIGNED_ANSWER_ALGS,
      introspectionSigningAlgValues: SIGNED_ANSWER_ALGS,
    },
    cookies: {
      names: {
        session: `${prefix}${ENGINE_COOKIES.session}`,
        interaction: `${prefix}${ENGINE_COOKIES.interaction}`,
        resume: `${prefix}${ENGINE_COOKIES.resume}`,
      },
      long: cookie,
      short: cookie,
    },
    routes: {
      authorization: '/oauth2/auth',
      token: '/oauth2/token',
      userinfo: '/oauth2/userinfo',
      jwks: '/oauth2/jwks',
      introspection: '/oauth2/introspection',
      revocation: '/oauth2/revocation',
      end_session: '/oauth2/session/end',
      pushed_authorization_request: '/oauth2/request',
      device_authorization: '/oauth2/device/auth',
      code_verification: '/oauth2/device',
      backchannel_authentication: '/oauth2/ciba',
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      claimsParameter: { enabled: true },
      introspection: { enabled: true, allowedPolicy: mayIntrospect(options) },
      revocation: { enabled: true, allowedPolicy: async (_ctx, client, token) => token.clientId === client.clientId },
      pushedAuthorizationRequests: { enabled: true },
      resourceIndicators: resourceIndicators(options),
      richAuthorizationRequests: richAuthorizationRequests(options, options.types),
      externalSigningSupport: { enabled: true, ack: 'experimental-01' },
      deviceFlow: deviceFlow(options.presenter, issuer),
      ciba: cibaFeature(options),
      dPoP: dPoP(options.keys),
      mTLS: mutualTls(options.certificates, options),
      ...signedMessages(options.clock),
      rpInitiatedLogout: rpInitiatedLogout(options, ({ req }) => options.bridge.visitorOf(req)),
    },
    // telling apps is not the engine's: `sign-out-way.ts`, `back-channel.ts`
    discovery: {
      backchannel_logout_supported: true,
      backchannel_logout_session_supported: true,
      frontchannel_logout_supported: true,
      frontchannel_logout_session_supported: true,
      ...(catalog.registrations.open ? { registration_endpoint: `${issuer}${REGISTRATION}` } : {}),
      ...(catalog.documents ? { client_id_metadata_document_supported: true } : {}),
      ...(options.certificates?.url ? { mtls_endpoint_aliases: endpointAliases(options.certificates.url) } : {}),
    },
    interactions: { policy: questioning.policy(), url: options.interactionPath },
    ttl: { ...LIFETIMES, BackchannelAuthenticationRequest: expiryOf },
    pkce: { required: (_ctx, client) => client.tokenEndpointAuthMethod === 'none' || client['pkce'] !== 'optional' },
    // where somebody should sign in, as other providers understand it too
    extraParams: { domain_hint: null, idp: null, ...askers.validators(() => options.shown) },
    extraClientMetadata: { properties: ['pkce', 'tls_client_auth_ca', 'profile'] },
    assertJwtClientAuthClaimsAndHeader: checkAssertion(issuer, options.clock, options.provingKeys),
    async revokeGrantPolicy({ oidc }) {
      const { AccessToken, RefreshToken } = oidc.entities
      if (oidc.route === 'revocation' && RefreshToken?.grantId) await options.revokeGrant(RefreshToken.grantId)
      if (oidc.route !== 'token') return !(oidc.route === 'revocation' && AccessToken)
      // the token endpoint revokes for one reason: something came a second time, and not at the same moment (`adapter.ts`)
      const { provider } = oidc
      const { code, device_code, auth_req_id } = oidc.params as Record<string, string | undefined>
      const again =
        RefreshToken ??
        (code ? await provider.AuthorizationCode.find(code, { ignoreExpiration: true }) : undefined) ??
        (device_code ? await provider.DeviceCode.find(device_code, { ignoreExpiration: true }) : undefined) ??
        (auth_req_id
          ? await provider.BackchannelAuthenticationRequest.find(auth_req_id, { ignoreExpiration: true })
          : undefined)
      if (again) await options.onReuse(again.kind, again as unknown as AdapterPayload)
      return true
    },
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    // the last thing that the engine asks before it spends the refresh token
    async rotateRefreshToken(ctx) {
      await options.judge.refresh(ctx.req, ctx.oidc.entities.RefreshToken!)
      return rotates(ctx.oidc.client)
    },
    allowOmittingSingleRegisteredRedirectUri: false,
    async loadExistingGrant(ctx) {
      // nothing is granted to anyone before the policy has said yes
      if ((await questioning.ask(ctx)).verdict.outcome !== 'allow') return undefined
      const app = await catalog.apps.find(ctx.oidc.client!.clientId)
      const asking = askingOf(ctx)
      return app && asking && grantFor(asking, app, options.consents, await requestedApis(ctx, options.apis))
    },
    // the last thing that the engine asks before it writes a code down
    async expiresWithSession(ctx, code) {
      keepLimits(code, await questioning.ask(ctx), options.access.policies.current())
      return !code.scopes.has('offline_access')
    },
    async extraTokenClaims(ctx, token) {
      const { provingKeys: keys, judge } = options
      return judge.confirm(token, keys.of(token) ?? (ctx && keys.of(ctx.req)))
    },
    clientBasedCORS: (_ctx, origin, client) =>
      (client.redirectUris ?? []).some((uri) => URL.parse(uri)?.origin === origin),
    async renderError(ctx, out, error) {
      const { id } = requestContext(ctx.req)
      const reference = (error && ctx.oidc && (await options.diagnosing.referenceFor(ctx, error))) ?? id
      // a client that was found; what the request said besides is anybody's text
      const about = { request: id, reference, code: out.error, kind: error?.name, client: ctx.oidc?.client?.clientId }
      if (error && !('statusCode' in error && Number(error.statusCode) < 500))
        options.log.error('oidc-error', about, error)
      else options.log.warn('oidc-error-page', about)
      const refused = unavailable(error)
      const code = refused
        ? refused.code
        : out.error === 'server_error'
          ? 'internal'
          : error?.name === 'SessionNotFound'
            ? 'conversation-expired'
            : 'request-refused'
      const status = refused?.status ?? ctx.status
      answer(
        ctx,
        options.presenter.page(
          pageRequestOf(ctx.req, issuer),
          (messages) => errorView({ code, reference, home: '/' }, messages),
          { status },
        ),
      )
    },
    fetch: async (url, init) => {
      const request = {
        method: (init?.method ?? 'GET') as 'GET' | 'POST',
        headers: Object.fromEntries(new Headers(init?.headers)),
        ...(init?.body ? { body: String(init.body) } : {}),
      }
      const { status, headers, body } = await options.outbound(String(url), request)
      return new Response(status === 204 ? null : body, {
        status,
        headers: { 'content-type': headers['content-type'] ?? '' },
      })
    },
  }

  const engine = new Provider(issuer, configuration)
  // the server has put our own public address into the request (`open.ts`)
  engine.proxy = true
  useCatalogClients(engine, options)
  findNothingEnded(engine, options)
  spendOnce(engine, options.spending)
  slowDownPolls(engine, options)
  limitUserCodes(engine, options)
  askers.keep(engine, () => Provider.ctx)
  const startOf = createStarting(options)
  beforeEachToken(engine, async (ctx, token) => {
    // one that has a beginning had it before it was judged (`short-ways/machine.ts`)
    const iat = token.iat === undefined ? await startOf(token) : undefined
    await options.judge.judge(ctx, token)
    if (iat !== undefined) Object.assign(token, { iat })
  })
  options.diagnosing.listen(engine)
  // without a listener koa writes the error, with whatever is in its message, to standard error
  engine.on('error' as never, (cause: unknown) => options.log.error('oidc-engine-error', {}, cause))
  engine.on('server_error', (ctx, cause) => {
    const refused = unavailable(cause)
    options.log.error('oidc-server-error', { code: refused?.code, detail: refused?.detail }, refused?.cause ?? cause)
    tellUnavailable(ctx, cause)
  })
  return engine
}

function mayIntrospect({ catalog, diagnosing }: Pick<EngineOptions, 'catalog' | 'diagnosing'>) {
  return async (ctx: KoaContextWithOIDC, client: { clientId: string }, token: { clientId?: string | undefined }) => {
    const may = mayAsk(await catalog.apps.find(client.clientId), client.clientId, token.clientId)
    diagnosing.introspected(ctx, may, token.clientId)
    return may
  }
}
