/**
 * Looks for a situation: chooses for one variable after another, and turns back as soon as a requirement whose variables
 * are all chosen does not hold. Complete: where it finds none, there is none in this world.
 */
import type { Situation, Variable } from './variables.ts'

/** Something that must hold, and the keys of the variables that decide whether it does. */
export interface Requirement {
  readonly needs: readonly string[]
  holds(situation: Situation): boolean
}

export interface Search {
  readonly variables: ReadonlyMap<string, Variable>
  /** The variables of the first are chosen first, and known before unknown. */
  readonly requirements: readonly Requirement[]
  /** Facts that hold before anything is chosen. */
  readonly given?: () => Situation
  /** False: no fact that is looked at may be left out. */
  readonly unknown?: boolean
  readonly budget: Budget
}

/** `unsure`: there were more combinations than it may look at. */
export type Found = { readonly situation: Situation } | 'none' | 'unsure'

/** How often a requirement may still be looked at. */
export interface Budget {
  left: number
}

/** Ordinary policies take some dozens for one search. */
export const MOST_PER_SEARCH = 20_000
/** A few seconds for all policies together. */
export const MOST_PER_CHECK = 500_000

export function search({ variables, requirements, given, unknown = true, budget }: Search): Found {
  const order = [...new Set(requirements.flatMap(({ needs }) => needs))]
    .map((key) => variables.get(key)!)
    .sort((a, b) => +(b.first ?? false) - +(a.first ?? false))
  const own = new Set(requirements[0]?.needs)
  const due = dueAt(order, requirements)
  const choices = new Map<string, number>()
  const allowance = Math.min(MOST_PER_SEARCH, budget.left)
  let left = allowance - requirements.length

  const situationUpTo = (depth: number): Situation => {
    const situation: Situation = given?.() ?? { user: {} }
    for (const variable of order.slice(0, depth)) variable.set(situation, choices.get(variable.key)!)
    return situation
  }
  const passes = (depth: number): boolean => {
    if (due[depth]!.length === 0) return true
    const situation = situationUpTo(depth)
    return due[depth]!.every((requirement) => left-- > 0 && requirement.holds(situation))
  }
  const go = (depth: number): Situation | undefined => {
    const variable = order[depth]
    if (!variable) return situationUpTo(depth)
    for (const choice of options(variable, choices, own.has(variable.key), unknown)) {
      choices.set(variable.key, choice)
      const found = passes(depth + 1) ? go(depth + 1) : undefined
      if (found || left <= 0) return found
    }
    return undefined
  }

  const situation = left > 0 && passes(0) ? go(0) : undefined
  budget.left -= allowance - Math.max(left, 0)
  return situation ? { situation } : left > 0 ? 'none' : 'unsure'
}

/** For each number of variables that are chosen, the requirements that can be looked at from then on. */
function dueAt(order: readonly Variable[], requirements: readonly Requirement[]): Requirement[][] {
  const place = new Map(order.map(({ key }, index) => [key, index + 1]))
  const due: Requirement[][] = Array.from({ length: order.length + 1 }, () => [])
  for (const requirement of requirements)
    due[requirement.needs.reduce((last, key) => Math.max(last, place.get(key)!), 0)]!.push(requirement)
  return due
}

function options(variable: Variable, choices: ReadonlyMap<string, number>, own: boolean, unknown: boolean): number[] {
  const all = Array.from({ length: variable.choices }, (_, choice) => choice)
  // of a list that is not known no part is
  if (variable.whole !== undefined) return choices.get(variable.whole) === 0 ? [0] : all
  const [left, ...known] = all
  return !unknown ? known : own ? [...known, left!] : all
}
