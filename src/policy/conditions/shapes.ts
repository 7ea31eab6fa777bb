/** The shapes in which most conditions are written, so that a member only says which fact it looks at. */
import { z } from 'zod'
import { parseDuration } from '#core/duration'
import type { Condition } from '../condition.ts'
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

/** The fact is one word; the rule lists those that are right: `[a, b]`, `a` or `{ in: [a, b] }`. */
export function oneOf(
  name: string,
  why: string,
  fact: Fact<string | null>,
  from: z.ZodType<string[]> = words,
): Condition {
  return {
    name,
    wanted: z.union([from, z.strictObject({ in: from }).transform((form) => form.in)]),
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
export const choice = <const T extends readonly [string, ...string[]]>(choices: T): z.ZodType<string[]> => {
  const one = z.enum(choices)
  return z.union([
    one.transform((word): string[] => [word]),
    z.array(one).min(1, 'expected at least one'),
  ]) as z.ZodType<string[]>
}

interface Some {
  in?: string[] | undefined
  all?: string[] | undefined
  none?: string[] | undefined
}

/** The fact is a list; the rule wants some of it: `[a, b]` any, `{ all: [] }`, `{ none: [] }`, or several of these. */
export function someOf(name: string, why: string, fact: Fact<readonly string[]>): Condition {
  return {
    name,
    wanted: z.union([
      words.transform((list): Some => ({ in: list })),
      z
        .strictObject({ in: words.optional(), all: words.optional(), none: words.optional() })
        .refine((form) => form.in || form.all || form.none, atLeast('a list, `in`, `all` or `none`')),
    ]),
    prepare(wanted: Some) {
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

/** The fact is yes or no: `true`, `false` or `{ is: true }`. */
export function yesOrNo(name: string, why: string, fact: Fact<boolean>): Condition {
  return {
    name,
    wanted: z.union([z.boolean(), z.strictObject({ is: z.boolean() }).transform((form) => form.is)]),
    prepare: (wanted: boolean) => ({
      why,
      see: (scene) => fact(scene.facts),
      holds: (seen: boolean) => seen === wanted,
    }),
  }
}
