import { z } from 'zod'
import type { Condition } from '../condition.ts'
import { checkCountries } from '../countries.ts'
import { among, placeOf } from '../scene.ts'
import { every, not } from '../truth.ts'
import { countrySamples } from '../whereabouts.ts'
import { atLeast } from './shapes.ts'

/** As a list names it where the country of an address is not known. */
const UNKNOWN = 'unknown'

interface Wanted {
  in?: string[] | undefined
  outside?: string[] | undefined
}

const codes = z.union([
  z.string().transform((one): string[] => [one]),
  z.array(z.string('expected text; write `NO` in quotes')).min(1, 'expected at least one').max(300),
])

/** The country of the client's address. `unknown` may stand in a list like a country; elsewhere it is neither in nor out. */
export const country: Condition<Wanted, string> = {
  name: 'country',
  wanted: z
    .union([
      codes.transform((list): Wanted => ({ in: list })),
      z
        .strictObject({ in: codes.optional(), outside: codes.optional() })
        .refine((form) => form.in || form.outside, atLeast('a list, `in` or `outside`')),
    ])
    .superRefine((wanted, ctx) => {
      for (const key of ['in', 'outside'] as const) checkCountries(wanted[key] ?? [], ctx, [], [UNKNOWN])
    }),
  needs: () => [{ signal: 'place' }],
  samples: (_, sampling) => countrySamples(sampling),
  prepare(wanted) {
    const [inside, outside] = [wanted.in && new Set(wanted.in), wanted.outside && new Set(wanted.outside)]
    const named = (list: ReadonlySet<string>, seen: string) =>
      list.has(UNKNOWN) && seen === UNKNOWN ? true : among(list, seen === UNKNOWN ? undefined : seen)
    return {
      why: 'the country of the address is not known',
      // known to be in no country is an empty word, which no list holds
      see(scene) {
        const { country } = placeOf(scene)
        return country === undefined ? UNKNOWN : (country ?? '')
      },
      holds: (seen) => every([!inside || named(inside, seen), !outside || not(named(outside, seen))]),
      show: (seen) => (seen === '' ? null : seen),
    }
  },
}
