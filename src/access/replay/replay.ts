/**
 * Replay: openings of the past, decided again by other policies.
 *
 * INVARIANT: with the policies that decided them, nothing changes. Everything that is told as a change begins with a stored
 * receipt whose facts the candidate decides otherwise.
 */
import { hours, type Instant, minutes } from '#core/clock'
import { type Authenticated, createLacking, type Decision, decide, type Facts, type Policies } from '#policy'
import type { Page, Receipt } from '../receipt.ts'
import { createOpenings, type Decidable, type Opening } from './openings.ts'
import { createPrompts } from './prompts.ts'
import { type Counting, createCounting, type Spread } from './spread.ts'
import { type Change, createTallies, type Tallies } from './tally.ts'
import { createUnits } from './units.ts'

export type Incomparable = 'facts-gone' | 'unreadable' | 'policy-missing' | 'facts-lacking'

export interface Replayed extends Pick<Tallies, 'total' | 'by'> {
  /** Receipts that were read. */
  readonly receipts: number
  /** Of `newly_prompted`: those that asked for something in any case, and would ask for more. */
  readonly asked_for_more: number
  readonly not_comparable: Readonly<Record<Incomparable, number>>
  /** Per person and day. */
  readonly prompts: { readonly before: Spread; readonly after: Spread }
}

export interface ReplayOptions {
  readonly candidate: Policies
  readonly since: Instant
  /** Only openings of this app. */
  readonly app?: string | undefined
  /** What decided then; the receipt says it, unless another question is asked. */
  readonly outcomeOf?: (receipt: Decidable) => Decision['outcome']
}

export interface Replay {
  add(page: Page): void
  end(): Replayed
}

/** Of a hundred thousand decisions hardly one is looked into. */
const UNTOLD = Object.freeze({ trace: false })

/** What the candidate would have made a person give beyond what they gave, by session. */
type Extra = Map<string, { readonly last: Instant; readonly proofs: readonly Authenticated[] }>

