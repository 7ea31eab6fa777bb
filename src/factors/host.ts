/** The host of all factors: throttling, one-time challenges, pending enrolments and the trail are here, once. */
import type { Audit } from '#audit'
import type { Instant } from '#core/clock'
import type { Log } from '#core/log'
import { Refusal } from '#core/refusal'
import type { RefusalCode } from '#core/refusals'
import type { Records } from '#storage'
import { createChallenges } from './challenge.ts'
import type { EnrolledFactor, Enrolling, Factor, FactorDescription, FactorKind, FactorParts, Proof } from './factor.ts'
import { FACTORS } from './kinds/list.ts'
import { ENROLMENT_LIFE } from './limits.ts'
import { createThrottle, type Trier } from './throttle.ts'
import { PasswordToRenew } from './to-renew.ts'

export interface FactorsOptions extends FactorParts {
  readonly keys: FactorParts['keys'] & { derive(label: string): Buffer }
  readonly log: Log
  readonly audit: Audit
}

export interface Attempt extends Trier {
  /** The browser is one of the organisation's own. */
  readonly enrolledDevice?: boolean
}

export interface Factors {
  readonly kinds: readonly FactorDescription[]
  /** Everything the person can sign in with, a password included. */
  enrolled(personId: string): Promise<EnrolledFactor[]>
  /**
   * What the browser needs for `verify`, as JSON; undefined for factors that are simply typed. Without a person a
   * passkey is asked for that the browser knows itself. Several challenges of one conversation may be open.
   */
  challenge(kind: FactorKind, about: { personId?: string | undefined; conversation: string }): Promise<unknown>
  /**
   * Checks one answer. `input`: the typed text, or the browser's JSON. The person is found by the factor itself; where
   * `personId` is given, nobody else is answered. Does not ask whether the person is disabled.
   * @throws Refusal `password-wrong`, `password-unconfirmed`, `code-invalid`, `passkey-invalid` for whatever is wrong with it, `throttled`,
   * `PasswordToRenew`, and what the directory throws
   */
  verify(kind: FactorKind, input: unknown, attempt: Attempt): Promise<{ personId: string; proof: Proof }>
  /** TOTP: `{ uri, secret }`. Passkey: creation options. Recovery codes: nothing. @throws Refusal `factors-full` */
  beginEnrolment(kind: FactorKind, about: Enrolling & { conversation: string }): Promise<unknown>
  /**
   * @throws Refusal `enrolment-expired` when nothing was begun in this conversation or it was spent; what `verify`
   * throws for a wrong answer
   */
  finishEnrolment(
    kind: FactorKind,
    input: unknown,
    about: { personId: string; conversation: string; label?: string | undefined },
  ): Promise<{ id: string; codes?: readonly string[]; proof?: Proof }>
  /** @throws Refusal `last-factor` when nothing to sign in with would be left, `factor-unknown` */
  remove(personId: string, id: string, by: string): Promise<void>
  /** For a person who goes, or is to begin anew. Answers how many. */
  removeAll(personId: string, by: string): Promise<number>
  /** Loads what the first sign-in would wait for: for when the house is open and nobody is at the door. */
  warm(): Promise<void>
  /**
   * One person becomes another: what `from` signs in with is `into`'s. An authenticator app and recovery codes only where
   * that has none. INVARIANT: awaits nothing but queries of `on`, which may be a transaction; called again it changes nothing.
   */
  move(from: string, into: string, by: string, on: Records): Promise<void>
}

/** Refusals of a directory that tell whoever reads them that the password was right. */
const SAYS_RIGHT: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  'directory-forbids',
  'password-expired',
  'password-must-change',
  'person-disabled',
])

interface Pending {
  readonly value: string
  readonly wrong: number
  readonly until: Instant
}

const enrolmentKey = (kind: FactorKind, personId: string, conversation: string) =>
  `factor-enrolment:${kind}:${personId}:${conversation}`
const pendingOf = (personId: string) => `factor-pending:${personId}`

