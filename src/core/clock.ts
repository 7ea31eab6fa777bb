/** Time enters the house here and nowhere else, so that a test can give it. */

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type Instant = number

/** A length of time in milliseconds. */
export type Millis = number

export interface Clock {
  now(): Instant
}

export const systemClock: Clock = Object.freeze({ now: () => Date.now() })

/** Milliseconds since an arbitrary start, for measuring how long something took; never for deciding. */
export const stopwatch = (): Millis => performance.now()

export const seconds = (n: number): Millis => n * 1000
export const minutes = (n: number): Millis => n * 60_000
export const hours = (n: number): Millis => n * 3_600_000
export const days = (n: number): Millis => n * 86_400_000