export function createReplay({ candidate, since, app, outcomeOf }: ReplayOptions): Replay {
  const tallies = createTallies(candidate)
  const lacking = createLacking(candidate)
  const reasons: Record<Incomparable, number> = {
    'facts-gone': 0,
    unreadable: 0,
    'policy-missing': 0,
    'facts-lacking': 0,
  }
  const extra: Extra = new Map()
  const [before, after]: [Counting, Counting] = [createCounting(), createCounting()]
  const units = createUnits('day', (times) => {
    before.add(times.before)
    after.add(times.after)
  })
  let receipts = 0
  let askedForMore = 0

  const count = ({ person, facts, at }: Decidable, asked: number, wouldBe: number) => {
    if (person !== undefined) units.add(person, facts.session?.started, at, asked, wouldBe)
  }
  const prompts = createPrompts(since, ({ receipt }) => {
    if (app === undefined || receipt.app === app) count(receipt, 1, 1)
  })
  const openings = createOpenings((opening) => {
    const told = (opening.final ?? opening.asked)!
    if (app !== undefined && told.app !== app) return
    const { change, why, more, prompted } = compare(opening)
    tallies.count(change, told)
    if (why) reasons[why]++
    if (more) askedForMore++
    count(told, 0, prompted)
  })

  interface Compared {
    readonly change: Change
    readonly why?: Incomparable
    readonly more?: boolean
    /** Prompts that come on top, or that fall away. */
    readonly prompted: number
  }

  function compare({ asked, final, interactive }: Opening): Compared {
    const first = (asked ?? final)!
    if (final?.outcome === 'deny') return afterDenial(final)
    const outcome = judge(first)
    if (outcome.why) return { change: 'not_comparable', why: outcome.why, prompted: 0 }
    if (outcome.outcome === 'deny') return { change: 'newly_denied', prompted: asked && final ? -1 : 0 }
    if (asked) {
      if (outcome.outcome === 'allow' || wouldHaveGiven(asked))
        return { change: 'no_longer_prompted', prompted: final ? -1 : 0 }
      return final ? answered(final, true) : { change: 'unchanged', prompted: 0 }
    }
    return answered(final!, interactive, outcome)
  }

  /** The candidate asked earlier in the session, for what would have been enough here. */
  function wouldHaveGiven({ facts, at }: Decidable): boolean {
    const known = withExtra(facts, at)
    return known !== facts && decide(candidate, known, UNTOLD).outcome === 'allow'
  }

  /** Let in then. `interactive`: something was asked for anyway, so asking for more is no further prompt. */
  function answered(final: Decidable, interactive: boolean, outcome = judge(final)): Compared {
    if (outcome.why) return { change: 'not_comparable', why: outcome.why, prompted: 0 }
    if (outcome.outcome === 'allow') return { change: 'unchanged', prompted: 0 }
    if (outcome.outcome === 'deny') return { change: 'newly_denied', prompted: 0 }
    // asked by the candidate already, in the same session, and what was given then still counts
    const known = withExtra(final.facts, final.at)
    const again = known === final.facts ? outcome.decision : decide(candidate, known, UNTOLD)
    if (again.outcome === 'allow') return { change: 'unchanged', prompted: 0 }
    if (again.outcome === 'deny') return { change: 'newly_denied', prompted: 0 }
    giveMissing(final, again)
    return { change: 'newly_prompted', more: interactive, prompted: interactive ? 0 : 1 }
  }

  function afterDenial(final: Decidable): Compared {
    const { outcome, why } = judge(final)
    if (why) return { change: 'not_comparable', why, prompted: 0 }
    return { change: outcome === 'deny' ? 'unchanged' : 'newly_allowed', prompted: 0 }
  }

  function judge(receipt: Decidable): { outcome: Decision['outcome']; decision: Decision; why?: Incomparable } {
    const decision = decide(candidate, receipt.facts, UNTOLD)
    const { outcome } = decision
    const { facts, gathered } = receipt
    const named = facts.app?.policy
    if (outcome === receipt.outcome) {
      // what is unknown is judged by the stricter answer: an allow stands whatever would have been found
      const stands = outcome === 'allow' || !gathered || !lacking.needs(named, gathered)
      if (stands) return { outcome, decision }
    } else if (named === undefined || !candidate.find(named)) return { outcome, decision, why: 'policy-missing' }
    // what it was that is lacking stands in the trace
    const rests = lacking.in(decide(candidate, facts), facts, gathered).length > 0
    return rests ? { outcome, decision, why: 'facts-lacking' } : { outcome, decision }
  }

  const sessionOf = (facts: Facts) => `${facts.user?.id}\n${facts.session?.started}`

  function withExtra(facts: Facts, at: Instant): Facts {
    const given = extra.get(sessionOf(facts))
    if (!given || at - given.last > FORGET_AFTER) return facts
    return {
      ...facts,
      session: { ...facts.session, authenticated: [...(facts.session?.authenticated ?? []), ...given.proofs] },
    }
  }

  /** The person is taken to give the smallest set that is missing, now. */
  function giveMissing({ facts, at }: Decidable, { missing }: Decision): void {
    const proofs = (missing[0] ?? []).map((factor) => ({ factor, at, user_verified: true, hardware: true }))
    const key = sessionOf(facts)
    const others = (extra.get(key)?.proofs ?? []).filter(({ factor }) => !proofs.some((one) => one.factor === factor))
    extra.set(key, { last: at, proofs: [...others, ...proofs] })
  }

  let looked = Number.NEGATIVE_INFINITY
  /** Now and then: what is over is told and forgotten. */
  function passed(at: Instant): void {
    if (at - looked < LOOK_EVERY) return
    looked = at
    openings.passed(at)
    prompts.passed(at)
    units.passed(at)
    for (const [key, { last }] of extra) if (at - last > FORGET_AFTER) extra.delete(key)
  }

  const notComparable = (why: Incomparable, receipt?: Receipt) => {
    if (app !== undefined && receipt?.app !== app) return
    reasons[why]++
    if (receipt) tallies.count('not_comparable', receipt)
    else {
      tallies.total.openings++
      tallies.total.not_comparable++
    }
  }

  return {
    add(page) {
      receipts += page.receipts.length + page.unreadable
      for (let i = 0; i < page.unreadable; i++) notComparable('unreadable')
      for (const receipt of page.receipts) {
        if (!isDecidable(receipt)) {
          notComparable('facts-gone', receipt)
          continue
        }
        const judged = outcomeOf ? { ...receipt, outcome: outcomeOf(receipt) } : receipt
        prompts.add(judged)
        openings.add(judged)
      }
      const last = page.receipts.at(-1)
      if (last) passed(last.at)
    },

    end() {
      openings.end()
      prompts.end()
      units.end()
      return {
        total: tallies.total,
        by: tallies.by,
        receipts,
        asked_for_more: askedForMore,
        not_comparable: reasons,
        prompts: { before: before.spread(), after: after.spread() },
      }
    },
  }
}

const FORGET_AFTER = hours(36)
/** Of the time that receipts tell. */
const LOOK_EVERY = minutes(30)

export const isDecidable = (receipt: Receipt): receipt is Decidable => receipt.facts !== undefined
