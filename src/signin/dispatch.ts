/** The one place that chooses what happens next. Pure: the same situation gives the same step. */
import type { Verdict } from '#access'
import { days, type Instant, minutes } from '#core/clock'
import { parseDuration } from '#core/duration'
import type { FactorKind } from '#factors'
import type { Session } from '#sessions'
import type { Demand, Errand, Way } from './errand.ts'

/** Everything the dispatcher may look at. */
export interface Situation {
  readonly now: Instant
  readonly errand: Errand
  /** The session that counts for this errand. */
  readonly session: Session | undefined
  readonly verdict: Verdict
  /** Kinds the person behind the session has; empty before anybody is known. */
  readonly enrolled: readonly FactorKind[]
  /** Kinds that would help and that this person may add here and now. */
  readonly enrollable: readonly FactorKind[]
  /** The provider that the session began with, and where what is missing is asked. */
  readonly provider?: { readonly id: string; readonly stepUp: 'here' | 'there' } | undefined
}

export type StepName =
  | 'identifier'
  /** To another provider. */
  | 'away'
  /** Came from there, and nobody here knows them. */
  | 'newcomer'
  | 'connect'
  | 'password'
  | 'new-password'
  | 'passkey'
  | 'totp'
  | 'recovery-code'
  | 'enrol-choice'
  | 'enrol-passkey'
  | 'enrol-totp'
  | 'consent'
  | 'refused'
  /** Allowed, or given up: the browser goes back to where it came from. */
  | 'leave'

/** Easiest for the person first; a recovery code only when asked for or nothing else is left. */
const LIKING: readonly FactorKind[] = ['passkey', 'totp', 'password', 'recovery-code']

/** What was given so recently on this errand and did not suffice will not suffice when given again. */
const JUST_NOW = minutes(1)

/** Ways in which the next proof can be given, best first. Empty: this person cannot meet what is asked. */
export function possibleWays(situation: Omit<Situation, 'enrollable'>): readonly Way[] {
  const { verdict, session, enrolled, errand, now } = situation
  if (!session) return ['password', 'passkey']
  const tried = (kind: string) =>
    errand.session === session.id &&
    session.authenticated.some(({ factor, at }) => factor === kind && at >= errand.startedAt && at > now - JUST_NOW)
  const usable = verdict.decision.missing.filter((combination) =>
    combination.every((factor) => enrolled.includes(factor as FactorKind) && !tried(factor)),
  )
  const next = new Set(usable.flatMap((combination) => combination as FactorKind[]))
  const own = LIKING.filter((kind) => next.has(kind))
  if (!mayGoBack(situation)) return own
  return situation.provider!.stepUp === 'there' ? ['upstream', ...own] : [...own, 'upstream']
}

/** Only ever more than policy needs. */
export function demandOf({ errand, verdict }: Pick<Situation, 'errand' | 'verdict'>): Demand {
  const { required } = verdict.decision
  const within = required?.within === undefined ? undefined : (parseDuration(required.within) ?? 0) / 1000
  const { fresh, max_age: age } = errand.wanted ?? {}
  const ages = [within, fresh ? 0 : undefined, age].filter((one) => one !== undefined)
  return {
    ...(ages.length > 0 ? { maxAge: Math.min(...ages) } : {}),
    ...(required ? { strength: required.strength } : {}),
  }
}

/**
 * Whether the provider that somebody came from could give what is missing: what the settings ask there, and a sign-in
 * that is only too old. Once: what it has not given it will not give.
 */
function mayGoBack(situation: Omit<Situation, 'enrollable'>): boolean {
  const { verdict, errand, provider } = situation
  if (!provider || errand.connecting || verdict.outcome !== 'challenge') return false
  if (errand.cameFrom === provider.id && !wasAskedLess(situation)) return false
  if (provider.stepUp === 'there') return true
  const { wanted } = verdict.facts.request ?? {}
  return verdict.decision.required?.within !== undefined || wanted?.fresh === true || wanted?.max_age !== undefined
}

/**
 * Whoever set out was nobody yet, and what rules ask of nobody is what all of them ask: so the provider may have been asked
 * for less than is needed of the one who came. Then it is asked once more, on an errand that asks it twice at most.
 */
function wasAskedLess(situation: Omit<Situation, 'enrollable'>): boolean {
  const { errand, session, provider, now } = situation
  const { asked } = errand
  if (!asked || asked.again) return false
  const { maxAge, strength } = demandOf(situation)
  const proof = session?.authenticated.find(({ factor }) => factor === 'upstream')
  const tooOld = maxAge !== undefined && proof !== undefined && proof.at < now - maxAge * 1000
  if (tooOld && maxAge < (asked.maxAge ?? Number.POSITIVE_INFINITY)) return true
  return provider?.stepUp === 'there' && strength !== undefined && strength !== asked.strength
}

/** For how many days the rule that decided would spare a device the second factor; undefined: it would not. */
export function rememberDays({ decision }: Pick<Verdict, 'decision'>): number | undefined {
  const length = decision.remember_device === undefined ? undefined : parseDuration(decision.remember_device)
  return length ? length / days(1) : undefined
}

export function nextStep(situation: Situation): StepName {
  const { errand, session, verdict, enrollable } = situation
  if (errand.outcome) return 'leave'
  if (errand.arrived && !errand.connecting) return 'newcomer'
  if (verdict.outcome === 'deny') return 'refused'
  if (errand.goTo !== undefined) return 'away'
  if (errand.connecting && session && errand.session === session.id && verdict.outcome === 'allow') return 'connect'
  if (verdict.outcome === 'allow') return errand.consent ? 'consent' : 'leave'
  const password = errand.toRenew ? 'new-password' : 'password'
  if (!session) {
    if (errand.way === 'passkey') return 'passkey'
    return errand.username === undefined ? 'identifier' : password
  }
  const ways = possibleWays(situation)
  const way = errand.way && ways.includes(errand.way) ? errand.way : ways[0]
  if (way === 'upstream') return 'away'
  if (way) return way === 'password' ? password : way
  if (enrollable.length === 0) return 'refused'
  if (errand.enrolling === 'passkey' && enrollable.includes('passkey')) return 'enrol-passkey'
  if (errand.enrolling === 'totp' && enrollable.includes('totp')) return 'enrol-totp'
  return 'enrol-choice'
}

/** The provider to which `away` leads. */
export const destinationOf = ({ errand, provider }: Pick<Situation, 'errand' | 'provider'>): string | undefined =>
  errand.goTo ?? provider?.id
