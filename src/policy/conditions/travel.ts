/** What conditions on journeys have in common: this place against those of the sign-ins before. */
import { z } from 'zod'
import type { Instant } from '#core/clock'
import type { Condition } from '../condition.ts'
import { type PastSignIn, previousOf } from '../history.ts'
import { travelSamples } from '../journeys.ts'
import type { Place } from '../places.ts'
import { placeOf } from '../scene.ts'
import { some } from '../truth.ts'

/** Undefined: it cannot be told. */
export type Measure = (here: Place, before: PastSignIn, now: Instant | undefined) => number | undefined

/** More than so much from any of the sign-ins before. On a first sign-in there is no journey. */
export function travelled(name: string, unit: string, measure: Measure): Condition<{ over: number }, Legs> {
  return {
    name,
    wanted: z.strictObject({ over: z.number(`expected a number of ${unit}`).min(0).max(1e6) }),
    needs: () => [{ signal: 'travel' }],
    samples: (_, sampling) => travelSamples(sampling),
    prepare: ({ over }) => ({
      why: 'the place is not known, or not that of a sign-in before',
      see: (scene) => previousOf(scene.facts.history)?.map((before) => measure(placeOf(scene), before, scene.at)),
      holds: (legs) => some(legs, (leg) => (leg === undefined ? 'unknown' : leg > over)),
      show: (legs) => legs.map((leg) => (leg === undefined ? 'unknown' : `${Math.round(leg)} ${unit}`)),
    }),
  }
}

type Legs = readonly (number | undefined)[]
