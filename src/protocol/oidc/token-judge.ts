/**
 * Who may have a token, and what it may be good for. Machines ask for themselves; people were judged when the code was
 * issued, and are judged again at each refresh.
 */
import type { IncomingMessage } from 'node:http'
import { errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider'
import type { Access } from '#access'
import type { Api, Apis, Whence } from '#apis'
import type { App, Catalog } from '#catalog'
import { type Quotas, quotaWords, type Taken } from '#context'
import type { Clock, Instant } from '#core/clock'
import type { People } from '#directory'
import { requestContext } from '#http'
import { DIRECTORY_DOWN, type TokenLimits } from '#policy'
import type { Devices, Sessions } from '#sessions'
import { type Detailed, typesOf } from './asked-details.ts'
import { checkBound, checkPromised } from './resources.ts'
import { stricter, strictestOf } from './stricter-limits.ts'
import { applyLimits, limitsOfCode, registeredScopes, scopesOfApi, type Token } from './token-limits.ts'

export interface TokenJudgeRooms {
  readonly access: Access
  readonly catalog: Catalog
  readonly apis: Pick<Apis, 'all'>
  readonly clock: Clock
  readonly quotas: Pick<Quotas, 'take'>
  readonly people: Pick<People, 'byId'>
  readonly sessions: Pick<Sessions, 'byId'>
  readonly devices: Pick<Devices, 'byId'>
}

/** How strongly the person signed in, and when: what whoever asks about the access token is told (RFC 9470 §6.2). */
export type Assurance = Whence & {
  readonly acr?: string
  readonly auth_time?: number
  readonly act?: object
}

export interface Machine {
  readonly id: string
  /** How it proved who it is (RFC 7591 `token_endpoint_auth_method`). */
  readonly method: string
  /** What the token is to be for. */
  readonly api?: Api | undefined
  readonly scopes?: readonly string[]
  /** Types of its authorization details. */
  readonly details?: readonly string[]
}

/** Of all policies that have a say; `reference` is of the one that refuses. */
export interface MachineVerdict extends TokenLimits {
  readonly allowed: boolean
  readonly reference: string | undefined
  /** Of a partner with a quota for tokens: this request is one of it, or too much. */
  readonly taken?: Taken
}

type Source = {
  readonly acr?: string | undefined
  readonly authTime?: number | undefined
  /** Who acts for the person (RFC 8693 §4.1). */
  readonly act?: object
  /** What of the token that was shown ends this one too. */
  readonly from?: Pick<Whence, 'grant_id' | 'origin'>
}

type Refresh = InstanceType<Provider['RefreshToken']>

export interface TokenJudge {
  /** One question for a request, however often it is looked at. */
  machine(request: IncomingMessage, app: App | undefined, client: Machine): Promise<MachineVerdict>
  /** What this request took of a quota. */
  taken(request: IncomingMessage): Taken | undefined
  /** The reference of the decision that refused a machine in this request. */
  refusal(request: IncomingMessage): string | undefined
  /** What rules say about the token of that code; somebody was let in when it was issued. */
  ofCode(app: App, code: object): TokenLimits
  /** Makes the token what the limits say, and notes that it has been judged; of a person's, what it comes from. */
  allowed(token: Token, limits: TokenLimits, source?: Source): void
  /**
   * Whether this refresh may be. To be asked before the engine spends the refresh token: a refusal leaves it as it was, so
   * that it is no reuse to come back with it once the person has proved again what they are asked for.
   */
  refresh(request: IncomingMessage, token: Refresh): Promise<TokenLimits>
  /** Before each token, unless it is judged already; throws the protocol's refusal. */
  judge(ctx: KoaContextWithOIDC | undefined, token: Token): Promise<void>
  /**
   * The engine's own question before it hands a token out: what the token tells. INVARIANT: no token without an answer.
   * `key`: with which its client has shown who it is.
   */
  confirm(token: object, key?: string): Assurance | undefined
}

/** RFC 6749 §5.2, with a sentence for the app that says nothing of the rule. */
const refused = (sentence: string) => new errors.CustomOIDCProviderError('invalid_grant', sentence)

export function createTokenJudge(rooms: TokenJudgeRooms): TokenJudge {
  const { access, apis, catalog, clock, quotas, people, sessions, devices } = rooms
  const verdicts = new WeakMap<IncomingMessage, MachineVerdict>()
  const judged = new WeakMap<object, Source | undefined>()
  const refreshes = new WeakMap<IncomingMessage, TokenLimits>()

  async function machine(
    request: IncomingMessage,
    app: App | undefined,
    { id, method, api, scopes, details = [] }: Machine,
  ) {
    const known = verdicts.get(request)
    if (known) return known
    // ATTACK: it has shown that it is the partner; before, anybody could use up what is another's
    const quota = app?.partner?.quota.tokens
    const taken = quota && (await quotas.take(id, 'tokens', quota))
    if (taken && !taken.allowed) {
      const much: MachineVerdict = { allowed: false, reference: undefined, taken }
      verdicts.set(request, much)
      return much
    }
    const { address } = requestContext(request)
    const client = { id, authentication: method, ...(scopes ? { scopes } : {}) }
    const question = { kind: 'api', app, client, details, address, startedAt: clock.now() } as const
    // that of the API, and that of the program itself where it is another: both let it in, or it gets nothing
    const policies = new Set(api ? [api.policy, app?.policy] : [app?.policy])
    let verdict: MachineVerdict = { allowed: true, reference: undefined }
    for (const policy of policies) {
      const asked = policy === app?.policy ? question : { ...question, policy: policy! }
      const { outcome, decision, reference } = await access.ask(asked)
      verdict = { ...stricter(verdict, decision), allowed: outcome === 'allow', reference }
      if (!verdict.allowed) break
    }
    await access.memory.asked(app, { address, letIn: verdict.allowed })
    verdict = { ...verdict, ...stricter(verdict, untilEndOf(app, clock.now())), ...(taken && { taken }) }
    verdicts.set(request, verdict)
    return verdict
  }

  async function judgeMachine(
    ctx: KoaContextWithOIDC,
    app: App | undefined,
    of: Pick<Machine, 'api' | 'scopes' | 'details'>,
  ): Promise<TokenLimits> {
    const { clientId: id, tokenEndpointAuthMethod } = ctx.oidc.client!
    const verdict = await machine(ctx.req, app, { id, method: String(tokenEndpointAuthMethod), ...of })
    if (verdict.taken && !verdict.taken.allowed) throw tooMany(verdict.taken)
    if (!verdict.allowed) throw new errors.AccessDenied(`refused by policy, reference ${verdict.reference}`)
    return verdict
  }

  async function refresh(request: IncomingMessage, token: Refresh): Promise<TokenLimits> {
    const { clientId, accountId, expiresWithSession, sessionUid } = token
    const app = await catalog.apps.find(clientId!)
    const person = await people.byId(accountId!)
    // an app that stays (offline_access) has no session to judge by, also while the one it began in lives
    const session = expiresWithSession && sessionUid ? await sessions.byId(sessionUid) : undefined
    const device = session?.deviceId ? await devices.byId(session.deviceId, session.personId) : undefined
    const enrolled = await access.enrolled.ofSession(session)
    // the request comes from the app's server: its address says nothing about where the person is
    const address = session?.address ?? requestContext(request).address
    const startedAt = clock.now()
    const details = typesOf((token as Detailed).rar)
    const question = { kind: 'app', app, person, session, device, enrolled, address, startedAt, details } as const
    const others = await policiesOf(token, app)
    const { outcome, decision, ...verdict } = await access.preview(question)
    if (!verdict.person || decision.rule === 'audience') throw refused('this person may no longer use this app')
    if (decision.rule === DIRECTORY_DOWN) throw refused('this app is closed while the directory of this person is down')
    if (expiresWithSession) {
      if (!session || outcome === 'challenge') throw refused('the person has to sign in to this app again')
      if (outcome !== 'allow') throw refused('this person may not use this app now')
    }
    const decisions = [decision]
    for (const policy of others) {
      const answer = await access.preview({ ...question, kind: 'api', policy })
      if (expiresWithSession && answer.outcome !== 'allow') throw refused('this person may not use this API now')
      decisions.push(answer.decision)
    }
    const inForce = access.policies.current()
    // without a session nobody can tell which rule would decide
    const limits = expiresWithSession ? decisions.reduce(stricter, {}) : strictestOf([app?.policy, ...others], inForce)
    refreshes.set(request, limits)
    return limits
  }

  const ofCode = (app: App | undefined, code: object, apis: readonly string[] = []) =>
    limitsOfCode(code, [app?.policy, ...apis], access.policies.current())

  /** Those of the APIs that a code or a refresh token is for, which have a say beside that of the app. */
  async function policiesOf({ resource }: { resource?: string | string[] | undefined }, app: App | undefined) {
    if (resource === undefined) return []
    const set = await apis.all()
    const named = [resource].flat().flatMap((audience) => set.forAudience(audience)?.policy ?? [])
    return [...new Set(named)].filter((policy) => policy !== app?.policy)
  }

  async function limitsOf(ctx: KoaContextWithOIDC, token: Token): Promise<TokenLimits> {
    const app = await catalog.apps.find(ctx.oidc.client!.clientId)
    const resource = token.resourceServer?.identifier()
    const api = resource === undefined ? undefined : (await apis.all()).forAudience(resource)
    checkPromised(app, token)
    if (api) checkBound(api, token)
    if (token.kind === 'ClientCredentials') {
      const asked = ctx.oidc.body?.['scope'] as string | undefined
      const details = typesOf((token as Detailed).rar)
      // who asks for details alone does not mean all scopes as well
      const all = api && (asked !== undefined || details.length === 0)
      const scope = all ? scopesOfApi(asked, api, app) : asked && registeredScopes(asked, app)
      if (scope) token.scope = scope
      return judgeMachine(ctx, app, { api, details, ...(scope ? { scopes: scope.split(' ') } : {}) })
    }
    const { RefreshToken } = ctx.oidc.entities
    const code = codeOf(ctx)
    const limits = RefreshToken ? refreshes.get(ctx.req) : code && ofCode(app, code, await policiesOf(code, app))
    if (!limits) throw new Error('a token for something that nobody has judged')
    return limits
  }

  function allowed(token: Token, limits: TokenLimits, source?: Source): void {
    applyLimits(token, limits)
    judged.set(token, source)
  }

  return {
    machine,
    taken: (request) => verdicts.get(request)?.taken,
    refusal(request) {
      const verdict = verdicts.get(request)
      return verdict && !verdict.allowed ? verdict.reference : undefined
    },
    refresh,
    ofCode,
    allowed,

    async judge(ctx, token) {
      if (!ctx || judged.has(token)) return
      const limits = await limitsOf(ctx, token)
      allowed(token, limits, ctx.oidc.entities.RefreshToken ?? codeOf(ctx))
    },

    confirm(token, key) {
      if (!judged.has(token)) throw new Error('a token that nobody has judged')
      const source = judged.get(token)
      const byKey = key === undefined ? {} : { client_key: key }
      if (source) return { ...assuranceOf(source), ...sessionOf(token), ...grantOf(token), ...source.from, ...byKey }
      return key === undefined ? undefined : byKey
    },
  }
}

/** RFC 6585 §4. OAuth has no word for it at the token endpoint; this is the one of the other endpoint (RFC 6749 §4.1.2.1). */
function tooMany({ quota, more }: Taken): Error {
  const said = `too many token requests: ${quotaWords(quota)}; there are more in ${more} s`
  const error = new errors.CustomOIDCProviderError('temporarily_unavailable', said)
  return Object.assign(error, { status: 429, statusCode: 429 })
}

/** What somebody was let in for, and is exchanged for a token now. */
const codeOf = ({ oidc: { entities } }: KoaContextWithOIDC) =>
  entities.AuthorizationCode ?? entities.DeviceCode ?? entities.BackchannelAuthenticationRequest

const LONGEST_LIFE = 86_400

/** A token does not outlive the contract that it rests on. */
function untilEndOf(app: App | undefined, now: Instant): TokenLimits {
  const end = app?.partner?.endsAt
  if (end === undefined) return {}
  const left = Math.max(1, Math.floor((end - now) / 1000))
  return left < LONGEST_LIFE ? { token: { max: `${left}s` } } : {}
}

const assuranceOf = ({ acr, authTime, act }: Source): Assurance => ({
  ...(act === undefined ? {} : { act }),
  ...(acr === undefined ? {} : { acr }),
  ...(authTime === undefined ? {} : { auth_time: authTime }),
})

type OfSession = { readonly expiresWithSession?: boolean; readonly sessionUid?: string }

type OfGrant = Pick<Token, 'resourceServer'> & { readonly grantId?: string }

/** The same of the grant, where the token is kept nowhere. */
const grantOf = ({ resourceServer, grantId }: OfGrant) =>
  resourceServer?.accessTokenFormat === 'jwt' && grantId !== undefined ? { grant_id: grantId } : {}

/** What ends with a session says with which: nobody could tell otherwise of a token that is kept nowhere. */
const sessionOf = ({ expiresWithSession, sessionUid }: OfSession) =>
  expiresWithSession && sessionUid !== undefined ? { sid: sessionUid } : {}
