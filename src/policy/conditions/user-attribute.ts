import { z } from 'zod'
import type { Condition } from '../condition.ts'
import { atLeast, otherThan, words } from './shapes.ts'

interface Wanted {
  in?: string[] | undefined
  exists?: boolean | undefined
}

/** Attributes come as a whole: when they are known, one that is not among them is known to be absent. */
export const userAttribute: Condition<Wanted, readonly string[]> = {
  name: 'user.attribute.',
  wanted: z.union([
    words.transform((list): Wanted => ({ in: list })),
    z
      .strictObject({ in: words.optional(), exists: z.boolean().optional() })
      .refine((form) => form.in || form.exists !== undefined, atLeast('a list, `in` or `exists`')),
  ]),
  prepare: (wanted, { rest }) => ({
    why: 'the attributes of the person are not known',
    see({ facts }) {
      const attributes = facts.user?.attributes
      if (attributes === undefined) return undefined
      const value = Object.hasOwn(attributes, rest) ? attributes[rest] : null
      return value == null ? [] : typeof value === 'string' ? [value] : value
    },
    holds: (seen) =>
      (wanted.exists === undefined || seen.length > 0 === wanted.exists) &&
      (!wanted.in || seen.some((one) => wanted.in!.includes(one))),
  }),
  samples(all, { rest }) {
    const named = [...new Set(all.flatMap((wanted) => wanted.in ?? []))]
    return [{ fact: 'user.attributes', entries: { [rest]: [...named, otherThan(named)] } }]
  },
}
