/** Whether people could reach the console under policies that are not in force yet, judged as the gate would. */
import { hours, type Instant } from '#core/clock'
import type { Person } from '#directory'
import type { EnrolledFactor } from '#factors'
import { CONSOLE_POLICY, countries, decide, type Facts, letsStay, type Policies, valuesOf } from '#policy'
import type { Device, Enrolled, EnrolledDevice, Proof, Session } from '#sessions'
import { factsOf } from './facts.ts'
import type { Question } from './question.ts'

/** The policy about changing how one signs in. */
const ACCOUNT_POLICY = 'account'
export const ENTRANCES: readonly string[] = [CONSOLE_POLICY, ACCOUNT_POLICY]
/** Documentation addresses (RFC 5737): somewhere else, where no network of the policies has them. */
const ELSEWHERE = ['203.0.113.200', '198.51.100.250', '192.0.2.250']
/** A week, so that a rule about working hours is met in at least one of them. */
const TIMES = Array.from({ length: 42 }, (_, i) => hours(4) * i)
const A_DAY = 6
const SECOND: readonly string[] = ['passkey', 'totp', 'recovery-code']
/** No journey and no counts, as of somebody who signs in for the first time; and from no other identity provider. */
const NOTHING_BEFORE: Facts['history'] = {
  previous: null,
  countries: [],
  sign_ins: [],
  failures: [],
  app_opens: [],
  prompts: [],
}

export interface Candidate {
  readonly person: Person
  readonly enrolled: readonly EnrolledFactor[]
  /** On some device they are known already. */
  readonly known: boolean
}

export interface Reaching {
  /** Somebody without a second factor may add one on the way, where the policy for accounts lets them. */
  readonly mayEnrol: boolean
  /** Devices of the organisation that there are. */
  readonly devices: readonly EnrolledDevice[]
  /** What to try of a fact, by its path. */
  values(fact: string): readonly unknown[]
  /** How many places, devices and times may still be tried; `cut` once some of somebody's were not. */
  readonly budget?: { left: number; cut: boolean }
}

/** The same for everybody: rules are looked through once, and only where the likeliest places and times will not do. */
export function reachingUnder(policies: Policies, how: Pick<Reaching, 'mayEnrol' | 'devices'>): Reaching {
  let values: Reaching['values'] | undefined
  return {
    ...how,
    values(fact) {
      values ??= valuesOf(policies, ENTRANCES)
      return values(fact)
    },
  }
}

/**
 * True when there is a place among the named networks (or outside all of them, in some country), a device (known or new,
 * enrolled or not) and a time of the week in which this person is let in after giving everything they have enrolled.
 */
export function canReachConsole(
  policies: Policies,
  { person, enrolled, known }: Candidate,
  now: Instant,
  how: Reaching,
): boolean {
  if (person.disabled) return false
  const kinds = enrolled.filter(({ left }) => left !== 0)
  const has = kinds.map(({ kind, hardware }) => ({ factor: kind, ...(hardware ? { hardware } : {}) }))
  const added = how.mayEnrol && has.length > 0 && !has.some(({ factor }) => SECOND.includes(factor))
  const opensIn = (situation: Situation, kind: Question['kind'], policy: string, proofs: typeof has) =>
    letsStay(
      decide(policies, factsIn(situation, { kind, policy, session: sessionOf(person, proofs, situation) }, person)),
    )
  let becomesKnown: boolean | undefined = known || undefined
  /** A device becomes known where somebody is let in on one that is not. */
  const isKnown = () => {
    becomesKnown ??= opensNew()
    return becomesKnown
  }
  const opensNew = () => {
    for (const one of situations(policies, now, how))
      if (!one.device && opensIn(one, 'app', ACCOUNT_POLICY, has)) return true
    return false
  }
  for (const situation of situations(policies, now, how)) {
    const opens = (kind: Question['kind'], policy: string, proofs: typeof has) =>
      opensIn(situation, kind, policy, proofs) && (!situation.device || isKnown())
    if (opens('admin', CONSOLE_POLICY, has)) return true
    if (!added || !opens('account', ACCOUNT_POLICY, has)) continue
    if ((['passkey', 'totp'] as const).some((factor) => opens('admin', CONSOLE_POLICY, [...has, { factor }])))
      return true
  }
  return false
}

