/** The factors a person has given, against what is required. */
import type { Instant } from '#core/clock'
import { bitOf, HARDWARE, REMEMBERED, USER_VERIFIED, vouchedBits } from './factors.ts'
import type { Facts } from './facts.ts'
import { instant } from './instants.ts'
import { type Demand, meets, type Strengths } from './strengths.ts'
import type { Terms } from './terms.ts'
import { around } from './wall-clock.ts'

export interface Proof {
  /** The factor's name; `device` for a remembered second factor, `upstream` for what another provider vouches for. */
  readonly name: string
  readonly bits: number
  readonly at: Instant | undefined
}

/** More than any session holds; beyond it only the last ones count. */
const MOST_PROOFS = 8

/** The factors of the session that count under these terms. A time that is not known satisfies no limit. */
export function proofsOf(facts: Facts, at: Instant | undefined, terms: Terms): Proof[] {
  const oldest = oldestAllowed(facts, at, terms)
  const proofs: Proof[] = []
  for (const given of (facts.session?.authenticated ?? []).slice(-MOST_PROOFS)) {
    const bit = bitOf(given.factor)
    const since = instant(given.at)
    if (bit === 0 || (oldest !== undefined && (since === undefined || !(since >= oldest)))) continue
    const passkey = given.factor === 'passkey'
    const bits =
      bit |
      (passkey && given.user_verified === true ? USER_VERIFIED : 0) |
      (passkey && given.hardware === true ? HARDWARE : 0)
    proofs.push({ name: given.factor, bits, at: since })
  }
  const vouched = vouchedFor(facts, oldest, terms)
  if (vouched) proofs.push(vouched)
  if (isRemembered(facts, at, terms)) proofs.push({ name: 'device', bits: REMEMBERED, at: undefined })
  return proofs
}

/**
 * What another provider vouches for is as old as the sign-in there, not as the way back from it. Where it does not tell,
 * nothing that asks for an age is met; a session that may only last so long then counts from its own beginning.
 */
function vouchedFor(facts: Facts, oldest: Instant | undefined, { within, fresh }: Terms): Proof | undefined {
  const { assurance, at: time } = facts.session?.upstream ?? {}
  const bits = assurance === undefined ? 0 : vouchedBits(assurance)
  const at = instant(time)
  const since = at ?? (within || fresh ? undefined : instant(facts.session?.started))
  if (bits === 0 || (oldest !== undefined && (since === undefined || !(since >= oldest)))) return undefined
  return { name: 'upstream', bits, at }
}

/**
 * The instant before which a factor is too old, undefined where there is no limit, NaN where the limit cannot be worked
 * out: nothing satisfies that. A session that would have ended by `max` or `ends` cannot lend its factors either.
 */
function oldestAllowed(
  facts: Facts,
  at: Instant | undefined,
  { within, fresh, max, ends }: Terms,
): Instant | undefined {
  if (!within && !fresh && !max && ends.length === 0) return undefined
  if (at === undefined) return Number.NaN
  let oldest = Number.NEGATIVE_INFINITY
  if (within) oldest = at - within.ms
  // since this very request began, or in this instant where that is not told
  if (fresh) oldest = Math.max(oldest, Math.min(at, instant(facts.request?.started) ?? at))
  // a session that is as old as this is over
  if (max) oldest = Math.max(oldest, at - max.ms + 1)
  for (const end of ends) oldest = Math.max(oldest, around(end, at).last)
  return oldest
}

/** True when these terms allow remembering on a device like this: never where it is shared, or may be. */
export const mayRemember = (facts: Facts, terms: Terms): boolean =>
  terms.remember !== undefined && terms.remember.ms > 0 && !terms.fresh && facts.device?.kind === 'personal'

function isRemembered(facts: Facts, at: Instant | undefined, terms: Terms): boolean {
  if (facts.device?.trusted_since === undefined || at === undefined || !mayRemember(facts, terms)) return false
  const since = instant(facts.device.trusted_since)
  return since !== undefined && at - since <= terms.remember!.ms
}

export const bitsOf = (proofs: readonly Proof[]): number => proofs.reduce((bits, proof) => bits | proof.bits, 0)

/** The fewest proofs that meet the demand; of equally many those without a remembered device, then the newest. */
export function needed(strengths: Strengths, demand: Demand, proofs: readonly Proof[]): Proof[] {
  if (proofs.length === 1) return [...proofs]
  let best: Proof[] | undefined
  for (let subset = 1; subset < 1 << proofs.length; subset++) {
    const chosen = proofs.filter((_, index) => subset & (1 << index))
    if (best && (chosen.length > best.length || !better(chosen, best))) continue
    if (meets(strengths, demand, bitsOf(chosen))) best = chosen
  }
  return best ?? []
}

function better(a: readonly Proof[], b: readonly Proof[]): boolean {
  if (a.length !== b.length) return a.length < b.length
  const remembered = (proofs: readonly Proof[]) => proofs.some((proof) => proof.bits === REMEMBERED)
  if (remembered(a) !== remembered(b)) return remembered(b)
  return (oldestOf(a) ?? 0) > (oldestOf(b) ?? 0)
}

/** When the oldest of them was given; undefined where none tells. */
export function oldestOf(proofs: readonly Proof[]): Instant | undefined {
  let oldest: Instant | undefined
  for (const { at } of proofs) if (at !== undefined && !(oldest !== undefined && oldest <= at)) oldest = at
  return oldest
}
