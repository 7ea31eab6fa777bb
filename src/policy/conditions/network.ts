import { z } from 'zod'
import type { Condition } from '../condition.ts'
import { edgesOf } from '../zones.ts'
import { atLeast, distinct, words } from './shapes.ts'

interface Wanted {
  in?: string[] | undefined
  outside?: string[] | undefined
}

/** The client's address against the named zones. An address that cannot be read is unknown, not outside. */
export const network: Condition<Wanted, string> = {
  name: 'network',
  wanted: z.union([
    words.transform((list): Wanted => ({ in: list })),
    z
      .strictObject({ in: words.optional(), outside: words.optional() })
      .refine((form) => form.in || form.outside, atLeast('a list, `in` or `outside`')),
  ]),
  refers: (wanted) => [...(wanted.in ?? []), ...(wanted.outside ?? [])].map((name) => ({ to: 'network', name })),
  prepare(wanted, { zones }) {
    const inside = wanted.in?.map((name) => zones.get(name)!)
    const outside = wanted.outside?.map((name) => zones.get(name)!)
    return {
      why: 'the address is not known',
      see: (scene) => scene.address,
      holds: (_, scene) =>
        (!inside || inside.some((zone) => scene.inside(zone))) && !outside?.some((zone) => scene.inside(zone)),
    }
  },
  samples(all, { zones }) {
    const named = [...new Set(all.flatMap((wanted) => [...(wanted.in ?? []), ...(wanted.outside ?? [])]))]
    const chosen = named.map((name) => zones.get(name)!)
    const addresses = distinct(['0.0.0.0', '::', ...chosen.flatMap(edgesOf)], (address) =>
      chosen.map((zone) => +zone.contains(address)).join(''),
    )
    return [{ fact: 'network.ip', values: () => addresses }]
  },
}
