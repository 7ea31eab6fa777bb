/** How often people are asked for proof, and what asked them. Attribution sums to the total. */
import { type Instant, minutes } from '#core/clock'
import type { Policies } from '#policy'
import type { Page } from '../receipt.ts'
import { type Cause, causeOf } from './causes.ts'
import { createOpenings } from './openings.ts'
import { createPrompts, type Prompt } from './prompts.ts'
import { isDecidable } from './replay.ts'
import { createCounting, type Spread } from './spread.ts'
import { type By, createUnits } from './units.ts'

export interface Attributed extends Cause {
  readonly prompts: number
}

export interface Friction {
  /** Receipts that were read. */
  readonly receipts: number
  /** Per person and day, or per session; of those in which anything was opened. */
  readonly prompts: Spread
  /** The most frequent first. */
  readonly causes: readonly Attributed[]
  /** People who were asked, and went away. Not among the prompts: of strangers it is not known. */
  readonly unanswered: number
}

export interface FrictionOptions {
  readonly since: Instant
  readonly by: By
  /** The policies of a version, where they are stored, else those in force. */
  readonly policiesOf: (version: string) => Policies
}

const LOOK_EVERY = minutes(30)

export function createFriction({ since, by, policiesOf }: FrictionOptions): {
  add(page: Page): void
  end(): Friction
} {
  const causes = new Map<string, { cause: Cause; prompts: number }>()
  const counting = createCounting()
  const units = createUnits(by, ({ before }) => counting.add(before))
  let receipts = 0
  let unanswered = 0
  let looked = Number.NEGATIVE_INFINITY

  const prompts = createPrompts(since, (prompt: Prompt) => {
    const cause = causeOf(prompt, policiesOf(prompt.receipt.policies))
    const key = JSON.stringify(cause)
    const row = causes.get(key) ?? { cause, prompts: 0 }
    row.prompts++
    causes.set(key, row)
    units.add(prompt.person, prompt.session, prompt.at, 1, 0)
  })
  const openings = createOpenings(({ asked, final }) => {
    if (asked && !final) unanswered++
  })

  return {
    add(page) {
      receipts += page.receipts.length + page.unreadable
      for (const receipt of page.receipts) {
        if (!isDecidable(receipt)) continue
        if (receipt.person !== undefined) units.add(receipt.person, receipt.facts.session?.started, receipt.at, 0, 0)
        prompts.add(receipt)
        openings.add(receipt)
      }
      const last = page.receipts.at(-1)
      if (!last || last.at - looked < LOOK_EVERY) return
      looked = last.at
      openings.passed(last.at)
      prompts.passed(last.at)
      units.passed(last.at)
    },
    end() {
      openings.end()
      prompts.end()
      units.end()
      const rows = [...causes.values()].map(({ cause, prompts: n }) => ({ ...cause, prompts: n }))
      return {
        receipts,
        prompts: counting.spread(),
        causes: rows.sort((a, b) => b.prompts - a.prompts || (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
        unanswered,
      }
    },
  }
}
