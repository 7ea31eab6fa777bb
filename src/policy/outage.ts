/**
 * The rule that no file writes for people whose directory cannot be asked: what its settings declare for that time
 * stands in `user.outage`, and everything else stays closed. It only ever denies, so nothing becomes weaker by it.
 *
 * `app.tier: null` is known to be no app: Portico's own pages for looking.
 */
import type { Facts } from './facts.ts'
import { instant } from './instants.ts'
import type { ConditionTrace } from './said.ts'

/** What lasts longer than an outage, or reaches others, waits: the consoles, and changing how somebody signs in. */
const OPEN_KINDS: readonly string[] = ['app', 'sign-in', 'api']

export interface OutageSaid {
  readonly closed: boolean
  readonly condition: ConditionTrace
}

/** Undefined where the person's directory answers. What is not told closes. */
export function judgeOutage({ at, user, app, request }: Facts): OutageSaid | undefined {
  const outage = user?.outage
  if (!outage) return undefined
  const now = instant(at)
  const until = instant(outage.until)
  const { kind } = request ?? {}
  const tier = app?.tier
  const inTime = now !== undefined && until !== undefined && now < until
  const low = tier === null || (tier !== undefined && (outage.tiers ?? []).includes(tier))
  const closed = !(inTime && low && kind !== undefined && OPEN_KINDS.includes(kind))
  const wanted = {
    'request.kind': { none: OPEN_KINDS },
    'app.tier': { none: outage.tiers ?? [] },
    ...(outage.until === undefined ? {} : { until: outage.until }),
  }
  const seen = { ...(kind && { kind }), ...(tier === undefined ? {} : { tier }), ...outage }
  return { closed, condition: { condition: 'user.outage', wanted, seen, result: closed } }
}
