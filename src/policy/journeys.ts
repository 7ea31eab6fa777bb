/** Earlier sign-ins that stand for all others, as far as rules on journeys and on absence can tell them apart. */
import type { Instant } from '#core/clock'
import { parseDuration } from '#core/duration'
import type { Sample, Sampling } from './condition.ts'
import { distinct } from './conditions/shapes.ts'
import { degreesSouth, FURTHEST_KM } from './places.ts'
import { some, type Truth } from './truth.ts'
import { hasLocatedSites } from './whereabouts.ts'

/** One sign-in before: how far from here, and how long ago in milliseconds. Undefined: not told. */
interface Leg {
  readonly km: number | undefined
  readonly past: number | undefined
}

interface Thresholds {
  readonly distances: readonly number[]
  readonly speeds: readonly number[]
  readonly absences: readonly number[]
}

const HOUR = 3_600_000
const SECOND = 1000
/** More than any length of time that a rule can name. */
const LONGEST_AGO = 40_000 * 24 * HOUR
/** A list of sign-ins before is never longer (`history.ts`). */
const MOST_LEGS = 8
/** The North Pole: from there every distance is a latitude. */
const HERE = { latitude: 90, longitude: 0 }

/** Undefined where sites have places of their own, so that an address decides how far a journey was. */
export function travelSamples(sampling: Sampling): readonly Sample[] | undefined {
  if (hasLocatedSites(sampling)) return undefined
  return [
    ...absenceSamples(sampling),
    { fact: 'network.latitude', values: () => [HERE.latitude] },
    { fact: 'network.longitude', values: () => [HERE.longitude] },
  ]
}

export function absenceSamples(sampling: Sampling): readonly Sample[] {
  const over = <T>(name: string) => (sampling.wanted(name) as readonly { readonly over: T }[]).map((one) => one.over)
  const journeys = journeysOf({
    distances: over<number>('travel.distance'),
    speeds: over<number>('travel.speed'),
    absences: over<string>('frequency.absent').map((text) => parseDuration(text)!),
  })
  const signIn = (at: Instant, { km, past }: Leg) => ({
    ...(past !== undefined && { at: at - past }),
    ...(km !== undefined && { latitude: HERE.latitude - degreesSouth(km), longitude: HERE.longitude }),
  })
  return [
    {
      fact: 'history.previous',
      values: (at) => [null, ...journeys.map((legs) => legs.map((leg) => signIn(at, leg)))],
    },
    { fact: 'at', values: (at) => [at] },
  ]
}

/** Of every answer that several sign-ins together can give, one list of them. */
function journeysOf(thresholds: Thresholds): Leg[][] {
  const answerOf = (legs: readonly Leg[]) => JSON.stringify(answers(legs, thresholds))
  const single = distinct(
    legsOf(thresholds).map((leg) => [leg]),
    answerOf,
  )
  let journeys = single
  for (let length = 2; length <= MOST_LEGS; length++) {
    const longer = journeys.flatMap((legs) => single.map(([leg]) => [...legs, leg!]))
    const all = distinct([...journeys, ...longer], answerOf)
    if (all.length === journeys.length) break
    journeys = all
  }
  return journeys
}

/** Whatever lies between two thresholds is told apart by nothing, so one of it is enough. */
function legsOf({ distances, speeds, absences }: Thresholds): Leg[] {
  const moving = speeds.filter((speed) => speed > 0)
  const kilometres = between(
    [
      ...distances,
      ...moving.flatMap((speed) => [speed * (SECOND / HOUR), ...absences.map((past) => (speed * past) / HOUR)]),
    ],
    FURTHEST_KM,
  )
  return [undefined, ...kilometres].flatMap((km) => {
    const times = [...absences, ...moving.map((speed) => ((km ?? 0) / speed) * HOUR)]
    return [undefined, ...between(times, LONGEST_AGO)].map((past) => ({ km, past }))
  })
}

/** 0, something between each two, and something beyond the last. */
function between(edges: readonly number[], most: number): number[] {
  const inside = new Set(edges.filter((edge) => edge > 0 && edge < most))
  const sorted = [0, ...[...inside].sort((a, b) => a - b), most]
  return [0, ...sorted.slice(1).map((edge, index) => (sorted[index]! + edge) / 2)]
}

function answers(legs: readonly Leg[], { distances, speeds, absences }: Thresholds): Truth[] {
  const [last] = legs
  return [
    ...distances.map((over) => some(legs, ({ km }) => (km === undefined ? 'unknown' : km > over))),
    ...speeds.map((over) => some(legs, (leg) => (speedOf(leg) === undefined ? 'unknown' : speedOf(leg)! > over))),
    ...absences.map((over) => (last!.past === undefined ? 'unknown' : last!.past > over)),
  ]
}

function speedOf({ km, past }: Leg): number | undefined {
  if (km === undefined || km === 0) return km
  return past === undefined ? undefined : km / (Math.max(past, SECOND) / HOUR)
}
