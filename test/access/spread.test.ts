/** Mean, median and 95th percentile of counts, against what sorting them all gives. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createCounting } from '../../src/access/replay/spread.ts'

function spreadOf(counts: readonly number[]) {
  const counting = createCounting()
  for (const one of counts) counting.add(one)
  return counting.spread()
}

test('of twenty days one of which was bad the median is that of most, and the 95th percentile does not see it', () => {
  const usual = Array.from({ length: 19 }, (_, i) => (i < 12 ? 1 : 2))
  expect(spreadOf([...usual, 40])).toEqual({ count: 20, total: 66, mean: 3.3, median: 1, p95: 2 })
  expect(spreadOf([...usual.slice(1), 40, 40])).toMatchObject({ median: 1, p95: 40 })
  expect(spreadOf([])).toMatchObject({ count: 0, total: 0, mean: 0 })
})

test('at least so many of all are no larger, and it is one of them', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(30), { minLength: 1, maxLength: 60 }), (counts) => {
      const { median, p95, total, mean } = spreadOf(counts)
      const sorted = counts.toSorted((a, b) => a - b)
      expect(total).toBe(counts.reduce((a, b) => a + b))
      expect(mean).toBeCloseTo(total / counts.length)
      for (const [share, value] of [
        [0.5, median],
        [0.95, p95],
      ] as const) {
        expect(sorted).toContain(value)
        expect(sorted.filter((one) => one <= value).length).toBeGreaterThanOrEqual(share * counts.length)
        expect(sorted.filter((one) => one < value).length).toBeLessThan(share * counts.length)
      }
    }),
    { numRuns: 2000 },
  )
})
