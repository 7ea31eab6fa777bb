import { z } from 'zod'
import type { Condition } from '../condition.ts'
import { atLeast, words } from './shapes.ts'

interface Wanted {
  in?: string[] | undefined
  under?: string[] | undefined
}

/** Organisations are paths: `retail/nl` is under `retail`, `retailer` is not. */
export const userOrganisation: Condition<Wanted, string | null> = {
  name: 'user.organisation',
  wanted: z.union([
    words.transform((list): Wanted => ({ in: list })),
    z
      .strictObject({ in: words.optional(), under: words.optional() })
      .refine((form) => form.in || form.under, atLeast('a list, `in` or `under`')),
  ]),
  prepare: (wanted) => ({
    why: 'the organisation of the person is not known',
    see: (scene) => scene.facts.user?.organisation,
    holds: (seen) =>
      seen !== null &&
      (!wanted.in || wanted.in.includes(seen)) &&
      (!wanted.under || wanted.under.some((top) => seen === top || seen.startsWith(`${top}/`))),
  }),
}
