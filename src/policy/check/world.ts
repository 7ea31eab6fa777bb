/** The finite world in which rules are tried out with their own judges: its variables, and the facts that they make. */
import type { Condition, Sample } from '../condition.ts'
import type { Policies, Rule } from '../policies.ts'
import { createScene } from '../scene.ts'
import type { Truth } from '../truth.ts'
import { type Draft, type Judge, type Leaf, leavesOf, prepareWhen } from '../when.ts'
import { createVariables, type Situation, type Variable } from './variables.ts'

export interface World {
  readonly variables: ReadonlyMap<string, Variable>
  /** The variables on which the match of a rule depends. */
  needs(rule: Rule): readonly string[]
  judge(rule: Rule, situation: Situation): Truth
  /** Conditions for which no facts can be made, as they are written: they are taken for whatever answer. */
  readonly free: readonly string[]
}

export function createWorld(policies: Policies, rules: readonly Rule[]): World {
  const { zones, sites, strengthTable: strengths } = policies
  const leaves = rules.flatMap(({ draft }) => leavesOf(draft))
  const wantedOf = (name: string) => leaves.filter((leaf) => leaf.written === name).map(({ wanted }) => wanted)
  const samplesOf = ({ condition, rest }: Leaf, wanted: readonly unknown[]) =>
    condition.samples?.(wanted, { zones, sites, strengths, rest, wanted: wantedOf })
  const samples = new Map<string, readonly Sample[]>()
  const free = new Map<string, ReadonlyMap<string, Sample>>()
  for (const [written, alike] of Map.groupBy(leaves, (leaf) => leaf.written)) {
    const wanted = alike.map((leaf) => leaf.wanted)
    const found = samplesOf(alike[0]!, wanted)
    if (!found) free.set(written, freeSamples(written, alike))
    samples.set(written, found ?? [...free.get(written)!.values()])
  }
  const { all, keysOf } = createVariables([...samples.values()].flat())
  const needsOf = (leaf: Leaf): string[] => {
    const own = free.get(leaf.written)?.get(formOf(leaf))
    const together = samples.get(leaf.written)!
    // only of lists does it matter which words are its own
    const whole = together.every((sample) => 'values' in sample)
    return keysOf(own ? [own] : whole ? together : samplesOf(leaf, [leaf.wanted])!)
  }
  const isFree = (rule: Rule) => leavesOf(rule.draft).some(({ written }) => free.has(written))
  const tried = new Map(
    rules.map((rule) => [
      rule,
      {
        needs: [...new Set(leavesOf(rule.draft).flatMap(needsOf))],
        when: isFree(rule) ? prepareWhen(freed(rule.draft!, free), { zones, strengths }) : rule.when,
      },
    ]),
  )
  return {
    variables: all,
    needs: (rule) => tried.get(rule)!.needs,
    judge: (rule, situation) => judge(tried.get(rule)!.when, situation, policies),
    free: [...free.keys()],
  }
}

function judge(when: Judge | undefined, situation: Situation, { sites }: Policies): Truth {
  return when ? when(createScene(situation, sites), []) : true
}

/** What tells two uses of a condition apart. */
const formOf = ({ raw }: Leaf): string => JSON.stringify(raw)

/** A fact of its own for each form in which a condition without samples is written. */
const freeSamples = (written: string, leaves: readonly Leaf[]): Map<string, Sample> =>
  new Map(
    [...new Set(leaves.map(formOf))].map((form, index) => [
      form,
      { fact: `free.${written.replaceAll('.', ' ')} ${index}`, values: () => [true, false] },
    ]),
  )

/** The same `when`, asking those facts. */
function freed(draft: Draft, free: ReadonlyMap<string, ReadonlyMap<string, Sample>>): Draft {
  if (draft.join === 'not') return { ...draft, part: freed(draft.part, free) }
  if (draft.join !== 'condition') return { ...draft, parts: draft.parts.map((part) => freed(part, free)) }
  const sample = free.get(draft.written)?.get(formOf(draft))
  return sample ? { ...draft, condition: answering(draft.condition, sample.fact.slice('free.'.length)) } : draft
}

const answering = ({ name, wanted }: Condition, fact: string): Condition => ({
  name,
  wanted,
  prepare: () => ({
    why: 'it is not known here',
    see: ({ facts }) => (facts as Situation).free?.[fact],
    holds: (seen: boolean) => seen,
  }),
})