interface Situation extends Pick<Question, 'address' | 'startedAt' | 'device' | 'enrolled'> {
  readonly country: string | undefined
  readonly platform?: string
}

/** Some tenths of a second for each person. */
const MOST_SITUATIONS = 20_000

/** The likeliest first. */
function* situations(policies: Policies, now: Instant, how: Reaching): Generator<Situation> {
  const { budget } = how
  const spent = (): boolean => budget !== undefined && budget.left-- <= 0
  for (const situation of ordinary(policies, now)) {
    if (spent()) return
    yield situation
  }
  let left = MOST_SITUATIONS
  for (const situation of whatRulesTellApart(policies, now, how)) {
    if (left-- <= 0 && budget) budget.cut = true
    if (left < 0 || spent()) return
    yield situation
  }
}

function* whatRulesTellApart(policies: Policies, now: Instant, { devices, values }: Reaching): Generator<Situation> {
  const of = <T>(fact: string, otherwise: T): T[] => [otherwise, ...(values(fact) as T[])]
  const first = [...policies.zones.values()][0]?.sample ?? ''
  // of thousands of tablets one for each site that matters
  const sites = new Set(values('device.site'))
  const alike = new Map(devices.map((one) => [`${one.kind} ${sites.has(one.site) ? one.site : ''}`, one]))
  const enrolled: Enrolled[] = policies.needs.has('enrolment') ? [null, ...alike.values()] : [null]
  for (const address of of('network.ip', first))
    for (const startedAt of of('at', now))
      for (const country of of<string | undefined>('network.country', undefined))
        for (const one of enrolled)
          for (const platform of of('device.platform', ''))
            for (const device of [KNOWN, undefined])
              yield { address, startedAt, country, enrolled: one, platform, device }
}

const KNOWN: Device = { id: 'known', label: '', createdAt: 0, lastSeenAt: 0 }

function* ordinary({ zones, needs }: Policies, now: Instant): Generator<Situation> {
  const named = [...zones.values()]
  const outside = ELSEWHERE.find((address) => !named.some((zone) => zone.contains(address)))
  const addresses = [...(outside ? [outside] : []), ...named.map(({ sample }) => sample).filter(Boolean)]
  for (const later of TIMES)
    for (const device of [KNOWN, undefined])
      for (const address of addresses)
        yield { address, startedAt: now + later, device, enrolled: null, country: undefined }
  // of a network the file may say where it is; outside of them anybody may be anywhere
  if (!outside || !(needs.has('place') || needs.has('travel'))) return
  for (const country of countries())
    for (const later of TIMES.slice(0, A_DAY))
      for (const device of [KNOWN, undefined])
        yield { address: outside, startedAt: now + later, device, enrolled: null, country }
}

function factsIn(
  { address, startedAt, device, enrolled, country, platform }: Situation,
  question: Pick<Question, 'kind' | 'policy' | 'session'>,
  person: Person,
): Facts {
  const around = {
    history: NOTHING_BEFORE,
    upstream: null,
    ...(country ? { place: { country } } : {}),
    ...(platform ? { platform } : {}),
  }
  return factsOf({ ...question, device, enrolled, address, startedAt }, person, startedAt, around)
}

/** A session in which everything was given in this moment. */
function sessionOf(
  person: Person,
  proofs: readonly { readonly factor: string; readonly hardware?: boolean }[],
  { startedAt: at, address }: Situation,
): Session {
  const authenticated = proofs.map(
    (proof): Proof => ({ ...proof, at, amr: [], ...(proof.factor === 'passkey' ? { userVerified: true } : {}) }),
  )
  return {
    id: '',
    personId: person.id,
    startedAt: at,
    lastSeenAt: at,
    idleEndsAt: at,
    endsAt: at,
    authenticated,
    address,
    apps: [],
  }
}
