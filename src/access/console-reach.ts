/** Whether people could reach the console under policies that are not in force yet, judged as the gate would. */
import type { Instant } from '#core/clock'
import { hours } from '#core/clock'
import type { Person } from '#directory'
import type { EnrolledFactor } from '#factors'
import { decide, type Policies } from '#policy'
import type { Device, Proof, Session } from '#sessions'
import { gatherFacts } from './facts.ts'
import type { Question } from './question.ts'

/** The policy that decides about the console, by its name in `policies/`. */
export const CONSOLE_POLICY = 'administrators'
/** And the one about changing how one signs in. */
const ACCOUNT_POLICY = 'account'
/** Documentation addresses (RFC 5737): somewhere else, where no network of the policies has them. */
const ELSEWHERE = ['203.0.113.200', '198.51.100.250', '192.0.2.250']
/** A week, so that a rule about working hours is met in at least one of them. */
const TIMES = Array.from({ length: 42 }, (_, i) => hours(4) * i)
const SECOND: readonly string[] = ['passkey', 'totp', 'recovery-code']

export interface Candidate {
  readonly person: Person
  readonly enrolled: readonly EnrolledFactor[]
}

/**
 * True when there is a place among the named networks (or outside all of them), a device (known or new) and a time of
 * the week in which this person is let in after giving everything they have enrolled.
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
  return situations(policies, now).some((situation) => {
    const opens = (kind: Question['kind'], policy: string, proofs: typeof has) => {
      const session = sessionOf(person, proofs, situation)
      const facts = gatherFacts({ kind, policy, session, ...situation }, person, situation.startedAt)
      return decide(policies, facts).outcome === 'allow'
    }
    if (opens('admin', CONSOLE_POLICY, has)) return true
    return (
      added &&
      opens('account', ACCOUNT_POLICY, has) &&
      (['passkey', 'totp'] as const).some((factor) => opens('admin', CONSOLE_POLICY, [...has, { factor }]))
    )
  })
}

type Situation = Pick<Question, 'address' | 'startedAt' | 'device'>

/** The likeliest first. */
function situations({ zones }: Policies, now: Instant): Situation[] {
  const named = [...zones.values()]
  const outside = ELSEWHERE.find((address) => !named.some((zone) => zone.contains(address)))
  const addresses = [...(outside ? [outside] : []), ...named.map(({ sample }) => sample).filter(Boolean)]
  const known: Device = { id: 'known', label: '', createdAt: now, lastSeenAt: now }
  return TIMES.flatMap((later) =>
    [known, undefined].flatMap((device) => addresses.map((address) => ({ address, startedAt: now + later, device }))),
  )
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
