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

export function atMost(what: string, is: number, most: number, unit: string, digits = 0): Verdict {
  return { what, is: `${is.toFixed(digits)} ${unit}`, wanted: `≤ ${most} ${unit}`, met: is <= most }
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
