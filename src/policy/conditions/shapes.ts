/**
 * The shapes in which most conditions are written, so that a member only says which fact it looks at. Its name is also
 * where the fact stands: `device.known` is `facts.device.known`.
 */
import { z } from 'zod'
import { parseDuration } from '#core/duration'
import type { Condition, Reference } from '../condition.ts'
import type { Facts } from '../facts.ts'

const word = z.string('expected text; write numbers in quotes').min(1).max(1000)

/** One word, or a list of them. An empty list would be a rule that never matches. */
export const words = z.union([
  word.transform((one): string[] => [one]),
  z.array(word).min(1, 'expected at least one').max(5000),
])

export const duration = z
  .string()
  .refine((text) => parseDuration(text) !== undefined, 'expected a duration like `90s`, `15m`, `12h` or `30d`')

/** For a form that must have at least one of its keys: said only where nothing else is wrong with it. */
export const atLeast = (expected: string) => ({
  error: `expected ${expected}`,
  when: ({ issues }: { issues: readonly unknown[] }) => issues.length === 0,
})

export type Fact<T> = (facts: Facts) => T | undefined

/**
 * The fact is one word; the rule lists those that are right: `[a, b]`, `a` or `{ in: [a, b] }`. `to` says what its words
 * are the names of.
 */
export function oneOf(
  name: string,
  why: string,
  fact: Fact<string | null>,
  from: z.ZodType<string[]> & { readonly choices?: readonly string[] } = words,
  to?: Reference['to'],
): Condition {
  return {
    name,
    wanted: z.union([from, z.strictObject({ in: from }).transform((form) => form.in)]),
    ...(to && { refers: (wanted: string[]) => wanted.map((word) => ({ to, name: word })) }),
    samples(all: readonly string[][]) {
      const named = [...new Set(all.flat())]
      const lists = all.map((list) => new Set(list))
      const values = distinct(from.choices ?? [otherThan(named), ...named], (one) =>
        lists.map((list) => +list.has(one)).join(''),
      )
      return [{ fact: name, values: () => values }]
    },
    prepare(wanted: string[]) {
      const right = new Set(wanted)
      return {
        why,
        see: (scene) => fact(scene.facts),
        holds: (seen: string | null) => seen !== null && right.has(seen),
      }
    },
  }
}

/** One of a closed list of words. */
export const choice = <const T extends readonly [string, ...string[]]>(choices: T) => {
  const one = z.enum(choices)
  const schema = z.union([one.transform((word): string[] => [word]), z.array(one).min(1, 'expected at least one')])
  return Object.assign(schema as z.ZodType<string[]>, { choices })
}

/** A word that is none of these. */
export function otherThan(named: readonly string[]): string {
  let other = 'another'
  while (named.includes(other)) other += '-'
  return other
}

/** Values for which `tell` answers the same stand together. */
const alike = <T>(values: readonly T[], tell: (value: T) => string): T[][] => [...Map.groupBy(values, tell).values()]

/** The first value of each answer that `tell` gives. */
export const distinct = <T>(values: readonly T[], tell: (value: T) => string): T[] =>
  alike(values, tell).map(([first]) => first!)

interface Some {
  in?: string[] | undefined
  all?: string[] | undefined
  none?: string[] | undefined
}

/**
 * The fact is a list; the rule wants some of it: `[a, b]` any, `{ all: [] }`, `{ none: [] }`, or several of these. `to`
 * says what its words are the names of.
 */
export function someOf(
  name: string,
  why: string,
  fact: Fact<readonly string[]>,
  to?: Reference['to'],
): Condition<Some, readonly string[]> {
  const named = ({ in: some = [], all = [], none = [] }: Some) => [...some, ...all, ...none]
  return {
    name,
    ...(to && { refers: (wanted: Some) => named(wanted).map((word) => ({ to, name: word })) }),
    samples(list) {
      const forms = list.map((form) => ({ some: new Set(form.in), none: new Set(form.none), all: new Set(form.all) }))
      // words that stand in the same lists bring about the same answers, but for `all`, which wants each of them
      const members = alike([...new Set(list.flatMap(named))], (one) =>
        forms.map(({ some, none, all }) => (all.has(one) ? one : +some.has(one) + 2 * +none.has(one))).join(' '),
      )
      return [{ fact: name, members }]
    },
    wanted: z.union([
      words.transform((list): Some => ({ in: list })),
      z
        .strictObject({ in: words.optional(), all: words.optional(), none: words.optional() })
        .refine((form) => form.in || form.all || form.none, atLeast('a list, `in`, `all` or `none`')),
    ]),
    prepare(wanted) {
      const any = wanted.in && new Set(wanted.in)
      const none = wanted.none && new Set(wanted.none)
      return {
        why,
        see: (scene) => fact(scene.facts),
        holds: (seen: readonly string[]) =>
          (!any || seen.some((one) => any.has(one))) &&
          (!wanted.all || wanted.all.every((one) => seen.includes(one))) &&
          (!none || !seen.some((one) => none.has(one))),
      }
    },
  }
}

/** The fact is yes or no: `true`, `false` or `{ is: true }`. One that is known to be nothing is neither. */
export function yesOrNo(name: string, why: string, fact: Fact<boolean | null>): Condition {
  return {
    name,
    wanted: z.union([z.boolean(), z.strictObject({ is: z.boolean() }).transform((form) => form.is)]),
    samples: () => [{ fact: name, values: () => [true, false] }],
    prepare: (wanted: boolean) => ({
      why,
      see: (scene) => fact(scene.facts),
      holds: (seen: boolean | null) => seen === wanted,
    }),
  }
}
