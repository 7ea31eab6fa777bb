/** The path of a question: API → rule → token → its sender → networks → scopes → policy → what the API is told. */
import type { IncomingMessage } from 'node:http'
import type { Api, ApiGateway, ApiSet } from '#apis'
import { quotaHeaders, quotaWords } from '#context'
import { type Millis, seconds } from '#core/clock'
import { createRecent } from '#core/recent'
import { Refusal } from '#core/refusal'
import {
  addressOf,
  createNetworks,
  normaliseAddress,
  type ProxyHeaders,
  readHeaders,
  refuseTunnels,
  requestContext,
  type Target,
  targetOf,
} from '#http'
import { credentialsOf } from './credentials.ts'
import type { Dialect, Reply } from './dialect.ts'
import type { ApiAccessOptions } from './options.ts'
import type { Replies, Why } from './replies.ts'
import { needsOf, unmetSignIn } from './rules.ts'
import type { Sender, Senders } from './sender.ts'
import type { Fault, Held } from './token.ts'
import { TOLD } from './told.ts'
import type { Verdicts } from './verdicts.ts'

/** The same cause is logged once in so long, under one reference: anybody could fill the log otherwise. */
const LOGGED_AGAIN: Millis = seconds(10)
/** Of the causes, which name clients and APIs. */
const CAUSES = 500

export interface CheckRooms extends ApiAccessOptions {
  readonly replies: Replies
  readonly verdicts: Verdicts
  readonly senders: Senders
  holding(text: string, api: Api): Promise<Held | Fault>
}

export function createCheck(rooms: CheckRooms) {
  const { apis, clock, log, access, quotas, replies, verdicts, senders, holding } = rooms
  const proxies = createNetworks(rooms.proxies)
  const logged = createRecent<string, { readonly at: number; readonly reference: string }>(CAUSES)

  /** Answers the reference under which the cause stands in the log. */
  function note(request: IncomingMessage, cause: string, about: Readonly<Record<string, string | undefined>>): string {
    const id = JSON.stringify([cause, about])
    const now = clock.now()
    const before = logged.get(id)
    if (before && now - before.at < LOGGED_AGAIN) return before.reference
    const reference = requestContext(request).id
    logged.set(id, { at: now, reference })
    log.warn('api-access-refused', { request: reference, reason: cause, ...about })
    return reference
  }

  async function answer(dialect: Dialect, request: IncomingMessage): Promise<Reply> {
    try {
      // INVARIANT: from anybody else all that follows is just what they say
      if (!proxies.has(normaliseAddress(request.socket.remoteAddress) ?? '')) throw new Refusal('proxy-unknown')
      const headers = readHeaders(request)
      const target = targetOf(dialect.read(request, headers))
      const api = apiOf(await apis.all(), target)
      return await judge(request, target, headers, api)
    } catch (error) {
      if (!(error instanceof Refusal) || error.status >= 500) throw error
      const reference = note(request, error.detail ?? error.code, { dialect: dialect.name, code: error.code })
      return replies.refused({ code: error.code, reference })
    }
  }

  async function judge(
    request: IncomingMessage,
    target: Target,
    headers: ProxyHeaders,
    api: Api & { readonly gateway: ApiGateway },
  ): Promise<Reply> {
    headers.refuseTwins([...TOLD, 'authorization', 'dpop'])
    refuseTunnels(request.headers)
    const { path } = target
    if (path === undefined) throw new Refusal('path-ambiguous')
    const needs = needsOf(api.gateway.rules, { ...target, path }, request.headers)
    if (needs.access === 'public') return replies.open
    const refuse = (cause: string, why: Omit<Why, 'api' | 'reference'>, client?: string) =>
      replies.refused({ ...why, api, reference: note(request, cause, { api: api.id, client }) })
    if (needs.access === 'deny') return refuse('no rule opens this', { code: 'access-refused' })

    const sent = credentialsOf(request, target.query)
    if (!sent) return refuse('no token', { code: 'token-required', scopes: needs.scopes, scheme: schemeOf(api) })
    const held = await holding(sent.token, api)
    if (typeof held === 'string') return refuse(held, { ...faultSaid(held), scheme: schemeOf(api) })
    const { token, app, person, session } = held
    const sender = await senders(api, token, sent, { request, target })
    if (sender !== 'proved') return refuse(sender, senderSaid(sender, api), app.id)
    const address = addressOf(request)
    if (!(await isFromNetwork(api.gateway, address))) return refuse('network', { code: 'access-refused' }, app.id)

    const judged = await verdicts.of({ api, app, token, person, session, address })
    const { reference, strength, maxAge } = judged
    const scheme = token.jkt === undefined ? schemeOf(api) : 'DPoP'
    if (judged.outcome === 'challenge') {
      const acr = strength === undefined ? {} : { acr: [strength] }
      return replies.refused({ ...PROOF_REQUIRED, api, reference, scheme, ...acr, maxAge })
    }
    if (judged.outcome !== 'allow') return replies.refused({ code: 'access-refused', api, reference })
    const may = (word: string) => judged.scopes?.includes(word) ?? true
    const [scopes, details] = [held.scopes.filter(may), held.details.filter(({ type }) => may(type))]
    if (!needs.scopes.every((scope) => scopes.includes(scope)))
      return refuse(
        `scope: needs ${needs.scopes.join(' ')}`,
        { code: 'scope-missing', error: 'insufficient_scope', scopes: needs.scopes },
        app.id,
      )
    if (!needs.types.every((type) => details.some((one) => one.type === type)))
      return refuse(
        `details: needs ${needs.types.join(' ')}`,
        { code: 'details-missing', error: 'insufficient_scope' },
        app.id,
      )
    const unmet = unmetSignIn(token, needs.signIns, clock.now())
    if (unmet) return refuse('sign-in', { ...PROOF_REQUIRED, ...unmet, scheme }, app.id)
    // the last question: only a call that would pass is one of those that the contract speaks of
    const calls = app.partner?.quota.calls
    const taken = calls && (await quotas.take(app.id, 'calls', calls))
    if (taken && !taken.allowed)
      return refuse(`quota: ${quotaWords(calls)}`, { code: 'throttled', headers: quotaHeaders(taken) }, app.id)
    return replies.allowed(token, scopes, details)
  }

  /** INVARIANT: a network that is not there, or is known by its country only, lets nobody in. */
  async function isFromNetwork({ networks }: ApiGateway, address: string): Promise<boolean> {
    if (!networks) return true
    const { zones } = await access.policies.latest()
    return networks.some((name) => zones.get(name)?.contains(address) ?? false)
  }

  return answer
}

