/** Strengths: which combinations of factors count, and what is missing to reach one. */
import {
  anyOf,
  BEGINNERS,
  bitOf,
  everySet,
  HARDWARE,
  kindsOf,
  offered,
  PASSKEY,
  VOUCHED_HARDWARE,
  VOUCHED_RESISTANT,
} from './factors.ts'

export interface Strength {
  readonly name: string
  /** Its place in a set of strengths, which is a number with one bit for each. */
  readonly bit: number
  /** Factors it lists by name, as bits. */
  readonly lists: number
  met(factors: number): boolean
}

const BUILT_IN: readonly Strength[] = Object.freeze([
  { name: 'any', bit: 1, lists: 0, met: anyOf },
  { name: 'two-factors', bit: 2, lists: 0, met: (factors) => kindsOf(factors) >= 2 },
  { name: 'phishing-resistant', bit: 4, lists: 0, met: (factors) => (factors & (PASSKEY | VOUCHED_RESISTANT)) !== 0 },
  {
    name: 'hardware',
    bit: 8,
    lists: 0,
    met: (factors) => ((factors & PASSKEY) !== 0 && (factors & HARDWARE) !== 0) || (factors & VOUCHED_HARDWARE) !== 0,
  },
])

export const BUILT_IN_NAMES: readonly string[] = BUILT_IN.map((strength) => strength.name)
/** A set of strengths is a 32-bit number. */
export const MOST_CUSTOM = 24

/** In a set of strengths, and no strength that anybody names: somebody signs in anew, with a factor that begins a session. */
export const ANEW: number = 1 << 30

const ANY = 1
const PHISHING_RESISTANT = 4
const HARDWARE_BIT = 8

export interface Strengths {
  readonly names: readonly string[]
  readonly all: readonly Strength[]
  find(name: string): Strength | undefined
  /** What was worked out for these strengths before: few demands and few sets of factors come up, each all the time. */
  readonly known: { readonly names: Known<readonly string[]>; readonly missing: Known<readonly (readonly string[])[]> }
}

/** Answers that only depend on their key. Emptied when full: keys hold what a request asks for. */
type Known<T> = (key: string, work: () => T) => T

const MOST_KNOWN = 1000

function createKnown<T>(): Known<T> {
  const answers = new Map<string, T>()
  return (key, work) => {
    let answer = answers.get(key)
    if (answer === undefined) {
      answer = work()
      if (answers.size >= MOST_KNOWN) answers.clear()
      answers.set(key, answer)
    }
    return answer
  }
}

/** The built-in strengths and the organisation's own, each a list of combinations of factor names. */
export function createStrengths(custom: ReadonlyMap<string, readonly (readonly string[])[]>): Strengths {
  const own = [...custom].map(([name, combinations], index): Strength => {
    const wanted = combinations.map((factors) => factors.reduce((bits, factor) => bits | bitOf(factor), 0))
    return {
      name,
      bit: 1 << (BUILT_IN.length + index),
      lists: wanted.reduce((bits, combination) => bits | combination, 0),
      met: (factors) => wanted.some((combination) => combination !== 0 && (factors & combination) === combination),
    }
  })
  const all = [...BUILT_IN, ...own]
  const byName = new Map(all.map((strength) => [strength.name, strength]))
  return Object.freeze({
    names: all.map((s) => s.name),
    all,
    find: (name: string) => byName.get(name),
    known: { names: createKnown<readonly string[]>(), missing: createKnown<readonly (readonly string[])[]>() },
  })
}

/** What has to be met: every strength of `every`, and, where `one` is not empty, at least one of it. */
export interface Demand {
  readonly every: number
  readonly one: number
}

export function meets(strengths: Strengths, demand: Demand, factors: number): boolean {
  if ((demand.every & ANEW) !== 0 && (factors & BEGINNERS) === 0) return false
  let one = demand.one === 0
  for (const strength of strengths.all) {
    if ((demand.every & strength.bit) !== 0 && !strength.met(factors)) return false
    if (!one && (demand.one & strength.bit) !== 0 && strength.met(factors)) one = true
  }
  return one
}

/** A set without the strengths that another one of it implies. */
export function withoutImplied(set: number): number {
  const left = set & HARDWARE_BIT ? set & ~PHISHING_RESISTANT : set
  return (left & ~ANEW) === ANY ? left : left & ~ANY
}

/** The names in a set, the strongest of the built-in ones first. */
export const namesIn = (strengths: Strengths, set: number): readonly string[] =>
  strengths.known.names(`${set}`, () => {
    const left = withoutImplied(set)
    const chosen = strengths.all.filter((strength) => (left & strength.bit) !== 0)
    chosen.sort((a, b) => (a.lists || b.lists ? a.bit - b.bit : b.bit - a.bit))
    return Object.freeze(chosen.map((strength) => strength.name))
  })

/** The strongest of the built-in strengths that the factors meet. */
export function strongest(factors: number): string | undefined {
  return BUILT_IN.findLast((strength) => strength.met(factors))?.name
}

/**
 * The smallest sets of further factors that would meet the demand, smallest first, a passkey before anything else of its
 * size. Empty when nothing is missing.
 */
export const alternatives = (strengths: Strengths, demand: Demand, held: number): readonly (readonly string[])[] =>
  strengths.known.missing(`${demand.every} ${demand.one} ${held}`, () =>
    Object.freeze(findAlternatives(strengths, demand, held).map((names) => Object.freeze(names))),
  )

function findAlternatives(strengths: Strengths, demand: Demand, held: number): string[][] {
  const listed = strengths.all.reduce((bits, s) => ((demand.every | demand.one) & s.bit ? bits | s.lists : bits), 0)
  const factors = offered(listed)
  const found: number[] = []
  const subsets = Array.from({ length: 1 << factors.length }, (_, subset) => subset).sort(
    (a, b) => sizeOf(a) - sizeOf(b) || a - b,
  )
  for (const subset of subsets) {
    if (found.some((smaller) => (smaller & subset) === smaller)) continue
    const bits = factors.reduce((sum, factor, index) => (subset & (1 << index) ? sum | factor.bits : sum), held)
    if (meets(strengths, demand, bits)) found.push(subset)
  }
  return found
    .filter((subset) => subset !== 0)
    .map((subset) => factors.filter((_, index) => subset & (1 << index)).map((factor) => factor.name))
}

function sizeOf(subset: number): number {
  let size = 0
  for (let rest = subset; rest !== 0; rest &= rest - 1) size++
  return size
}

/** Whether whatever meets `one` meets the other as well. */
export const implies = (one: Strength, other: Strength): boolean =>
  everySet().every((factors) => !one.met(factors) || other.met(factors))
