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
  /** By person, and there by session and what is opened. */
  const waiting = new Map<string, Map<string, Waiting>>()

  function giveUp(own: Map<string, Waiting>, key: string): void {
    const { asked } = own.get(key)!
    own.delete(key)
    tell({ asked, interactive: false })
  }

  return {
    add(receipt) {
      const { person, outcome, facts, at } = receipt
      let own = person === undefined ? undefined : waiting.get(person)
      if (outcome === 'challenge' && person !== undefined) {
        const key = keyOf(facts)
        if (!own) {
          own = new Map()
          waiting.set(person, own)
        }
        const before = own.get(key)
        if (before && at - before.last > LONGEST_CONVERSATION) giveUp(own, key)
        own.set(key, { asked: own.get(key)?.asked ?? receipt, last: at })
        return
      }
      const interactive = wasGivenFor(facts)
      const key = own && own.size > 0 ? keyOf(facts) : undefined
      const before = key === undefined ? undefined : own!.get(key)
      const answers = before && interactive && at - before.last <= LONGEST_CONVERSATION
      if (before && !answers) giveUp(own!, key!)
      if (before) own!.delete(key!)
      if (outcome === 'challenge') tell({ asked: receipt, interactive: false })
      else tell({ ...(answers ? { asked: before.asked } : {}), final: receipt, interactive })
    },

    passed(at) {
      for (const [person, own] of waiting) {
        for (const [key, { last }] of own) if (at - last > LONGEST_CONVERSATION) giveUp(own, key)
        if (own.size === 0) waiting.delete(person)
      }
    },

    end() {
      for (const own of waiting.values()) for (const key of [...own.keys()]) giveUp(own, key)
    },
  }
}

/** In which session what is opened. */
const keyOf = ({ session, app, request }: Facts): string =>
  `${session?.started}\n${app?.id ?? app?.policy}\n${request?.kind}`

/** Whether a factor was given since the request began: what `within: 0s` asks for. */
export function wasGivenFor({ session, request }: Facts): boolean {
  const started = request?.started
  return (
    typeof started === 'number' &&
    (session?.authenticated ?? []).some(({ at }) => typeof at === 'number' && at >= started)
  )
}