/** Throws Refusal `api-unknown`. */
function apiOf(all: ApiSet, { host, app: named }: Target): Api & { readonly gateway: ApiGateway } {
  const there = all.atHost(host)
  // ATTACK: a proxy may choose the API by one name (the first line, a default, without the port) and tell us another
  const api = named === undefined ? there[0] : there.find(({ id }) => id === named)
  if (!api?.gateway) throw new Refusal('api-unknown', 'host is of no API, or of another than the proxy stands before')
  if (named === undefined && there.length > 1)
    throw new Refusal('api-unknown', 'several APIs are at this host; the proxy has to say which it stands before')
  return api as Api & { readonly gateway: ApiGateway }
}

/** RFC 6750 §3.1. Whoever holds no good token learns nothing of why, but that it was good once. */
const faultSaid = (fault: Fault): Omit<Why, 'api' | 'reference'> => ({
  code: 'token-invalid',
  error: 'invalid_token',
  description: fault === 'expired' ? 'the access token is over' : 'the access token is not valid here',
})

/** RFC 9470 §3. */
const PROOF_REQUIRED = {
  code: 'proof-required',
  error: 'insufficient_user_authentication',
  description: 'a stronger or more recent sign-in is needed',
} as const

/** RFC 9449 §7.1. */
const senderSaid = (sender: Sender, api: Api): Omit<Why, 'api' | 'reference'> =>
  sender === 'proof' || sender === 'proof-replayed'
    ? {
        code: 'token-invalid',
        error: 'invalid_dpop_proof',
        description: 'the proof is not for this call',
        scheme: 'DPoP',
      }
    : { ...faultSaid('revoked'), scheme: schemeOf(api) }

const schemeOf = ({ senderConstraint }: Api): 'Bearer' | 'DPoP' => (senderConstraint === 'dpop' ? 'DPoP' : 'Bearer')
