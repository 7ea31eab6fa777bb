/**
 * From receipts to openings: what a person wanted to open, and what came of it. One conversation leaves several receipts
 * (each page that asks is decided anew, and so is the way back to the app), and is one opening.
 */
import { type Instant, minutes } from '#core/clock'
import type { Facts } from '#policy'
import type { Receipt } from '../receipt.ts'

/** A receipt that can be decided again. */
export type Decidable = Receipt & { readonly facts: Facts }

export interface Opening {
  /** The first receipt that says `challenge`; absent where nobody was asked, and where a stranger was, which leaves none. */
  readonly asked?: Decidable
  /** What it came to: `allow` or `deny`. Absent where somebody was asked and did not answer. */
  readonly final?: Decidable
  /** Factors were given for this very opening. */
  readonly interactive: boolean
}

/** As long as an errand waits for its person (`signin/errand.ts`). */
const LONGEST_CONVERSATION = minutes(60)

interface Waiting {
  readonly asked: Decidable
  readonly last: Instant
}

export interface Openings {
  add(receipt: Decidable): void
  /** No receipt will be older than this: conversations that are over by then are told. */
  passed(at: Instant): void
  end(): void
}

/** `tell` hears of each opening when it is over. Memory: the conversations of the last hour that nobody has answered. */
export function createOpenings(tell: (opening: Opening) => void): Openings {
  const waiting = new Map<string, Waiting>()

  function giveUp(key: string): void {
    const { asked } = waiting.get(key)!
    waiting.delete(key)
    tell({ asked, interactive: false })
  }

  return {
    add(receipt) {
      const key = receipt.person === undefined ? undefined : keyOf(receipt)
      const before = key === undefined ? undefined : waiting.get(key)
      if (key !== undefined && receipt.outcome === 'challenge') {
        if (before && receipt.at - before.last > LONGEST_CONVERSATION) giveUp(key)
        waiting.set(key, { asked: waiting.get(key)?.asked ?? receipt, last: receipt.at })
        return
      }
      const interactive = wasGivenFor(receipt.facts)
      const answers = before && interactive && receipt.at - before.last <= LONGEST_CONVERSATION
      if (before && !answers) giveUp(key!)
      if (before) waiting.delete(key!)
      if (receipt.outcome === 'challenge') tell({ asked: receipt, interactive: false })
      else tell({ ...(answers ? { asked: before.asked } : {}), final: receipt, interactive })
    },

    passed(at) {
      for (const [key, { last }] of waiting) if (at - last > LONGEST_CONVERSATION) giveUp(key)
    },

    end() {
      for (const key of [...waiting.keys()]) giveUp(key)
    },
  }
}

/** Who, in which session, opens what. */
const keyOf = ({ person, facts }: Decidable): string =>
  [person, facts.session?.started, facts.app?.id ?? facts.app?.policy, facts.request?.kind].join('\n')

/** Whether a factor was given since the request began: what `within: 0s` asks for. */
export function wasGivenFor({ session, request }: Facts): boolean {
  const started = request?.started
  return (
    typeof started === 'number' &&
    (session?.authenticated ?? []).some(({ at }) => typeof at === 'number' && at >= started)
  )
}
