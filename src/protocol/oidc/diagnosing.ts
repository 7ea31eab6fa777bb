/**
 * What apps do wrong at this door, and what they do right after it, told to `#diagnosis`. The engine says by events what went
 * how, and waits for nobody who listens: so what it said is kept for the length of the request, and told at its end.
 */
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import type { App, Catalog } from '#catalog'
import type { Clock } from '#core/clock'
import type { Log } from '#core/log'
import type { Diagnosis, Stage } from '#diagnosis'
import { requestContext } from '#http'
import type { Signin } from '#signin'
import type { Bridge } from './bridge.ts'
import { asksGroups, clientIdOf, type EngineError, scopesOf, seenOf } from './seen.ts'

export interface DiagnosingRooms {
  readonly issuer: string
  readonly log: Log
  readonly clock: Clock
  readonly catalog: Pick<Catalog, 'apps'>
  readonly diagnosis: Diagnosis
  readonly signin: Pick<Signin, 'find'>
  readonly bridge: Pick<Bridge, 'visitorOf'>
  readonly refused?: ((error: string) => void) | undefined
  /** The name of the cookie by which the engine knows a browser that comes back from a conversation. */
  readonly resumeCookie: string
}

const ERRORS = [
  'authorization.error',
  'pushed_authorization_request.error',
  'device_authorization.error',
  'backchannel_authentication.error',
  'grant.error',
  'introspection.error',
  'revocation.error',
  'end_session.error',
] as const
const STAGES: Readonly<Record<string, Stage>> = {
  introspection: 'introspection',
  token: 'token',
  revocation: 'token',
  device_authorization: 'token',
  backchannel_authentication: 'token',
  end_session: 'sign-out',
  end_session_confirm: 'sign-out',
}
/** RFC 8628 §3.5, RFC 9449 §8. */
const AGAIN: ReadonlySet<string> = new Set(['authorization_pending', 'slow_down', 'use_dpop_nonce'])
const stageOf = ({ oidc }: KoaContextWithOIDC): Stage => STAGES[oidc.route] ?? 'authorization'

export interface LetIn {
  readonly app: App
  /** The request's id. */
  readonly request: string
  readonly session: string | undefined
  /** The scopes. */
  readonly asked: readonly string[]
  /** With `prompt=none`. */
  readonly silently: boolean
  /** Asked for, by scope or claim. */
  readonly groups: boolean
}

