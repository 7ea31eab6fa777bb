/** Puts the door together, and puts the house's rules around the engine. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
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
import { addressOf } from './addresses.ts'
import { leaveOutEmptyTypes } from './authorization-details.ts'
import { createBackChannel } from './back-channel.ts'
import { createBridge, type Visitor } from './bridge.ts'
import { type Confirmations, createConfirmations } from './ciba/confirmations.ts'
import { agreedInWords } from './consent-words.ts'
import { showPageOf } from './device.ts'
import { createDiagnosing } from './diagnosing.ts'
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
import { createRegistrationDoor } from './registration.ts'
import { createSpending } from './replay.ts'
import { createShortWays, type ShortWays } from './short-ways/open.ts'
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
  readonly certificates?: CertificateSettings | undefined
}

export interface OidcDoor {
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
  const federated = createFederatedCredentials({ ...options, spending })
  const provingKeys = createProvingKeys(federated.key)
  const tokens = createAccessTokens(options)
  const opaqueToken = createOpaqueTokens({ state, sessions })
  const diagnosing = createDiagnosing({ ...options, bridge, resumeCookie })

  function build(types: readonly string[]): {
    engine: Provider
    types: readonly string[]
    handle: ReturnType<Provider['callback']>
    shortWays: ShortWays
  } {
    const engine = createEngine({
      ...options,
      state,
      durable: storage.durable,
      shown: { ...options, tokens, opaqueToken },
      bridge,
      types,
      questioning,
      consents,
      strengths: access.policies.current().strengths,
      async onReuse(model, payload) {
        const event = model === 'RefreshToken' ? 'token-reuse-detected' : 'code-reuse-detected'
        if (payload.grantId) await options.endings.revokeGrant(payload.grantId)
        await audit.record(event, {
          actor: payload.clientId ?? 'unknown',
          ...(payload.accountId ? { subject: payload.accountId } : {}),
          ...(payload.clientId ? { app: payload.clientId } : {}),
        })
      },
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
      await next()
      leaveOutEmptyTypes(ctx)
      if (visitor) await afterwards(ctx as KoaContextWithOIDC, visitor)
      showPageOf(issuer, ctx as KoaContextWithOIDC)
      await diagnosing.after(ctx as KoaContextWithOIDC)
      await noteFailure(ctx as KoaContextWithOIDC)
      await revokeJwt(ctx as KoaContextWithOIDC)
      const taken = judge.taken(ctx.req)
      if (taken) ctx.set({ ...quotaHeaders(taken) })
      const reference = judge.refusal(ctx.req)
      // RFC 6749 §5.2
      if (reference) Object.assign(ctx.body as object, { error_uri: `${issuer}/why/${reference}` })
      await durable(ctx)
    })
    registerExchange(engine, { ...options, judge, tokens, opaqueToken, spending })
    const shortWays = createShortWays({ ...options, engine, judge, startOf: createStarting(options) })
    return { engine, types, handle: engine.callback(), shortWays }
  }

  async function afterwards(ctx: KoaContextWithOIDC, { session }: Visitor): Promise<void> {
    await afterLogout(ctx, session, options)
    const cookies = ctx.response.headers['set-cookie'] as string[] | undefined
    if (cookies) ctx.set('set-cookie', bridge.withoutHandle(ctx.req, cookies))
  }

  /** Somebody named a client, and did not show that they are it (RFC 6749 §5.2). */
  async function noteFailure({ req, body, oidc }: KoaContextWithOIDC): Promise<void> {
    if ((body as { error?: unknown } | undefined)?.error !== 'invalid_client' || !oidc?.client) return
    const app = await catalog.apps.find(oidc.client.clientId)
    if (app) await access.memory.failedToBe(app, requestContext(req).address)
  }

  /**
   * INVARIANT: what the engine answers leaves after everything it rests on is on the disk. Where that failed its answer is
   * withdrawn, and the server, which learns of it at the end of the request, says so instead.
   */
  async function durable(ctx: { res: ServerResponse; respond?: boolean | undefined }): Promise<void> {
    try {
      await settled()
    } catch {
      for (const name of ctx.res.getHeaderNames()) ctx.res.removeHeader(name)
      ctx.respond = false
    }
  }

  let current = build([])

  /** The engine knows the types of authorization details from its beginning: where those of the APIs changed it begins anew. */
  async function lookAtTypes(): Promise<void> {
    const { types } = await options.apis.all()
    if (types.join(' ') !== current.types.join(' ')) current = build(types)
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url!.split('?', 1)[0]!
    const { browser, document, short, form, resumes, allow } = addressOf(request.method!, path)
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
      const answered = short && request.method === 'POST' && (await current.shortWays(request, response, short))
      if (answered) return
      if (request.method === 'POST') await federated.exchange(request)
      await current.handle(request, response)
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
    // ATTACK: a link to an errand that somebody else has finished, so that their consent becomes the visitor's
    const began = request.headers.cookie?.split(/;\s*/).includes(`${resumeCookie}=${resumes}`)
    if (resumes && began) await errands.takeOutcome(current.engine, resumes, visitor)
    await bridge.during(request, visitor, () => current.handle(request, response))
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
