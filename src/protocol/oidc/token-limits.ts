/**
 * What rules say about tokens (`allow.scopes`, `allow.token.max`), brought to every access token.
 *
 * A machine's token has what the decision about the machine said; that of a refresh, what the decision about the refresh
 * said. Between somebody's sign-in and the exchange of the code lies no further decision, so the code keeps what that one
 * said.
 */
import Provider, { errors, type KoaContextWithOIDC } from 'oidc-provider'
import type { Api, AuthorizationDetail } from '#apis'
import type { App } from '#catalog'
import { parseDuration } from '#core/duration'
import type { Policies, TokenLimits } from '#policy'
import { SIGN_IN_SCOPES } from './account.ts'
import type { Detailed } from './asked-details.ts'
import { LIFETIMES } from './lifetimes.ts'
import type { Asked } from './question.ts'
import { grantedScopes } from './resources.ts'
import { stricter, strictestOf } from './stricter-limits.ts'

/** What becomes an access token: of a person, or of a machine. */
export type Token = InstanceType<Provider['AccessToken'] | Provider['ClientCredentials']>

interface Kept extends TokenLimits {
  /** Which policy, in which version, said so. */
  readonly by: string
}
interface Code {
  limits?: Kept
}

const NONE: ReadonlySet<string> = new Set()

const byline = (policies: readonly (string | undefined)[], version: string): string => [...policies, version].join(' ')

/** To be called before the engine writes the code down. Where no rule says anything about tokens nothing is kept. */
export function keepLimits(code: object, { question, verdict, apis }: Asked, policies: Policies): void {
  const names = [question.app?.policy, ...apis.policies]
  if (!names.some((policy) => policies.tokenLimitsOf(policy))) return
  const { scopes, token } = stricter(apis.limits, verdict.decision)
  const by = byline(names, verdict.decision.versions.policies)
  const kept = { by, ...(scopes && { scopes }), ...(token && { token }) }
  Object.assign(code, { limits: kept } satisfies Code)
}

/**
 * For the token of a code. INVARIANT: never weaker than the policies in force. Where others decided, since some were
 * published in between, nobody asks the person again: the strictest of those in force holds.
 */
export function limitsOfCode(code: object, names: readonly (string | undefined)[], policies: Policies): TokenLimits {
  const { limits: kept } = code as Code
  if (kept?.by === byline(names, policies.version)) return kept
  return strictestOf(names, policies)
}

/** Throws where a token should be good for something and nothing is left (RFC 6749 §5.2). */
export function applyLimits(token: Token, { scopes, token: life }: TokenLimits): void {
  // `max` shortens, and never lengthens
  const longest = token.resourceServer?.accessTokenTTL ?? LIFETIMES[token.kind]
  if (life) Object.assign(token, { expiresIn: Math.min(longest, parseDuration(life.max)! / 1000) })
  else if (token.resourceServer) Object.assign(token, { expiresIn: longest })
  if (!scopes) return
  const details = cutDetails(token, scopes)
  if (!token.scope) {
    if (details?.length === 0) throw new errors.InvalidAuthorizationDetails('none of them is allowed')
    return
  }
  const spared = token.kind === 'AccessToken' ? SIGN_IN_SCOPES : NONE
  const may = (scope: string) => spared.has(scope) || scopes.includes(scope)
  if (details?.length && !token.scope.split(' ').some(may)) Object.assign(token, { scope: undefined })
  else token.scope = cut(token.scope, may)
}

/** A rule names types of authorization details among the scopes, of which a token has at most these. */
function cutDetails(token: Token, allowed: readonly string[]): readonly AuthorizationDetail[] | undefined {
  const { rar } = token as Detailed
  const left = rar?.filter(({ type }) => allowed.includes(type))
  if (left && left.length < rar!.length) Object.assign(token, { rar: left.length > 0 ? left : undefined })
  return left
}

/**
 * What a program gets of the scopes that it asks for, before any rule: those that it is registered with. The engine, which
 * knows none of an API, has dropped them from the token by then, and left those of a sign-in.
 */
export const registeredScopes = (asked: string, app: App | undefined): string =>
  cut(asked, (scope) => app?.oidc?.scopes.includes(scope) ?? false)

/** The same of an API; whoever asks for nothing in particular gets all that the client may have (RFC 6749 §3.3). */
export function scopesOfApi(asked: string | undefined, api: Api, app: App | undefined): string {
  const granted = grantedScopes(app, api) ?? []
  return cut(asked ?? granted.join(' '), (scope) => granted.includes(scope))
}

/** RFC 6749 §3.3: case-sensitive, in any order; what is left is told in the answer. */
function cut(scope: string, may: (scope: string) => boolean): string {
  const left = [...new Set(scope.split(' '))].filter(may)
  if (left.length === 0) throw new errors.InvalidScope('none of the requested scopes is allowed', scope)
  return left.join(' ')
}

/**
 * Has `before` called for each token, before the engine works out anything of it; its own question
 * (`extraTokenClaims`) comes when scopes and times have been written down already. And lets codes keep what they are told.
 */
export function beforeEachToken(
  engine: Provider,
  before: (ctx: KoaContextWithOIDC | undefined, token: Token) => Promise<void>,
): void {
  for (const { prototype } of [engine.AccessToken, engine.ClientCredentials]) {
    const { save } = prototype
    prototype.save = async function (this: Token) {
      await before(Provider.ctx, this)
      return save.call(this)
    }
  }
  for (const Code of [engine.AuthorizationCode, engine.DeviceCode, engine.BackchannelAuthenticationRequest])
    Object.defineProperty(Code, 'IN_PAYLOAD', { value: [...Code.IN_PAYLOAD, 'limits' satisfies keyof Code] })
}
