import { z } from 'zod'
import type { Condition } from '../condition.ts'
import { atLeast, distinct, otherThan, words } from './shapes.ts'

interface Wanted {
  in?: string[] | undefined
  under?: string[] | undefined
}

const holds = (wanted: Wanted, seen: string | null): boolean =>
  seen !== null &&
  (!wanted.in || wanted.in.includes(seen)) &&
  (!wanted.under || wanted.under.some((top) => seen === top || seen.startsWith(`${top}/`)))

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
    holds: (seen) => holds(wanted, seen),
  }),
  samples(all) {
    const named = [...new Set(all.flatMap((wanted) => [...(wanted.in ?? []), ...(wanted.under ?? [])]))]
    // each of them, and somewhere below each that is none of them
    const places = named.flatMap((top) => [top, `${top}/${otherThan(named.map((one) => one.slice(top.length + 1)))}`])
    const values = distinct([otherThan(named), ...places], (one) => all.map((wanted) => +holds(wanted, one)).join(''))
    return [{ fact: 'user.organisation', values: () => values }]
  },
}