export function openFactors(options: FactorsOptions): Factors {
  const { storage, clock, log, audit, keys, hasPassword } = options
  const { state } = storage
  const throttle = createThrottle({ state, clock, audit })
  const challenges = createChallenges({ state, clock, key: keys.derive('factor-challenge') })
  const factors: readonly Factor[] = FACTORS.map((row) => row.create(options))

  const factorOf = (kind: FactorKind): Factor => {
    const factor = factors.find((one) => one.description.kind === kind)
    if (!factor) throw new Refusal('factor-unknown', 'kind')
    return factor
  }
  const proofOf = (kind: FactorKind, given: Omit<Proof, 'factor' | 'at'>): Proof => ({
    factor: kind,
    at: clock.now(),
    amr: given.amr,
    ...(given.userVerified === undefined ? {} : { userVerified: given.userVerified }),
    ...(given.hardware === undefined ? {} : { hardware: given.hardware }),
    ...(given.credential === undefined ? {} : { credential: given.credential }),
    ...(given.duringOutage === undefined ? {} : { duringOutage: given.duringOutage }),
  })

  async function check(factor: Factor, input: unknown, attempt: Attempt) {
    const { challenge, description } = factor
    if (!challenge) return factor.verify(input, attempt, '')
    const nonce = challenge.nonceIn(input)
    if (nonce === undefined) return { wrong: 'input-invalid' }
    const ours = await challenges.spend(description.kind, attempt, nonce)
    return ours ? factor.verify(input, attempt, nonce) : { wrong: 'challenge-unknown' }
  }

  return Object.freeze({
    kinds: Object.freeze(factors.map((factor) => factor.description)),

    async enrolled(personId: string) {
      return (await Promise.all(factors.map((factor) => factor.enrolled(personId)))).flat()
    },

    async challenge(kind: FactorKind, about: { personId?: string | undefined; conversation: string }) {
      return factorOf(kind).challenge?.make(about.personId, challenges.make(kind, about.conversation))
    },

    async verify(kind: FactorKind, input: unknown, attempt: Attempt) {
      const factor = factorOf(kind)
      const entered = await throttle.enter(factor.lane, kind, attempt)
      /** ATTACK: beyond the limits nobody hears that a password was right, not even one that lets nobody in. */
      const right = async (reason: RefusalCode, personId: string | undefined) => {
        await audit.record('factor-refused', { subject: personId, factor: kind, reason })
        await entered.right()
      }
      const verdict = await check(factor, input, attempt).catch(async (error: unknown) => {
        // a refusal says that nothing was compared, or that it was right; after anything else the try stays counted
        if (error instanceof Refusal)
          await (SAYS_RIGHT.has(error.code) ? right(error.code, attempt.personId ?? error.subject) : entered.undone())
        throw error
      })
      if ('wrong' in verdict) {
        await audit.record('factor-refused', { subject: attempt.personId, factor: kind, reason: verdict.wrong })
        await entered.wrong()
        throw new Refusal(verdict.refusal ?? factor.refusal, verdict.wrong)
      }
      if ('toRenew' in verdict) {
        await right(verdict.toRenew, verdict.personId)
        throw new PasswordToRenew(verdict.toRenew, verdict.personId)
      }
      await entered.right()
      const { personId, ...given } = verdict
      await audit.record('factor-verified', { actor: personId, subject: personId, factor: kind })
      return { personId, proof: proofOf(kind, given) }
    },

    async beginEnrolment(kind: FactorKind, about: Enrolling & { conversation: string }) {
      const { enrolment } = factorOf(kind)
      if (!enrolment) throw new Refusal('input-invalid', 'factor is not enrolled here')
      const key = enrolmentKey(kind, about.personId, about.conversation)
      const earlier = await state.get(key)
      const kept = earlier === undefined ? undefined : (JSON.parse(earlier) as Pending)
      const begun = await enrolment.begin(about, kept?.value)
      if (begun.pending !== undefined && begun.pending !== kept?.value) {
        const pending: Pending = { value: begun.pending, wrong: 0, until: clock.now() + ENROLMENT_LIFE }
        await state.set(key, JSON.stringify(pending), { ttl: ENROLMENT_LIFE, group: pendingOf(about.personId) })
      }
      return begun.options
    },

    async finishEnrolment(
      kind: FactorKind,
      input: unknown,
      about: { personId: string; conversation: string; label?: string | undefined },
    ) {
      const { enrolment, refusal } = factorOf(kind)
      if (!enrolment) throw new Refusal('input-invalid', 'factor is not enrolled here')
      const { personId, label } = about
      const key = enrolmentKey(kind, personId, about.conversation)
      const taken = enrolment.tries === 0 ? undefined : await state.take(key)
      if (enrolment.tries > 0 && taken === undefined) throw new Refusal('enrolment-expired', 'nothing pending')
      const pending: Pending = taken === undefined ? { value: '', wrong: 0, until: 0 } : JSON.parse(taken)
      const added = await enrolment.finish(input, { personId, label, pending: pending.value })
      if ('wrong' in added) {
        await audit.record('factor-refused', { subject: personId, factor: kind, reason: added.wrong })
        const wrong = pending.wrong + 1
        const rest = { ttl: pending.until - clock.now(), group: pendingOf(personId) }
        // typing mistakes are forgiven; an answer to a challenge is not
        if (wrong < enrolment.tries && rest.ttl > 0) await state.add(key, JSON.stringify({ ...pending, wrong }), rest)
        throw new Refusal(refusal, added.wrong)
      }
      await audit.record(enrolment.event, { actor: personId, subject: personId, factor: kind })
      const { proof, ...result } = added
      return { ...result, ...(proof ? { proof: proofOf(kind, proof) } : {}) }
    },

    async remove(personId: string, id: string, by: string) {
      const keepOne = !(await hasPassword(personId))
      for (const factor of factors) {
        const result = await factor.remove(personId, id, keepOne)
        if (result === 'kept') throw new Refusal('last-factor', factor.description.kind)
        if (result === 'absent') continue
        await audit.record('factor-removed', { actor: by, subject: personId, factor: factor.description.kind })
        return
      }
      throw new Refusal('factor-unknown', 'id')
    },

    async move(from: string, into: string, by: string, on: Records) {
      for (const factor of factors) {
        const gone = await factor.move(from, into, on)
        const { kind } = factor.description
        if (gone > 0) await audit.record('factor-removed', { actor: by, subject: into, factor: kind, count: gone }, on)
      }
    },

    async warm() {
      for (const { warm } of FACTORS) await warm?.()
    },
    async removeAll(personId: string, by: string) {
      await state.deleteGroup(pendingOf(personId))
      await challenges.voidAll(personId)
      let count = 0
      for (const factor of factors) {
        const removed = await factor.removeAll(personId)
        count += removed
        const kind = factor.description.kind
        if (removed > 0)
          await audit.record('factor-removed', { actor: by, subject: personId, factor: kind, count: removed })
      }
      if (count > 0) log.info('factors-removed', { person: personId, count })
      return count
    },
  })
}
