/** The smallest change with which a request would pass (POLICY.md, Receipts). Tried out with `decide`, never guessed. */
import { decide } from '../decide.ts'
import type { Outcome } from '../decision.ts'
import type { Facts } from '../facts.ts'
import type { Policies } from '../policies.ts'
import { type Asking, candidates } from './candidates.ts'
import { applyChanges, type Change, inOrder } from './change.ts'

export interface Suggestion {
  /** One, or two that are both needed, in the order in which they are done. */
  readonly changes: readonly Change[]
  /** What comes then: `challenge` only for what is denied now, and only where nothing leads to `allow`. */
  readonly outcome: Outcome
  /** Others of the same size that lead there as well, in order of preference. */
  readonly instead: readonly (readonly Change[])[]
}

/** Single changes are all tried; pairs until so many have been. */
const MOST_PAIRS = 1000
const MOST_INSTEAD = 10
const MOST_COMPARED = 200

/** Undefined where it passes already, and where neither one change of the list nor two of them help. */
export function suggest(policies: Policies, facts: Facts, asking: Asking = {}): Suggestion | undefined {
  const options = asking.policy === undefined ? {} : { policy: asking.policy }
  const now = decide(policies, facts, options).outcome
  if (now === 'allow') return undefined
  const leadingTo = (sets: readonly Change[][]) =>
    Map.groupBy(sets, (changes) => decide(policies, applyChanges(policies, facts, changes), options).outcome)
  const list = candidates(policies, facts, asking)
  const singles = leadingTo(list.map((change) => [change]))
  const best = (of: typeof singles, outcome: Outcome) => {
    const found = of.get(outcome)
    return found && suggestion(found, outcome)
  }
  const alone = best(singles, 'allow')
  if (alone) return alone
  const pairs = leadingTo(pairsOf(list))
  return best(pairs, 'allow') ?? (now === 'deny' ? (best(singles, 'challenge') ?? best(pairs, 'challenge')) : undefined)
}

/** Two of one kind exclude each other, but for factors. */
function pairsOf(list: readonly Change[]): Change[][] {
  const pairs = list.flatMap((first, index) =>
    list
      .slice(index + 1)
      .filter((second) => kindOf(first) !== kindOf(second) || kindOf(first) === 'factor')
      .map((second) => inOrder([first, second])),
  )
  return pairs.slice(0, MOST_PAIRS)
}

function kindOf({ code }: Change): string {
  if (code === 'give-again' || code === 'give-factor') return 'factor'
  return code === 'use-network' || code === 'leave-network' ? 'network' : code
}

/** Networks of which each alone would do are told together, and so are groups; of several times the first. */
function suggestion(found: readonly (readonly Change[])[], outcome: Outcome): Suggestion {
  // a few are enough to choose from
  const some = found.slice(0, MOST_COMPARED)
  const least = some.filter((changes) => !some.some((other) => other !== changes && asksLess(other, changes)))
  const alike = Map.groupBy(least, (changes) => {
    const joined = changes.find(({ code }) => code === 'use-network' || code === 'ask-group')
    const isTold = (change: Change) => change !== joined && change.code !== 'come-back-later'
    return JSON.stringify(changes.map((change) => (isTold(change) ? change : change.code)))
  })
  const [first, ...instead] = [...alike.values()].map((sets) => {
    const same = sets.filter((set) => timeOf(set) === timeOf(sets[0]!))
    return sets[0]!.map((change, at): Change => {
      const names = [...new Set(same.flatMap((set) => listOf(set[at]!)))]
      if (change.code === 'use-network') return { ...change, networks: names }
      return change.code === 'ask-group' ? { ...change, groups: names } : change
    })
  })
  return { changes: first!, outcome, instead: instead.slice(0, MOST_INSTEAD) }
}

/** The same changes with less said about one of them: an enrolled device, and not an enrolled one that is shared. */
const asksLess = (a: readonly Change[], b: readonly Change[]): boolean =>
  a.every((change, index) =>
    Object.entries(change).every(([key, value]) => String(value) === String(b[index]![key as keyof Change])),
  )

const timeOf = (changes: readonly Change[]): string | undefined =>
  changes.flatMap((change) => (change.code === 'come-back-later' ? [change.time] : []))[0]

const listOf = (change: Change): readonly string[] =>
  change.code === 'use-network' ? change.networks : change.code === 'ask-group' ? change.groups : []
