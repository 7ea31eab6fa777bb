/**
 * Who may have a token, and what it may be good for. Machines ask for themselves; people were judged when the code was
 * issued, and are judged again at each refresh.
 */
import type { IncomingMessage } from 'node:http'
import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import type { Access, Verdict } from '#access'
import type { App, Catalog } from '#catalog'
import type { Clock } from '#core/clock'
import type { People } from '#directory'
import { requestContext } from '#http'
import { DIRECTORY_DOWN, type TokenLimits } from '#policy'
import type { Devices, Sessions } from '#sessions'
import { applyLimits, limitsOfCode, registeredScopes, type Token } from './token-limits.ts'

export interface TokenJudgeRooms {
  readonly access: Access
  readonly catalog: Catalog
  readonly clock: Clock
  readonly people: Pick<People, 'byId'>
  readonly sessions: Pick<Sessions, 'byId'>
  readonly devices: Pick<Devices, 'byId'>
}

/** How strongly the person signed in, and when: what whoever asks about the access token is told (RFC 9470 §6.2). */
export type Assurance = { readonly acr?: string; readonly auth_time?: number }

type Source = { readonly acr?: string | undefined; readonly authTime?: number | undefined }

export interface TokenJudge {
  /** One question for a request, however often it is looked at. */
  machine(request: IncomingMessage, app: App | undefined, client: { id: string; method: string }): Promise<Verdict>
  /** What rules say about the token of that code; somebody was let in when it was issued. */
  ofCode(app: App, code: object): TokenLimits
  /** Makes the token what the limits say, and notes that it has been judged; of a person's, what it comes from. */
  allowed(token: Token, limits: TokenLimits, source?: Source): void
  /**
   * Whether this refresh may be. To be asked before the engine spends the refresh token: a refusal leaves it as it was, so
   * that it is no reuse to come back with it once the person has proved again what they are asked for.
   */
  refresh(ctx: KoaContextWithOIDC): Promise<void>
  /** Before each token, unless it is judged already; throws the protocol's refusal. */
  judge(ctx: KoaContextWithOIDC | undefined, token: Token): Promise<void>
  /** The engine's own question before it hands a token out: what the token tells. INVARIANT: no token without an answer. */
  confirm(token: object): Assurance | undefined
}

/** RFC 6749 §5.2, with a sentence for the app that says nothing of the rule. */
const refused = (sentence: string) => new errors.CustomOIDCProviderError('invalid_grant', sentence)

export function createTokenJudge(rooms: TokenJudgeRooms): TokenJudge {
  const { access, catalog, clock, people, sessions, devices } = rooms
  const verdicts = new WeakMap<IncomingMessage, Verdict>()
  const judged = new WeakMap<object, Source | undefined>()
  const refreshes = new WeakMap<IncomingMessage, TokenLimits>()

  async function machine(
    request: IncomingMessage,
    app: App | undefined,
    { id, method }: { id: string; method: string },
  ): Promise<Verdict> {
    const known = verdicts.get(request)
    if (known) return known
    const { address } = requestContext(request)
    const client = { id, authentication: method }
    const verdict = await access.ask({ kind: 'api', app, client, address, startedAt: clock.now() })
    verdicts.set(request, verdict)
    return verdict
  }

  async function judgeMachine(ctx: KoaContextWithOIDC, app: App | undefined): Promise<TokenLimits> {
    const { clientId: id, tokenEndpointAuthMethod } = ctx.oidc.client!
    const verdict = await machine(ctx.req, app, { id, method: String(tokenEndpointAuthMethod) })
    if (verdict.outcome !== 'allow')
      throw new errors.AccessDenied(undefined, `refused by policy, reference ${verdict.reference}`)
    return verdict.decision
  }

  async function refresh(ctx: KoaContextWithOIDC): Promise<void> {
    const { client, account, entities } = ctx.oidc
    const { expiresWithSession, sessionUid } = entities.RefreshToken!
    const app = await catalog.apps.find(client!.clientId)
    const person = await people.byId(account!.accountId)
    // an app that stays (offline_access) has no session to judge by, also while the one it began in lives
    const session = expiresWithSession && sessionUid ? await sessions.byId(sessionUid) : undefined
    const device = session?.deviceId ? await devices.byId(session.deviceId, session.personId) : undefined
    const enrolled = await access.enrolled.ofSession(session)
    // the request comes from the app's server: its address says nothing about where the person is
    const address = session?.address ?? requestContext(ctx.req).address
    const startedAt = clock.now()
    const question = { kind: 'app', app, person, session, device, enrolled, address, startedAt } as const
    const { outcome, decision, ...verdict } = await access.preview(question)
    if (!verdict.person || decision.rule === 'audience') throw refused('this person may no longer use this app')
    if (decision.rule === DIRECTORY_DOWN) throw refused('this app is closed while the directory of this person is down')
    if (expiresWithSession) {
      if (!session || outcome === 'challenge') throw refused('the person has to sign in to this app again')
      if (outcome !== 'allow') throw refused('this person may not use this app now')
    }
    // without a session nobody can tell which rule would decide
    const limits = expiresWithSession ? decision : access.policies.current().tokenLimitsOf(app?.policy)
    refreshes.set(ctx.req, limits ?? {})
  }

  const ofCode = (app: App | undefined, code: object) => limitsOfCode(code, app, access.policies.current())

  async function limitsOf(ctx: KoaContextWithOIDC, token: Token): Promise<TokenLimits> {
    const app = await catalog.apps.find(ctx.oidc.client!.clientId)
    if (token.kind === 'ClientCredentials') {
      const limits = await judgeMachine(ctx, app)
      const asked = ctx.oidc.body?.['scope']
      if (asked) token.scope = registeredScopes(String(asked), app)
      return limits
    }
    const { RefreshToken, AuthorizationCode, DeviceCode } = ctx.oidc.entities
    const code = AuthorizationCode ?? DeviceCode
    const limits = RefreshToken ? refreshes.get(ctx.req) : code && ofCode(app, code)
    if (!limits) throw new Error('a token for something that nobody has judged')
    return limits
  }

  function allowed(token: Token, limits: TokenLimits, source?: Source): void {
    applyLimits(token, limits)
    judged.set(token, source)
  }

  return {
    machine,
    refresh,
    ofCode,
    allowed,

    async judge(ctx, token) {
      if (!ctx || judged.has(token)) return
      const limits = await limitsOf(ctx, token)
      const { RefreshToken, AuthorizationCode, DeviceCode } = ctx.oidc.entities
      allowed(token, limits, RefreshToken ?? AuthorizationCode ?? DeviceCode)
    },

    confirm(token) {
      if (!judged.has(token)) throw new Error('a token that nobody has judged')
      const source = judged.get(token)
      return source && assuranceOf(source)
    },
  }
}

const assuranceOf = ({ acr, authTime }: Source): Assurance => ({
  ...(acr === undefined ? {} : { acr }),
  ...(authTime === undefined ? {} : { auth_time: authTime }),
})
