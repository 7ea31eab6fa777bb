import { since } from '../history.ts'
import { distance } from '../places.ts'
import { travelled } from './travel.ts'

/** The shortest time that counts, in hours: between two sign-ins of one second everything would be too fast. */
const SECOND = 1 / 3600

/** Kilometres an hour from the place of a sign-in before to this one. Who is where they were has not travelled. */
export const travelSpeed = travelled('travel.speed', 'km/h', (here, before, now) => {
  const far = distance(here, before)
  if (far === undefined || far === 0) return far
  const past = since(before.at, now)
  return past === undefined ? undefined : far / Math.max(past / 3_600_000, SECOND)
})
