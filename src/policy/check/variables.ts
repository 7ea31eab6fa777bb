/**
 * What can be varied in the facts of a request: for every fact that some condition looks at, the values that matter to
 * the conditions. A list or a record is varied part by part, so that fifty groups are fifty small questions.
 */
import type { Instant } from '#core/clock'
import type { Sample } from '../condition.ts'
import type { Facts } from '../facts.ts'

/** The facts of one situation, and the answers of conditions for which no facts can be made. */
export type Situation = Facts & { readonly free?: Readonly<Record<string, boolean>> }

export interface Variable {
  readonly key: string
  /** The path of the fact that it is about. */
  readonly fact: string
  /** Choices are 0 to `choices - 1`. 0 leaves the fact out, or the part out of its list. */
  readonly choices: number
  /** Of a part: the variable that says whether its list is known at all. */
  readonly whole?: string
  /** Others count from it. */
  readonly first?: true
  set(situation: Situation, choice: number): void
}

export interface Variables {
  readonly all: ReadonlyMap<string, Variable>
  /** The variables on which a condition with these samples depends. */
  keysOf(samples: readonly Sample[]): string[]
}

/** An ordinary Monday. What is told by its age counts from it where the time itself is left out. */
export const MONDAY: Instant = Date.UTC(2026, 0, 12, 9)

/** The variables of all samples together; several of one fact are one variable with the values of all. */
export function createVariables(samples: readonly Sample[]): Variables {
  const all = new Map<string, Variable>()
  const standIns = new Map<string, string>()
  for (const [fact, own] of Map.groupBy(samples, ({ fact }) => fact)) {
    for (const variable of own.some((one) => 'values' in one) ? [variableOf(fact, own)] : listOf(fact, own, standIns))
      all.set(variable.key, variable)
  }
  // of a list it depends on its own words only, of an entry on whatever else may be in it
  const partsFor = (sample: Sample): string[] =>
    'entries' in sample
      ? Object.keys(sample.entries).flatMap((name) =>
          [...all.keys()].filter((key) => key.startsWith(entryOf(sample.fact, name))),
        )
      : partsOf(sample).flatMap((words) => words.map(({ key }) => standIns.get(key) ?? key))
  const keysOf = (some: readonly Sample[]) => [...new Set(some.flatMap((sample) => [sample.fact, ...partsFor(sample)]))]
  return { all, keysOf }
}

/** How the keys of one entry's words begin. */
const entryOf = (fact: string, name: string): string => `${fact}:${encodeURIComponent(name)}:`

function variableOf(fact: string, samples: readonly Sample[]): Variable {
  const valuesAt = (at: Instant) => samples.flatMap((sample) => ('values' in sample ? sample.values(at) : []))
  // several conditions may try the same
  const places = new Map(valuesAt(MONDAY).map((value, place) => [JSON.stringify(value), place]))
  const choices = [...places.values()]
  return {
    key: fact,
    fact,
    choices: choices.length + 1,
    ...(fact === 'at' && { first: true as const }),
    set(situation, choice) {
      const at = typeof situation.at === 'number' ? situation.at : MONDAY
      if (choice > 0) place(situation, fact, () => valuesAt(at)[choices[choice - 1]!])
    },
  }
}

/** `standIns` gets the word that stands for others which nothing tells apart. */
function listOf(fact: string, samples: readonly Sample[], standIns: Map<string, string>): Variable[] {
  const record = samples.some((sample) => 'entries' in sample)
  const set = (situation: Situation, choice: number) => {
    if (choice > 0) place(situation, fact, (known) => known ?? (record ? {} : []))
  }
  const parts = samples.flatMap((sample) =>
    partsOf(sample).map(([first, ...others]): Variable => {
      for (const other of others) standIns.set(other.key, first!.key)
      return {
        key: first!.key,
        fact,
        choices: 2,
        whole: fact,
        set: (situation, choice) => choice > 0 && first!.add(situation),
      }
    }),
  )
  return [{ key: fact, fact, choices: 2, set }, ...parts]
}

interface Part {
  readonly key: string
  add(situation: Situation): void
}

function partsOf(sample: Sample): Part[][] {
  const { fact } = sample
  if ('values' in sample) return []
  if ('members' in sample)
    return sample.members.map((words) =>
      words.map((word) => ({
        key: `${fact}:${word}`,
        add: (situation) => place(situation, fact, (list) => list && [...(list as string[]), word]),
      })),
    )
  return Object.entries(sample.entries).flatMap(([name, words]) =>
    words.map((word) => [
      {
        key: entryOf(fact, name) + word,
        add: (situation: Situation) =>
          place(situation, fact, (known) => {
            const record = known as Record<string, string[]> | undefined
            return record && { ...record, [name]: [...(Object.hasOwn(record, name) ? record[name]! : []), word] }
          }),
      },
    ]),
  )
}

/** Puts what `make` makes of the old value at a path; undefined leaves it as it is. */
function place(situation: Situation, path: string, make: (old: unknown) => unknown): void {
  const names = path.split('.')
  const last = names.pop()!
  let at = situation as Record<string, unknown>
  for (const name of names) {
    at[name] ??= {}
    at = at[name] as Record<string, unknown>
  }
  const value = make(at[last])
  if (value !== undefined) at[last] = value
}
