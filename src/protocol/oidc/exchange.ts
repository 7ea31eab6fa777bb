/**
 * Token exchange (RFC 8693): an API that was called for somebody calls another API for the same person. The file of the API that
 * is called says whose tokens it takes, who may show them, and what each of their scopes is worth there; nothing else can be had.
 *
 * INVARIANT: the new token is never wider than the one that was shown: no scope that none of its scopes is worth, not longer,
 * of the same person and session, and it names everybody through whose hands it went (`act`, §4.1).
 */
import { errors, type Provider, type TokenEndpointGrantContext } from 'oidc-provider'
import type { Access } from '#access'
import { type AccessToken, type Api, type ApiSet, type Apis, type AuthorizationDetail, areCovered } from '#apis'
import type { Audit } from '#audit'
import type { App, Catalog } from '#catalog'
import { requestContext } from '#http'
import type { TokenLimits } from '#policy'
import { askedDetails, type Detailed, typesOf } from './asked-details.ts'
import { type BindingRooms, bindExchanged } from './exchange-binding.ts'
import { checkBound, grantedScopes, grantedTypes, resourceOf } from './resources.ts'
import { ACCESS_TOKEN, livingToken, type ShownRooms, spokenFor } from './shown-token.ts'
import { stricter } from './stricter-limits.ts'
import type { TokenJudge } from './token-judge.ts'

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const SUBJECT_TYPES = new Set([ACCESS_TOKEN, 'urn:ietf:params:oauth:token-type:jwt'])
const PARAMETERS = [
  ...['subject_token', 'subject_token_type', 'requested_token_type'],
  ...['actor_token', 'actor_token_type', 'resource', 'audience', 'scope', 'authorization_details'],
]
/** Through so many hands. */
const LONGEST_CHAIN = 3

export interface ExchangeRooms extends BindingRooms, ShownRooms {
  readonly access: Access
  readonly apis: Pick<Apis, 'all'>
  readonly audit: Audit
  readonly catalog: Catalog
  readonly judge: TokenJudge
}

interface Parameters {
  readonly subject_token?: string
  readonly subject_token_type?: string
  readonly requested_token_type?: string
  readonly actor_token?: string
  readonly audience?: string
}

/** Who acts for whom: the newest outside (RFC 8693 §4.1). */
interface Actor {
  readonly sub: string
  readonly act?: Actor
}

/** §2.2.2: whatever is wrong with the token that was shown, and whatever it may not be used for. */
const refused = (why: string) => new errors.InvalidRequest(why)

export function registerExchange(engine: Provider, rooms: ExchangeRooms): void {
  engine.registerGrantType(
    TOKEN_EXCHANGE,
    (ctx: TokenEndpointGrantContext<Parameters>) => exchange(ctx, rooms),
    PARAMETERS,
  )
}

async function exchange(ctx: TokenEndpointGrantContext<Parameters>, rooms: ExchangeRooms): Promise<void> {
  const { params, client, provider } = ctx.oidc
  checkForm(params)
  const app = await rooms.catalog.apps.find(client.clientId)
  const set = await rooms.apis.all()
  const api = targetOf(params, set)
  const granted = app && api && grantedScopes(app, api)
  // RFC 8707 §2: what is not there, and what is not this client's to ask for, alike
  if (!api || !granted) throw new errors.InvalidTarget('this client gets no tokens for this resource')
  // a partner's contract has limits that are judged where it asks for itself; an API of ours acts for people, a partner does not
  if (app.partner) throw refused('this client may not exchange tokens')
  const own = await judgeClient(ctx, app, rooms)
  const { shown, act } = await readShown(params.subject_token!, rooms)
  const actor: Actor = { sub: app.id, ...(act ? { act } : {}) }
  checkChain(actor)
  const rules = rulesFor(shown, api, set, app.id)
  const worth = new Set(rules.flatMap((rule) => shown.scopes.flatMap((scope) => rule.scopes[scope] ?? [])))
  const asked = ctx.oidc.requestParamScopes
  const scopes = granted.filter((scope) => worth.has(scope) && (asked.size === 0 || asked.has(scope)))
  if (scopes.length === 0)
    throw new errors.InvalidScope('none of the requested scopes is to be had with this token', [...asked].join(' '))
  const details = detailsOf(shown, api, askedDetails(ctx)).filter(({ type }) => grantedTypes(app, api)!.includes(type))
  const there = await spokenFor(shown, rooms)
  if (!there) throw refused('subject_token is not of somebody who is signed in')
  const { person, session } = there
  const address = session.address ?? requestContext(ctx.req).address
  const about = { policy: api.policy, person, session, address, details: typesOf(details) }
  const question = { kind: 'api', ...about, startedAt: rooms.clock.now() } as const
  const { outcome, decision, reference, acr, authTime } = await rooms.access.ask(question)
  if (outcome !== 'allow') throw new errors.AccessDenied(`refused by policy, reference ${reference}`)

  const token = new provider.AccessToken({
    ...{ accountId: person.id, client, expiresWithSession: true, sessionUid: session.id, gty: TOKEN_EXCHANGE },
  } as unknown as ConstructorParameters<typeof provider.AccessToken>[0])
  token.resourceServer = new provider.ResourceServer(api.audience, resourceOf(api, scopes))
  token.scope = scopes.join(' ')
  if (details.length > 0) Object.assign(token, { rar: details })
  await bindExchanged(ctx, app, token, rooms)
  checkBound(api, token)
  checkStillBound(shown, token, rules)
  const left = Math.floor((shown.expiresAt - rooms.clock.now()) / 1000)
  const life = { token: { max: `${Math.min(left, api.lifetime)}s` } }
  const from = {
    origin: { jti: shown.origin?.id ?? shown.id, client_id: shown.origin?.client ?? shown.client },
    ...(shown.grant === undefined ? {} : { grant_id: shown.grant }),
  }
  const source = { acr, authTime: authTime === undefined ? undefined : Math.floor(authTime / 1000), act: actor, from }
  rooms.judge.allowed(token, stricter(stricter(decision, own), life), source)
  ctx.oidc.entity('AccessToken', token)
  const value = await token.save()
  const told = { actor: app.id, subject: person.id, app: app.id, reason: api.id }
  await rooms.audit.record('token-exchanged', { ...told, ...(reference === undefined ? {} : { receipt: reference }) })
  ctx.body = {
    access_token: value,
    issued_token_type: ACCESS_TOKEN,
    token_type: token.tokenType,
    expires_in: token.expiration,
    scope: token.scope,
    authorization_details: (token as Detailed).rar,
  }
}

