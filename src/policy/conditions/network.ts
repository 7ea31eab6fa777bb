import { z } from 'zod'
import type { Condition } from '../condition.ts'
import { isInside, placeOf } from '../scene.ts'
import { every, not, some } from '../truth.ts'
import { addressSample, countrySamples } from '../whereabouts.ts'
import { atLeast, words } from './shapes.ts'

interface Wanted {
  in?: string[] | undefined
  outside?: string[] | undefined
}

/**
 * The client's address against the named zones. An address that cannot be read is unknown, not outside, and so is one
 * without a known country for a zone of countries.
 */
export const network: Condition<Wanted, string> = {
  name: 'network',
  wanted: z.union([
    words.transform((list): Wanted => ({ in: list })),
    z
      .strictObject({ in: words.optional(), outside: words.optional() })
      .refine((form) => form.in || form.outside, atLeast('a list, `in` or `outside`')),
  ]),
  refers: (wanted) => [...(wanted.in ?? []), ...(wanted.outside ?? [])].map((name) => ({ to: 'network', name })),
  needs: (wanted, { zones }) =>
    [...(wanted.in ?? []), ...(wanted.outside ?? [])].some((name) => zones.get(name)!.countries)
      ? [{ signal: 'place' }]
      : [],
  prepare(wanted, { zones }) {
    const inside = wanted.in?.map((name) => zones.get(name)!)
    const outside = wanted.outside?.map((name) => zones.get(name)!)
    const byCountry = [...(inside ?? []), ...(outside ?? [])].some((zone) => zone.countries)
    return {
      why: byCountry ? 'the address is not known, or not its country' : 'the address is not known',
      see: (scene) => scene.address ?? (byCountry ? (placeOf(scene).country ?? undefined) : undefined),
      holds: (_, scene) =>
        every([
          !inside || some(inside, (zone) => isInside(scene, zone)),
          !outside || not(some(outside, (zone) => isInside(scene, zone))),
        ]),
    }
  },
  samples(all, sampling) {
    const named = all.flatMap((wanted) => [...(wanted.in ?? []), ...(wanted.outside ?? [])])
    const byCountry = named.some((name) => sampling.zones.get(name)!.countries)
    return [addressSample(sampling), ...(byCountry ? countrySamples(sampling) : [])]
  },
}
