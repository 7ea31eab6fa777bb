/** Puts the door together, and puts the house's rules around the engine. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AdapterPayload, KoaContextWithOIDC, Provider } from 'oidc-provider'
import type { Access } from '#access'
import { type Apis, createAccessTokens, keyOf, type Revocations } from '#apis'
import type { Audit } from '#audit'
import type { Catalog } from '#catalog'
import { type Quotas, quotaHeaders } from '#context'
import type { Clock } from '#core/clock'
import type { Log } from '#core/log'
import { Refusal } from '#core/refusal'
import type { Diagnosis } from '#diagnosis'
import type { People } from '#directory'
import { isCrossOrigin, type Outbound, pageRequestOf, type RawHandler, requestContext } from '#http'
import type { Keys } from '#keys'
import type { Presenter, ScopeWords } from '#pages'
import type { Delivery, Devices, LogoutRow, Sessions } from '#sessions'
import type { Signin } from '#signin'
import { type Storage, settled } from '#storage'
import { spent } from './adapter.ts'
import { addressOf, DOCUMENTS } from './addresses.ts'
import { leaveOutEmptyTypes } from './authorization-details.ts'
import { createBackChannel } from './back-channel.ts'
import { createBridge, type Visitor } from './bridge.ts'
import { type Confirmations, createConfirmations } from './ciba/confirmations.ts'
import { agreedInWords } from './consent-words.ts'
import { showPageOf } from './device.ts'
import { createDiagnosing } from './diagnosing.ts'
import { createDocuments, type Documents } from './documents.ts'
import { createStarting } from './ended.ts'
import type { Endings } from './endings.ts'
import { createEngine, ENGINE_COOKIES } from './engine.ts'
import { createErrands } from './errand.ts'
import { registerExchange } from './exchange.ts'
import { createFederatedCredentials } from './federated.ts'
import { type Consents, createConsents } from './grants.ts'
import { createJwtRevocation } from './jwt-revocation.ts'
import { afterLogout } from './logout.ts'
import type { CertificateSettings } from './mutual-tls.ts'
import { createOpaqueTokens } from './opaque-tokens.ts'
import { createProvingKeys } from './proving-keys.ts'
import { createQuestioning } from './question.ts'
import { createRedemptions } from './redemption.ts'
import { createRegistrationDoor } from './registration.ts'
import { createSpending } from './replay.ts'
import { createShortWays, type ShortWays } from './short-ways/open.ts'
import { createSignOn, type SignOn } from './short-ways/sign-on.ts'
import { createTokenJudge } from './token-judge.ts'

export interface OidcOptions {
  readonly issuer: string
  readonly storage: Storage
  readonly clock: Clock
  readonly log: Log
  readonly audit: Audit
  readonly keys: Keys
  readonly people: People
  readonly sessions: Sessions
  readonly devices: Devices
  readonly endings: Endings
  readonly catalog: Catalog
  readonly apis: Apis
  readonly revocations: Revocations
  readonly diagnosis: Diagnosis
  readonly access: Access
  readonly quotas: Pick<Quotas, 'take'>
  readonly signin: Signin
  readonly presenter: Presenter
  readonly outbound: Outbound
  /** Each time that a program or a person is refused, with the error of OAuth. */
  readonly refused?: ((error: string) => void) | undefined
  readonly certificates?: CertificateSettings | undefined
  /** Which usual requests are answered without the engine. */
  readonly shortWays: Readonly<Record<'sign_on' | 'token' | 'introspection', boolean>>
}

export interface OidcDoor {
  /** What is published, where it is kept. */
  readonly ready: Documents['find']
  readonly raw: readonly RawHandler[]
  /** For a listener that asks for certificates: what programs use, and nothing that a browser does. */
  readonly programs: RawHandler
  readonly consents: Pick<Consents, 'withdraw'> & {
    ofPerson(person: string): Promise<{ app: string; scopes: readonly (string | ScopeWords)[] }[]>
  }
  /** What apps ask people on screens of their own. */
  readonly confirmations: Confirmations
  /** A living opaque access token, for doors that are asked about each call. */
  readonly opaqueToken: ReturnType<typeof createOpaqueTokens>
  /** Makes the engine anew with the keys as they are now. */
  keysChanged(): void
  /** Sends a row of the outbox. */
  sendLogout(row: LogoutRow): Promise<Delivery>
}

