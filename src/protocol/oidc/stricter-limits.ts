/** What several policies say about one token. */
import { parseDuration } from '#core/duration'
import type { Policies, TokenLimits } from '#policy'

/** What two decisions say about one token. */
export function stricter(one: TokenLimits, other: TokenLimits): TokenLimits {
  const scopes =
    one.scopes && other.scopes
      ? one.scopes.filter((scope) => other.scopes!.includes(scope))
      : (one.scopes ?? other.scopes)
  const lives = [one.token, other.token].filter((life) => life !== undefined)
  const [shortest] = lives.sort((a, b) => parseDuration(a.max)! - parseDuration(b.max)!)
  return { ...(scopes && { scopes }), ...(shortest && { token: shortest }) }
}

/** Where nobody can tell which rule would decide. */
export const strictestOf = (names: readonly (string | undefined)[], policies: Policies): TokenLimits =>
  names.map((name) => policies.tokenLimitsOf(name) ?? {}).reduce(stricter, {})
