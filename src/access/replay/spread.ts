/** How often something happens per unit (a person's day, a session): mean, median and 95th percentile. */
export interface Spread {
  /** How many units there were. */
  readonly count: number
  readonly total: number
  readonly mean: number
  readonly median: number
  readonly p95: number
}

export interface Counting {
  /** One unit in which it happened `times` times. */
  add(times: number): void
  spread(): Spread
}

/** Memory: one number for each count that occurs. */
export function createCounting(): Counting {
  const units = new Map<number, number>()
  return {
    add: (times) => void units.set(times, (units.get(times) ?? 0) + 1),
    spread() {
      const rows = [...units].sort(([a], [b]) => a - b)
      const count = rows.reduce((sum, [, n]) => sum + n, 0)
      const total = rows.reduce((sum, [times, n]) => sum + times * n, 0)
      /** The smallest value that at least this part of the units do not exceed (nearest rank). */
      const at = (part: number) => {
        let below = 0
        const found = rows.find(([, n]) => {
          below += n
          return below >= Math.ceil(part * count)
        })
        return found?.[0] ?? 0
      }
      return { count, total, mean: count === 0 ? 0 : total / count, median: at(0.5), p95: at(0.95) }
    },
  }
}
