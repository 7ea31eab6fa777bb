/** What facts tell about a person's past: the sign-ins before, the countries, and how often things happened. */
import { z } from 'zod'
import { type Instant, minutes } from '#core/clock'
import { parseDuration } from '#core/duration'
import { instant, type Time, time } from './instants.ts'
import type { Place } from './places.ts'
import type { Counter } from './signals.ts'
import type { Truth } from './truth.ts'

export interface PastSignIn extends Place {
  readonly at?: Time | undefined
}

/** How often within the last so long. */
export interface Count {
  /** As a duration: `5m`. */
  readonly within: string
  readonly count: number
}

export type History = {
  /** `null`: never signed in before. A list where several sign-ins count, the last one first. */
  readonly previous?: PastSignIn | readonly PastSignIn[] | null | undefined
  /** The countries that this person was seen in, each with the last time. */
  readonly countries?: readonly { readonly country: string; readonly at?: Time | undefined }[] | undefined
} & { readonly [K in Counter]?: readonly Count[] | undefined }

const MOST_COUNTRIES = 300
const country = z.string().regex(/^[A-Z]{2}$/, 'expected two capital letters')

export const placeFields = {
  country: country.nullable().optional(),
  latitude: z.number().min(-90).max(90).optional(),
  longitude: z.number().min(-180).max(180).optional(),
}

const signIn = z.strictObject({ at: time.optional(), ...placeFields })
const counts = z
  .array(
    z.strictObject({
      within: z.string().refine((text) => (parseDuration(text) ?? 0) > 0, 'expected a duration like `5m`'),
      count: z.number().int().min(0),
    }),
  )
  .max(100)
  .optional()

export const historySchema: z.ZodType<History> = z.strictObject({
  previous: z
    .union([signIn, z.array(signIn).min(1).max(8)])
    .nullable()
    .optional(),
  countries: z
    .array(z.strictObject({ country, at: time.optional() }))
    .max(MOST_COUNTRIES)
    .optional(),
  sign_ins: counts,
  failures: counts,
  app_opens: counts,
  prompts: counts,
})

/** The sign-ins that count as previous ones: none for somebody new, undefined where that is not known. */
export function previousOf(history: History | undefined): readonly PastSignIn[] | undefined {
  const previous = history?.previous
  if (previous === undefined) return undefined
  return previous === null ? [] : Array.isArray(previous) ? previous : [previous as PastSignIn]
}

/** The clocks of several processes are never quite the same. */
const CLOCKS: number = minutes(5)

/** How long ago, in milliseconds; undefined for what is said to be still to come: some clock was set. */
export function since(then: Time | undefined, now: Instant | undefined): number | undefined {
  const at = instant(then)
  if (at === undefined || now === undefined || at - now > CLOCKS) return undefined
  return Math.max(0, now - at)
}

/**
 * Whether something happened more than `over` times within `within` milliseconds. A longer window with few enough, or a
 * shorter one with more than enough, answers as well as the very window.
 */
export function moreThan(over: number, within: number, counts: readonly Count[]): Truth {
  // an empty list is known to be nothing
  if (counts.length === 0) return false
  for (const { within: text, count } of counts) {
    const length = parseDuration(text)!
    if (length <= within && count > over) return true
    if (length >= within && count <= over) return false
  }
  return 'unknown'
}
