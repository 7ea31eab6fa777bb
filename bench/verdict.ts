import type { Figures } from './judged.ts'

/** A figure beside its target. */
export interface Verdict {
  readonly what: string
  readonly is: string
  readonly wanted: string
  readonly met: boolean
}

/** What came out of one measurement: the figures, for whoever reads `--json`, and which targets they meet. */
export interface Measured {
  readonly figures: object
  readonly verdicts: readonly Verdict[]
}

/** What a part of the bench found. */
export interface Found {
  /** For the table of targets, by the names of `targets.ts`. */
  readonly figures?: Figures
  readonly verdicts: readonly Verdict[]
  /** What a person reads above the targets. */
  readonly lines?: readonly string[]
  /** What `--json` tells. */
  readonly told: unknown
}

export const measuredFound = (told: Readonly<Record<string, Measured>>): Found => ({
  told,
  verdicts: Object.values(told).flatMap(({ verdicts }) => verdicts),
})

export function atMost(what: string, is: number, most: number, unit: string, digits = 0): Verdict {
  return { what, is: `${is.toFixed(digits)} ${unit}`, wanted: `≤ ${most} ${unit}`, met: is <= most }
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
