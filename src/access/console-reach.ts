/** Whether people could reach the console under policies that are not in force yet, judged as the gate would. */
import { hours, type Instant } from '#core/clock'
import type { Person } from '#directory'
import type { EnrolledFactor } from '#factors'
import { CONSOLE_POLICY, COUNTRIES, decide, type Facts, type Policies } from '#policy'
import type { Device, Proof, Session } from '#sessions'
import { factsOf } from './facts.ts'
import type { Question } from './question.ts'

/** The policy about changing how one signs in. */
const ACCOUNT_POLICY = 'account'
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
}

/**
 * True when there is a place among the named networks (or outside all of them, in some country), a device (known or new)
 * and a time of the week in which this person is let in after giving everything they have enrolled.
 * `mayEnrol`: somebody without a second factor may add one on the way, where the policy for accounts lets them.
 */
export function canReachConsole(
  policies: Policies,
  { person, enrolled }: Candidate,
  now: Instant,
  { mayEnrol }: { readonly mayEnrol: boolean },
): boolean {
  if (person.disabled) return false
  const kinds = enrolled.filter(({ left }) => left !== 0)
  const has = kinds.map(({ kind, hardware }) => ({ factor: kind, ...(hardware ? { hardware } : {}) }))
  const added = mayEnrol && has.length > 0 && !has.some(({ factor }) => SECOND.includes(factor))
  for (const situation of situations(policies, now)) {
    const opens = (kind: Question['kind'], policy: string, proofs: typeof has) =>
      decide(policies, factsIn(situation, { kind, policy, session: sessionOf(person, proofs, situation) }, person))
        .outcome === 'allow'
    if (opens('admin', CONSOLE_POLICY, has)) return true
    if (!added || !opens('account', ACCOUNT_POLICY, has)) continue
    if ((['passkey', 'totp'] as const).some((factor) => opens('admin', CONSOLE_POLICY, [...has, { factor }])))
      return true
  }
  return false
}

interface Situation extends Pick<Question, 'address' | 'startedAt' | 'device'> {
  readonly country: string | undefined
}

/** The likeliest first. */
function* situations({ zones, needs }: Policies, now: Instant): Generator<Situation> {
  const named = [...zones.values()]
  const outside = ELSEWHERE.find((address) => !named.some((zone) => zone.contains(address)))
  const addresses = [...(outside ? [outside] : []), ...named.map(({ sample }) => sample).filter(Boolean)]
  const known: Device = { id: 'known', label: '', createdAt: now, lastSeenAt: now }
  for (const later of TIMES)
    for (const device of [known, undefined])
      for (const address of addresses) yield { address, startedAt: now + later, device, country: undefined }
  // of a network the file may say where it is; outside of them anybody may be anywhere
  if (!outside || !(needs.has('place') || needs.has('travel'))) return
  for (const country of COUNTRIES)
    for (const later of TIMES.slice(0, A_DAY))
      for (const device of [known, undefined]) yield { address: outside, startedAt: now + later, device, country }
}

function factsIn(
  { address, startedAt, device, country }: Situation,
  question: Pick<Question, 'kind' | 'policy' | 'session'>,
  person: Person,
): Facts {
  const around = { history: NOTHING_BEFORE, upstream: null, ...(country ? { place: { country } } : {}) }
  return factsOf({ ...question, device, address, startedAt }, person, startedAt, around)
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