export function openOidc(options: OidcOptions): OidcDoor {
  const { issuer, storage, clock, audit, people, sessions, devices, catalog, access } = options
  const { state } = storage
  const secure = issuer.startsWith('https:')
  const host = new URL(issuer).host
  const aliasHost = options.certificates?.url && new URL(options.certificates.url).host
  const bridge = createBridge({
    state,
    clock,
    sessions,
    cookieName: `${secure ? '__Secure-' : ''}${ENGINE_COOKIES.session}`,
  })
  const resumeCookie = `${secure ? '__Secure-' : ''}${ENGINE_COOKIES.resume}`
  const questioning = createQuestioning({ access, apis: options.apis, catalog, clock, bridge, people })
  const consents = createConsents(storage, clock)
  const errands = createErrands({ ...options, questioning, consents })
  const revokeJwt = createJwtRevocation({ ...options, tokens: createAccessTokens(options) })
  const judge = createTokenJudge(options)
  const spending = createSpending({ state, clock })
  const redemptions = createRedemptions()
  const federated = createFederatedCredentials({ ...options, spending })
  const provingKeys = createProvingKeys(federated.key)
  const tokens = createAccessTokens(options)
  const opaqueToken = createOpaqueTokens({ state, sessions })
  const documents = createDocuments({ clock, aliasHost, paths: DOCUMENTS })
  const diagnosing = createDiagnosing({ ...options, bridge, resumeCookie })

  function build(types: readonly string[]): {
    engine: Provider
    types: readonly string[]
    handle: ReturnType<Provider['callback']>
    shortWays: ShortWays
    signOn: SignOn
  } {
    documents.forget()
    const engine = createEngine({
      ...options,
      state,
      durable: storage.durable,
      shown: { ...options, tokens, opaqueToken },
      bridge,
      types,
      questioning,
      redemptions,
      consents,
      strengths: access.policies.current().strengths,
      async onReuse(model, payload) {
        const event = model === 'RefreshToken' ? 'token-reuse-detected' : 'code-reuse-detected'
        if (payload.grantId) await options.endings.revokeGrant(payload.grantId)
        await audit.record(event, whoseOf(payload))
      },
      onCopy: (_model, payload) => audit.record('copy-refused', whoseOf(payload)),
      interactionPath: errands.begin,
      judge,
      diagnosing,
      spending,
      federated,
      provingKeys,
      revokeGrant: options.endings.revokeGrant,
      async keysWithdrawn(client, keys) {
        for (const key of keys) await options.revocations.revoke({ kind: 'key', id: keyOf(client, key) }, client)
      },
    })
    engine.use(async (ctx, next) => {
      const visitor = bridge.visitorOf(ctx.req)
      if (visitor) {
        // for the few pages that are the engine's own; it adds the hash of its script (`form_post`, sign-out)
        ctx.set('content-security-policy', "default-src 'none'; script-src; base-uri 'none'; frame-ancestors 'none'")
        ctx.set('cache-control', 'no-store')
      }
      try {
        await next()
        if (errorOf(ctx) === 'use_dpop_nonce') await spending.giveBack(ctx.req)
        await afterEngine(ctx as KoaContextWithOIDC, visitor)
        // what is not answered is not spent
        if (ctx.status < 500 && !(await redemptions.settle(ctx.req))) await refuseCopy(ctx as KoaContextWithOIDC)
        // INVARIANT: what the engine answers leaves after everything it rests on is on the disk
        await settled()
        documents.keep(ctx as KoaContextWithOIDC)
      } catch (error) {
        // what the engine says to whoever asked wrongly
        if ((error as { expose?: unknown } | undefined)?.expose === true) throw error
        withdraw(ctx, error)
      }
    })
    async function refuseCopy(ctx: KoaContextWithOIDC): Promise<void> {
      const error = spent()
      ctx.status = error.statusCode
      ctx.body = { error: error.error, error_description: error.error_description }
      engine.emit('grant.error', ctx, error)
      await diagnosing.after(ctx)
    }
    registerExchange(engine, { ...options, judge, tokens, opaqueToken, spending })
    const shortWays = createShortWays({
      ...{ ...options, engine, judge, spending, redemptions, provingKeys },
      startOf: createStarting(options),
    })
    const signOn = createSignOn({ ...options, engine, bridge, consents, questioning, diagnosing })
    return { engine, types, handle: engine.callback(), shortWays, signOn }
  }

  async function afterEngine(ctx: KoaContextWithOIDC, visitor: Visitor | undefined): Promise<void> {
    leaveOutEmptyTypes(ctx)
    if (visitor) await afterwards(ctx, visitor)
    showPageOf(issuer, ctx)
    await diagnosing.after(ctx)
    await noteFailure(ctx)
    await revokeJwt(ctx)
    const taken = judge.taken(ctx.req)
    if (taken) ctx.set({ ...quotaHeaders(taken) })
    const reference = judge.refusal(ctx.req)
    // RFC 6749 §5.2
    if (reference) Object.assign(ctx.body as object, { error_uri: `${issuer}/why/${reference}` })
  }

  async function afterwards(ctx: KoaContextWithOIDC, { session }: Visitor): Promise<void> {
    await afterLogout(ctx, session, options)
    const cookies = ctx.response.headers['set-cookie'] as string[] | undefined
    if (cookies) ctx.set('set-cookie', bridge.withoutHandle(ctx.req, cookies))
  }

  /** Somebody named a client, and did not show that they are it (RFC 6749 §5.2). */
  async function noteFailure({ req, body, oidc }: KoaContextWithOIDC): Promise<void> {
    if (errorOf({ body }) !== 'invalid_client' || !oidc?.client) return
    const app = await catalog.apps.find(oidc.client.clientId)
    if (app) await access.memory.failedToBe(app, requestContext(req).address)
  }

  /** The server answers instead of the engine, as it answers everything that fails. */
  function withdraw(ctx: { req: IncomingMessage; res: ServerResponse; respond?: boolean | undefined }, error: unknown) {
    for (const name of ctx.res.getHeaderNames()) ctx.res.removeHeader(name)
    ctx.respond = false
    withdrawn.set(ctx.req, error)
  }

  /** The engine's answer. Throws what made it worthless. */
  async function askEngine(request: IncomingMessage, response: ServerResponse): Promise<void> {
    await current.handle(request, response)
    if (withdrawn.has(request)) throw withdrawn.get(request)
  }

  const withdrawn = new WeakMap<IncomingMessage, unknown>()
  let current = build([])

  /** The engine knows the types of authorization details from its beginning: where those of the APIs changed it begins anew. */
  async function lookAtTypes(): Promise<void> {
    const { types } = await options.apis.all()
    if (types.join(' ') !== current.types.join(' ')) current = build(types)
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url!.split('?', 1)[0]!
    const { browser, document, short, opens, form, resumes, allow } = addressOf(request.method!, path)
    speakAsIssuer(request, !browser && !document)
    if (allow) {
      response.setHeader('allow', allow.join(', '))
      throw new Refusal('method-not-allowed')
    }
    if (form) {
      // the same question with GET: there a browser sends our cookies along, which it does not with another site's form
      const fields = await pageRequestOf(request, issuer).form()
      response.writeHead(303, { location: `${path}?${new URLSearchParams([...fields])}`, 'cache-control': 'no-store' })
      response.end()
      return
    }
    await lookAtTypes()
    // a new key is published one hour before it signs (`#keys`): nobody may keep the old list for longer
    if (document) response.setHeader('cache-control', 'public, max-age=1800')
    if (!browser) {
      const isShort = short && options.shortWays[short] && request.method === 'POST'
      if (isShort && (await current.shortWays(request, response, short))) return
      if (request.method === 'POST') await federated.exchange(request)
      await askEngine(request, response)
      return
    }
    // ATTACK: a sibling host can plant the engine's cookie, and then knows the secret that its forms carry
    if (request.method === 'POST' && isCrossOrigin(request.headers, new URL(issuer).origin))
      throw new Refusal('cross-origin')
    const { cookies, address } = requestContext(request)
    const session = await sessions.find(cookies.get(sessions.cookieName))
    const device = session ? await devices.find(cookies.get(devices.cookieName), session.personId) : undefined
    const enrolled = await access.enrolled.byCookies(cookies)
    if (session) await sessions.touch(session, { deviceId: device?.id, enrolled, address })
    const visitor = { session, device, enrolled, address }
    if (opens && session && options.shortWays.sign_on && (await current.signOn(request, response, visitor))) return
    // ATTACK: a link to an errand that somebody else has finished, so that their consent becomes the visitor's
    const began = request.headers.cookie?.split(/;\s*/).includes(`${resumeCookie}=${resumes}`)
    if (resumes && began) await errands.takeOutcome(current.engine, resumes, visitor)
    await bridge.during(request, visitor, () => askEngine(request, response))
  }

  /**
   * ATTACK: the engine writes addresses into documents and redirects from Host and X-Forwarded-*, which anyone can send.
   * It is told our own public address instead: of the two that a program may use, the one that it used.
   */
  function speakAsIssuer({ headers }: IncomingMessage, program: boolean): void {
    const aliased = program && aliasHost !== undefined && headers.host === aliasHost
    for (const name of Object.keys(headers))
      if (name.startsWith('x-forwarded-') || name === 'forwarded') delete headers[name]
    headers.host = aliased ? aliasHost : host
    headers['x-forwarded-proto'] = secure || aliased ? 'https' : 'http'
  }

  return {
    ready: documents.find,
    raw: [
      ...createRegistrationDoor(options),
      { prefix: '/oauth2/', handle },
      { prefix: '/.well-known/openid-configuration', handle },
      { prefix: '/.well-known/oauth-authorization-server', handle },
    ],
    programs: {
      prefix: '/oauth2/',
      handle(request, response) {
        const { browser } = addressOf(request.method!, request.url!.split('?', 1)[0]!)
        if (browser) throw new Refusal('not-found')
        return handle(request, response)
      },
    },
    consents: {
      ...consents,
      async ofPerson(person) {
        const agreed = await consents.ofPerson(person)
        return Promise.all(
          agreed.map(async ({ app, scopes }) => ({ app, scopes: await agreedInWords(scopes, options.apis) })),
        )
      },
    },
    confirmations: createConfirmations({ ...options, state, consents, engine: () => current.engine }),
    opaqueToken,
    keysChanged() {
      current = build(current.types)
    },
    sendLogout: createBackChannel(options),
  }
}

const whoseOf = ({ clientId, accountId }: AdapterPayload) => ({
  actor: clientId ?? 'unknown',
  ...(accountId ? { subject: accountId } : {}),
  ...(clientId ? { app: clientId } : {}),
})

const errorOf = ({ body }: { body: unknown }): unknown => (body as { error?: unknown } | undefined)?.error
