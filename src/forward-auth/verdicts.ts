/**
 * The verdict on each request of a browser that has opened the app: judged again whenever anything it rests on has changed,
 * and a second later at the latest.
 *
 * All of it is asked for as of the beginning of the request, whichever process changed it. App and policies are new objects when
 * they change; session and person are the same ones for as long as nobody has written them, where the storage can tell, and are
 * compared otherwise. What only time changes (`within`, hours, counts, a device that is forgotten) is the reason for the second.
 */
import type { Question, Verdict } from '#access'
import type { App, AppRule } from '#catalog'
import { type Instant, minutes, seconds } from '#core/clock'
import { randomNumber } from '#core/random'
import { createRecent } from '#core/recent'
import type { Person } from '#directory'
import type { Session } from '#sessions'
import { type Soon, settled } from '#storage'
import { createIdentities, type Identity } from './identity.ts'
import type { AppKey } from './keys-to-apps.ts'
import type { ForwardAuthOptions } from './options.ts'

/** So long a verdict may be taken for the next request's. */
const JUDGED_AGAIN = seconds(1)
/** The same refusal, again and again, leaves a receipt once in so long. */
const REFUSED_AGAIN = minutes(1)
/** At least so many verdicts are kept, and at most twice as many. */
const KEPT = 10_000

export interface Judged {
  readonly verdict: Verdict
  /** Only where the answer is allow. */
  readonly identity: Identity | undefined
}

interface Kept extends Judged {
  readonly basis: Basis
  readonly judgedAt: Instant
  /** Less than `JUDGED_AGAIN` later. */
  readonly judgedUntil: Instant
  readonly recordedAt: Instant
}

interface Basis {
  readonly app: App
  readonly policies: unknown
  readonly address: string
  readonly session: Session
  readonly person: Person
}

export interface Visit {
  readonly app: App
  readonly rule: AppRule
  readonly key: AppKey
  readonly session: Session
  readonly person: Person
  readonly address: string
}

/** What a rule of the app adds to its policy. */
export const termsOf = ({ strength, policy }: AppRule): Pick<Question, 'policy' | 'wanted'> => ({
  ...(policy === undefined ? {} : { policy }),
  ...(strength === undefined ? {} : { wanted: { strength: [strength] } }),
})

export function createVerdicts(rooms: ForwardAuthOptions) {
  const { access, clock, devices } = rooms
  const identities = createIdentities(rooms)
  const kept = createRecent<string, Kept>(KEPT)
  const judging = new Map<string, { readonly basis: Basis; readonly done: Promise<Kept> }>()

  async function questionOf({ app, rule, key, session, person, address }: Visit): Promise<Question> {
    return {
      kind: 'app',
      app,
      ...termsOf(rule),
      session,
      person,
      // what the browser brings to the app's host are none of our cookies: it is where its session was seen last
      device: session.deviceId === undefined ? undefined : await devices.byId(session.deviceId, person.id),
      enrolled: await access.enrolled.ofSession(session),
      address,
      startedAt: key.since,
    }
  }

  async function judge(visit: Visit, basis: Basis, before: Kept | undefined): Promise<Kept> {
    const question = await questionOf(visit)
    const now = clock.now()
    const seen = before && before.basis.app === basis.app ? await access.preview(question) : undefined
    const known =
      seen && isSame(seen, before!.verdict) && (seen.outcome === 'allow' || now - before!.recordedAt < REFUSED_AGAIN)
    const verdict = known ? { ...seen, reference: before!.verdict.reference } : await access.ask(question)
    const person = verdict.person
    const identity =
      verdict.outcome === 'allow' && person
        ? await identities.of(
            { app: visit.app, origin: visit.key.origin, session: visit.session, person },
            verdict,
            // ATTACK: an app that reads a header more would go on believing the client's
            before?.basis.app === basis.app ? before.identity : undefined,
          )
        : undefined
    // INVARIANT: what others are told as well rests on a receipt that is on the disk
    await settled()
    // up to a quarter sooner, each by another: those that a change has made stale together must not stay together for ever
    const judgedUntil = now + JUDGED_AGAIN * (1 - (randomNumber() % 256) / 1024)
    return { basis, verdict, identity, judgedAt: now, judgedUntil, recordedAt: known ? before!.recordedAt : now }
  }

  function by(policies: unknown, visit: Visit, id: string): Soon<Judged> {
    const { app, session, person, address } = visit
    const basis: Basis = { app, policies, address, session, person }
    const before = kept.get(id)
    if (before && isCurrent(before, basis, clock.now())) {
      if (!before.identity || identities.isYoung(before.identity)) return before
    }
    const other = judging.get(id)
    return other && isAlike(other.basis, basis) ? other.done : judgeOnce(visit, basis, before, id)
  }

  async function judgeOnce(visit: Visit, basis: Basis, before: Kept | undefined, id: string): Promise<Judged> {
    const done = judge(visit, basis, before)
    judging.set(id, { basis, done })
    try {
      const judged = await done
      kept.set(id, judged)
      return judged
    } finally {
      if (judging.get(id)?.done === done) judging.delete(id)
    }
  }

  return {
    /** Who is asked about must be the session's person, and not switched off. */
    of(visit: Visit, id: string): Soon<Judged> {
      const policies = access.policies.latest()
      return policies instanceof Promise ? policies.then((now) => by(now, visit, id)) : by(policies, visit, id)
    },
  }
}

const isCurrent = ({ basis, judgedAt, judgedUntil }: Kept, now: Basis, at: Instant): boolean =>
  at >= judgedAt && at < judgedUntil && isAlike(basis, now)

const isAlike = (a: Basis, b: Basis): boolean =>
  a.app === b.app &&
  a.policies === b.policies &&
  a.address === b.address &&
  (a.session === b.session || judgedBy(a.session) === judgedBy(b.session)) &&
  (a.person === b.person || JSON.stringify(a.person) === JSON.stringify(b.person))

/** What a rule can look at; that somebody was there a moment ago is not among it. */
const judgedBy = ({ startedAt, authenticated, deviceId, enrolledId }: Session): string =>
  JSON.stringify([startedAt, authenticated, deviceId, enrolledId])

/** Nothing new to write down: the same rule of the same policies says the same. */
const isSame = (a: Verdict, b: Verdict): boolean =>
  a.outcome === b.outcome &&
  a.decision.policy === b.decision.policy &&
  a.decision.rule === b.decision.rule &&
  a.decision.versions.policies === b.decision.versions.policies

export type Verdicts = ReturnType<typeof createVerdicts>