/**
 * What the client's own policy says of it. ATTACK: its secret, taken to where it would get no token of its own, and there the token
 * of somebody. The policy of an app that only people use says nothing of programs.
 */
async function judgeClient(
  ctx: TokenEndpointGrantContext<Parameters>,
  app: App,
  { judge }: ExchangeRooms,
): Promise<TokenLimits> {
  if (!app.oidc?.grantTypes.includes('client_credentials')) return {}
  const method = String(ctx.oidc.client.tokenEndpointAuthMethod)
  const verdict = await judge.machine(ctx.req, app, { id: app.id, method })
  if (!verdict.allowed) throw new errors.AccessDenied(`refused by policy, reference ${verdict.reference}`)
  return verdict
}

function checkForm({ subject_token, subject_token_type, requested_token_type, actor_token }: Parameters): void {
  if (!subject_token) throw refused('subject_token is missing')
  if (!SUBJECT_TYPES.has(subject_token_type ?? '')) throw refused('subject_token_type is not that of an access token')
  if (![undefined, ACCESS_TOKEN].includes(requested_token_type)) throw refused('only access tokens are issued')
  // who acts is who has authenticated: a second claim about it could only contradict that
  if (actor_token !== undefined) throw refused('the actor is the client itself, without an actor_token')
}

/** §2.1: by `resource`, or by the same address as `audience`. */
function targetOf({ resource, audience }: { resource?: unknown } & Parameters, set: ApiSet): Api | undefined {
  const named = [resource, audience].filter((one) => one !== undefined)
  return typeof named[0] === 'string' && named.every((one) => one === named[0]) ? set.forAudience(named[0]) : undefined
}

/** The token that was shown, where it is one of ours that lives, and in whose name it was used so far. */
async function readShown(text: string, rooms: ExchangeRooms) {
  const shown = await livingToken(text, rooms)
  if (!shown) throw refused('subject_token is not valid')
  // its signature holds and it is in the one spelling that we write, so that it can be read as it stands
  const { act } = text.includes('.')
    ? JSON.parse(Buffer.from(text.split('.')[1]!, 'base64url').toString('utf8'))
    : { act: undefined }
  return { shown, act: act as Actor | undefined }
}

/** ATTACK: tokens that go in circles, each time for a little longer or to somebody else. */
function checkChain(actor: Actor): void {
  const hands: string[] = []
  for (let one: Actor | undefined = actor; one; one = one.act) hands.push(one.sub)
  if (hands.length > LONGEST_CHAIN || new Set(hands).size < hands.length)
    throw refused('this token went through too many hands, or through the same before')
}

/** Those of the API that take such a token from this client. */
function rulesFor({ audience }: AccessToken, api: Api, set: ApiSet, client: string): Api['exchange'] {
  const from = audience === undefined ? undefined : set.forAudience(audience)
  const rules = api.exchange.filter((rule) => rule.from === from?.id && rule.by.includes(client))
  if (rules.length === 0) throw refused('this API takes no such token from this client')
  return rules
}

type Binding = { readonly jkt?: unknown; readonly x5t?: unknown; readonly 'x5t#S256'?: unknown }
const isBound = ({ jkt, x5t, 'x5t#S256': certificate }: Binding) => (jkt ?? x5t ?? certificate) !== undefined

/** ATTACK: a token that is of no use to whoever finds it, exchanged for one that is of use to anybody. */
function checkStillBound(shown: AccessToken, token: object, rules: Api['exchange']): void {
  if (isBound(shown) && !isBound(token) && !rules.some(({ unbound }) => unbound))
    throw refused(
      'a token that is bound is exchanged for one that is bound to a key (DPoP) or certificate of this client',
    )
}

/** A type is of one API, so no details of a token for another API are worth anything here; those of its own stay what they were. */
function detailsOf({ audience, details }: AccessToken, api: Api, asked: readonly AuthorizationDetail[]) {
  const granted = audience === api.audience ? details : []
  if (!areCovered(asked, granted)) throw new errors.InvalidAuthorizationDetails('more is asked for than was granted')
  return asked.length > 0 ? asked : granted
}
