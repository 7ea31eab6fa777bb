import { z } from 'zod'
import { days, type Millis } from '#core/clock'
import { parseDuration } from '#core/duration'
import type { Condition } from '../condition.ts'
import { previousOf, since } from '../history.ts'
import { placeOf, type Scene } from '../scene.ts'
import type { Truth } from '../truth.ts'
import { countriesOf, countrySamples } from '../whereabouts.ts'

const EXPECTED = 'expected days like `90d`'

/** Days, as a number or as a duration. */
const over = z
  .union([z.number(EXPECTED).int().positive().max(36_500), z.string(EXPECTED)], EXPECTED)
  .transform((written, ctx): Millis => {
    const length = typeof written === 'number' ? days(written) : parseDuration(written)
    if (length) return length
    ctx.addIssue(EXPECTED)
    return z.NEVER
  })

/** Conditions on the sign-ins before. */
const OTHERS = ['travel.speed', 'travel.distance', 'frequency.absent']

interface Visit {
  readonly country: string
  readonly seen: Truth
}

/** A country in which this person was not seen for so long. On a first sign-in there is none to compare with. */
export const travelNewCountry: Condition<{ over: Millis }, Visit | null> = {
  name: 'travel.new_country',
  wanted: z.strictObject({ over }) as unknown as z.ZodType<{ over: Millis }>,
  needs: () => [{ signal: 'travel' }, { signal: 'countries' }],
  samples(all, sampling) {
    // what other conditions want of the same sign-ins is more than can be tried together
    if (OTHERS.some((name) => sampling.wanted(name).length > 0)) return undefined
    const codes = countriesOf(sampling)
    const ages = [0, ...all.map((wanted) => wanted.over + 1)]
    return [
      ...countrySamples(sampling),
      {
        fact: 'history.countries',
        values: (at) => [
          [],
          codes.map((country) => ({ country })),
          ...ages.map((age) => codes.map((country) => ({ country, at: at - age }))),
        ],
      },
      {
        fact: 'history.previous',
        values: (at) => [
          null,
          { at },
          ...codes.flatMap((country) => [{ country }, ...ages.map((age) => ({ country, at: at - age }))]),
        ],
      },
      { fact: 'at', values: (at) => [at] },
    ]
  },
  prepare: ({ over: longest }) => ({
    why: 'the country is not known, or not those of the sign-ins before',
    see(scene) {
      if (previousOf(scene.facts.history)?.length === 0) return null
      const { country } = placeOf(scene)
      if (country === undefined) return undefined
      return country === null ? null : { country, seen: seenIn(country, longest, scene) }
    },
    holds: (visit) => visit !== null && (visit.seen === 'unknown' ? 'unknown' : !visit.seen),
    show: (visit) => visit?.country ?? null,
  }),
}

/**
 * Without the countries, the earliest of the sign-ins before tells of its own only: another one may have been seen or
 * not. A later one was perhaps let in without a look at the country.
 */
function seenIn(country: string, longest: Millis, { facts, at }: Scene): Truth {
  const told = facts.history?.countries
  const visits = told ?? previousOf(facts.history)?.slice(-1) ?? []
  let result: Truth = told ? false : 'unknown'
  for (const visit of visits) {
    if (visit.country !== country) continue
    const past = since(visit.at, at)
    if (past === undefined) result = 'unknown'
    else if (past <= longest) return true
  }
  return result
}
