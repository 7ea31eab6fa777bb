/** What rules in report mode would have done, had they been in force: asked of `decide` for every opening since. */
import type { Instant } from '#core/clock'
import { decide, enforcing, type Policies } from '#policy'
import type { Page } from '../receipt.ts'
import { createReplay, isDecidable, type Replay, type Replayed } from './replay.ts'

export interface ReportedRule {
  readonly policy: string
  readonly rule: string
  /** `policies/store-apps.yaml:31` */
  readonly line: string
  /** Decisions that it would have had a part in. */
  readonly matched: number
  /** And of those it could not be established. */
  readonly perhaps: number
  /** What would have changed. */
  readonly changes: Replayed
}

/** One replay per rule, each against the policies as they are: what one rule does is told apart from the others. */
export function createReported({ policies, since }: { policies: Policies; since: Instant }): {
  add(page: Page): void
  end(): ReportedRule[]
} {
  const rules = policies.list.flatMap(({ name: policy, rules }) =>
    rules
      .filter(({ mode }) => mode === 'report')
      .map(({ name: rule, line }) => {
        const replay: Replay = createReplay({
          candidate: enforcing(policies, policy, rule),
          since,
          outcomeOf: ({ facts }) => decide(policies, facts).outcome,
        })
        return { policy, rule, line, matched: 0, perhaps: 0, replay }
      }),
  )
  const find = new Map(rules.map((row) => [`${row.policy}\n${row.rule}`, row]))

  return {
    add(page) {
      if (rules.length === 0) return
      for (const { facts } of page.receipts.filter(isDecidable)) {
        for (const { policy, rule, matched } of decide(policies, facts).reported) {
          const row = find.get(`${policy}\n${rule}`)!
          if (matched === true) row.matched++
          else row.perhaps++
        }
      }
      for (const { replay } of rules) replay.add(page)
    },
    end: () => rules.map(({ replay, ...row }) => ({ ...row, changes: replay.end() })),
  }
}
