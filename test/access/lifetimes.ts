/** How long a factor counts, worked out from docs/policy.md and with nothing of the policy room: what a judge would say. */
import { minutes } from '#core/clock'

export const LENGTHS = {
  '0s': 0,
  '10m': minutes(10),
  '1h': minutes(60),
  '4h': minutes(240),
  '12h': minutes(720),
} as const
const REMEMBER = { '1h': minutes(60), '3d': minutes(3 * 24 * 60) } as const
type Length = keyof typeof LENGTHS

/** `allow` of a rule, as it is written. */
export interface Rule {
  readonly strength?: string
  readonly within?: Length
  readonly remember_device?: keyof typeof REMEMBER
  readonly session?: { readonly idle?: Length; readonly max?: Length; readonly ends?: Ends }
}
/** In UTC, so that this file needs no time zones. */
export interface Ends {
  readonly at: string
  readonly zone: string
}

export interface Given {
  readonly factor: string
  readonly at?: number
  readonly verified?: boolean
  readonly hardware?: boolean
}

export interface Asked {
  readonly every: readonly string[]
  /** One of these as well. */
  readonly one: readonly string[]
  readonly within: number | undefined
  readonly fresh: boolean
  readonly remember: number | undefined
  readonly idle: number | undefined
  readonly max: number | undefined
  readonly ends: Ends | undefined
}

const least = (times: readonly (number | undefined)[]): number | undefined => {
  const set = times.filter((time) => time !== undefined)
  return set.length === 0 ? undefined : Math.min(...set)
}

/** Both rules hold, part by part, and what the app asks comes on top. */
export function asksOf(
  rules: readonly Rule[],
  wanted: { max_age?: number; fresh?: boolean; strength?: readonly string[] } | undefined,
): Asked {
  const times = rules.map(({ within }) => (within === undefined ? undefined : LENGTHS[within]))
  const age = wanted?.max_age === undefined ? [] : [wanted.max_age * 1000]
  const remembering = rules.every((rule) => rule.remember_device !== undefined)
  return {
    // signing in again takes what a session begins with
    every: [...rules.map(({ strength = 'any' }) => strength), ...(wanted?.fresh ? ['begins'] : [])],
    one: wanted?.strength ?? [],
    within: least([...times.filter((time) => time !== 0), ...age]),
    fresh: times.includes(0) || wanted?.fresh === true,
    remember: remembering ? least(rules.map((rule) => REMEMBER[rule.remember_device!])) : undefined,
    idle: least(rules.map(({ session }) => session?.idle && LENGTHS[session.idle])),
    max: least(rules.map(({ session }) => session?.max && LENGTHS[session.max])),
    ends: rules.find(({ session }) => session?.ends)?.session?.ends,
  }
}

/** The last such moment. */
export function endBefore({ at }: Ends, now: number): number {
  const today = Date.parse(`${new Date(now).toISOString().slice(0, 10)}T${at}:00Z`)
  return today <= now ? today : today - minutes(24 * 60)
}

export interface Counting {
  readonly given: readonly Given[]
  /** A second factor is remembered here, and may be. */
  readonly device: boolean
  readonly now: number
  readonly startedAt: number
}

const counts = (asked: Asked, at: number, { now, startedAt }: Counting): boolean =>
  (asked.within === undefined || now - at <= asked.within) &&
  (!asked.fresh || at >= startedAt) &&
  (asked.max === undefined || now - at < asked.max) &&
  (asked.ends === undefined || at >= endBefore(asked.ends, now))

function meets(strength: string, given: readonly Given[], device: boolean): boolean {
  const has = (...names: string[]) => given.some(({ factor }) => names.includes(factor))
  const passkeys = given.filter(({ factor }) => factor === 'passkey')
  const second = device || has('passkey', 'totp', 'recovery-code')
  switch (strength) {
    case 'any':
      return given.length > 0
    case 'two-factors':
      return (has('password') && second) || passkeys.some(({ verified }) => verified)
    case 'phishing-resistant':
      return passkeys.length > 0
    case 'hardware':
      return passkeys.some(({ hardware }) => hardware)
    default:
      return has('passkey', 'password')
  }
}

export function stillMet(asked: Asked, counting: Counting): boolean {
  const alive = counting.given.filter(({ at }) => counts(asked, at!, counting))
  const met = (strength: string) => meets(strength, alive, counting.device)
  return asked.every.every(met) && (asked.one.length === 0 || asked.one.some(met))
}

const BEST: readonly Given[] = [
  { factor: 'passkey', verified: true, hardware: true },
  { factor: 'password' },
  { factor: 'totp' },
  { factor: 'recovery-code' },
]

/** How many factors would have to be given now, at best. */
export function fewest(asked: Asked, counting: Counting): number {
  const sizes = Array.from({ length: 1 << BEST.length }, (_, set) => {
    const more = BEST.filter((_one, i) => set & (1 << i)).map((one) => ({ ...one, at: counting.now }))
    return stillMet(asked, { ...counting, given: [...counting.given, ...more] })
      ? more.length
      : Number.POSITIVE_INFINITY
  })
  return Math.min(...sizes)
}

/** Of factors that are asked for, those without which it would be enough. */
export function needless(asked: Asked, counting: Counting, set: readonly string[]): string[] {
  const best = (factor: string) => BEST.find((one) => one.factor === factor) ?? { factor }
  return set.filter((factor) => {
    const others = set.filter((one) => one !== factor).map((one) => ({ ...best(one), at: counting.now }))
    return stillMet(asked, { ...counting, given: [...counting.given, ...others] })
  })
}