export function createDiagnosing(rooms: DiagnosingRooms) {
  const { issuer, clock, log, catalog, diagnosis, signin, bridge, resumeCookie } = rooms
  const errors = new WeakMap<object, EngineError>()
  const successes = new WeakMap<object, Stage>()
  /** Whose token somebody asked about who may not. */
  const foreign = new WeakMap<object, string>()
  const told = new WeakMap<object, Promise<string | undefined>>()

  async function appOf(ctx: KoaContextWithOIDC): Promise<App | undefined> {
    const id = clientIdOf(ctx)
    if (id === undefined) return undefined
    const app = id.length <= 64 ? await catalog.apps.find(id) : undefined
    if (!app) await diagnosis.unknown('client-id', id)
    return app
  }

  /** The engine knows no app here: what began is known by the errand that it became. */
  async function lostCookie(ctx: KoaContextWithOIDC): Promise<string | undefined> {
    const resumes = /^\/oauth2\/auth\/([\w-]{10,64})$/.exec(ctx.path)?.[1]
    if (resumes === undefined || ctx.cookies.get(resumeCookie, { signed: false }) !== undefined) return undefined
    const errand = await signin.find(resumes)
    const app = errand?.app === undefined ? undefined : await catalog.apps.find(errand.app)
    const { id: request } = requestContext(ctx.req)
    return (
      app && diagnosis.failed({ app, request, stage: 'sign-in', seen: { error: 'cookie-missing', cookie: 'resume' } })
    )
  }

  async function tell(ctx: KoaContextWithOIDC, error: EngineError): Promise<string | undefined> {
    if (error.name === 'SessionNotFound') return lostCookie(ctx)
    const app = await appOf(ctx)
    const seen = app && seenOf(ctx, error, app, { issuer, now: clock.now() })
    return seen && diagnosis.failed({ app, request: requestContext(ctx.req).id, stage: stageOf(ctx), seen })
  }

  /** The reference for whoever is stopped by the error; undefined where nothing is wrong with the app. */
  function referenceFor(ctx: KoaContextWithOIDC, error: EngineError): Promise<string | undefined> {
    const known = told.get(ctx) ?? tell(ctx, error)
    told.set(ctx, known)
    return known
  }

  /** Somebody was let in to an app. */
  async function letIn({ app, request, session, asked, silently, groups }: LetIn): Promise<void> {
    if (!app.oidc) return
    // what stays without a session is redeemed without one; frames that look after a session come again all the time
    if (session !== undefined && !asked.includes('offline_access') && !silently)
      await diagnosis.opened({ app, session, request, via: 'oidc' })
    const { scopes: registered, claims } = app.oidc
    if (claims.groups === 'none' || !registered.includes('groups')) return
    if (groups) return diagnosis.worked(app.id, 'groups')
    await diagnosis.failed({ app, request, stage: 'groups', seen: { error: 'groups', scopes: { asked, registered } } })
  }

  async function letInBy(ctx: KoaContextWithOIDC): Promise<void> {
    const app = await catalog.apps.find(ctx.oidc.client!.clientId)
    if (!app) return
    await letIn({
      ...{ app, request: requestContext(ctx.req).id, session: bridge.visitorOf(ctx.req)?.session?.id },
      ...{ asked: scopesOf(ctx), silently: ctx.oidc.prompts.has('none'), groups: asksGroups(ctx) },
    })
  }

  /**
   * Of a program that is told no, and with whose registration nothing is wrong: the request, by which the log says why. What it
   * is to ask again for (a device that nobody has connected yet, a proof with a nonce) is no refusal, and a decision has its
   * own reference.
   */
  function noted(ctx: KoaContextWithOIDC, { error, error_detail: why, name: kind }: EngineError): string | undefined {
    const said = ctx.body as { error?: unknown; error_description?: unknown } | undefined
    if (typeof said?.error !== 'string' || AGAIN.has(said.error)) return undefined
    if (/\breference \S+$/.test(String(said.error_description))) return undefined
    const { id: request } = requestContext(ctx.req)
    log.warn('oidc-refused', {
      request,
      client: ctx.oidc?.client?.clientId,
      code: error,
      kind,
      why: why?.slice(0, 200),
    })
    return request
  }

  return {
    listen(engine: Provider): void {
      for (const event of ERRORS)
        engine.on(event as 'grant.error', (ctx, error) => void errors.set(ctx, error as EngineError))
      engine.on('authorization.success', (ctx) => void successes.set(ctx, 'authorization'))
      engine.on('grant.success', (ctx) => void successes.set(ctx, 'token'))
    },

    referenceFor,

    /** Of a code that was given on the short way (`short-ways/sign-on.ts`). */
    async signedOn(entry: LetIn): Promise<void> {
      await letIn(entry)
      await diagnosis.worked(entry.app.id, 'authorization')
    },

    introspected(ctx: KoaContextWithOIDC, may: boolean, owner: string | undefined): void {
      if (may) successes.set(ctx, 'introspection')
      else foreign.set(ctx, owner ?? '')
    },

    /** At the end of the request, while its answer can still be changed. */
    async after(ctx: KoaContextWithOIDC): Promise<void> {
      const error = errors.get(ctx)
      if (error) {
        // what is to be asked for again is no refusal
        if (error.error !== undefined && !AGAIN.has(error.error)) rooms.refused?.(error.error)
        const reference = (await referenceFor(ctx, error)) ?? noted(ctx, error)
        if (reference !== undefined) writeInto(ctx, reference)
        return
      }
      const owner = foreign.get(ctx)
      const { client, entities } = ctx.oidc ?? {}
      const app = client && (owner !== undefined ? await catalog.apps.find(client.clientId) : undefined)
      if (app && owner !== undefined) {
        const audience = { of: 'introspection', named: [owner], expected: app.id } as const
        const { id: request } = requestContext(ctx.req)
        await diagnosis.failed({ app, request, stage: 'introspection', seen: { error: 'foreign-token', audience } })
      }
      // a sign-out that is asked for rightly is on its way, whatever the person answers
      const stage = successes.get(ctx) ?? (ctx.oidc?.route === 'end_session' ? 'sign-out' : undefined)
      if (!stage || !client) return
      if (stage === 'authorization') await letInBy(ctx)
      const session = stage === 'token' ? entities.AuthorizationCode?.sessionUid : undefined
      if (session !== undefined) diagnosis.redeemed(client.clientId, session)
      await diagnosis.worked(client.clientId, stage)
    },
  }
}

/** Apps show and log what is said to them: whoever looks there finds the rest here (RFC 6749 §4.1.2.1, §5.2). */
function writeInto(ctx: KoaContextWithOIDC, reference: string): void {
  const add = (text: unknown) => `${typeof text === 'string' ? `${text}, ` : ''}reference ${reference}`
  const body = ctx.body as { error?: unknown; error_description?: unknown } | undefined
  if (typeof body?.error === 'string') {
    ctx.body = { ...body, error_description: add(body.error_description) }
    return
  }
  const location = URL.parse(ctx.response.get('location'))
  if (!location) return
  // `response_mode=fragment`, and what would have been one
  const inFragment = /^#(?:.*&)?error=/.test(location.hash)
  const fields = inFragment ? new URLSearchParams(location.hash.slice(1)) : location.searchParams
  if (!fields.has('error')) return
  fields.set('error_description', add(fields.get('error_description')))
  if (inFragment) location.hash = fields.toString()
  ctx.set('location', location.href)
}

export type Diagnosing = ReturnType<typeof createDiagnosing>
