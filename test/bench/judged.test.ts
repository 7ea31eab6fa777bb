/** The table at the end of `npm run bench`: that it tells what was measured, and nothing else. How fast anything is, is the bench's to say. */
import { expect, test } from 'vitest'
import { type Figures, judged, judgedLines } from '../../bench/judged.ts'
import { chosen, PARTS, WORDS } from '../../bench/parts.ts'
import { TARGETS } from '../../bench/targets.ts'

const rowOf = (figure: string, figures: Figures) => judged(figures)[TARGETS.findIndex((one) => one.figure === figure)]!

test('every target has its row, and one that was not measured has no figure and says so', () => {
  const rows = judged({})
  expect(rows.map(({ what }) => what)).toEqual(TARGETS.map(({ what }) => what))
  expect(new Set(rows.map(({ judgement }) => judgement))).toEqual(new Set(['not measured in this run']))
  expect(rows.every(({ measured }) => measured === null)).toBe(true)
  expect(judgedLines(rows).filter((line) => line.includes('not measured in this run'))).toHaveLength(TARGETS.length)
})

test('a ratio meets its target from below, a time from above, and what is reached for is told apart', () => {
  const judgements = (figure: string, values: number[]) =>
    values.map((value) => rowOf(figure, { [figure]: value }).judgement)
  expect(judgements('sso', [0.69, 0.7, 1.99, 2])).toEqual(['MISSED', 'met', 'met', 'reached'])
  expect(judgements('queue', [3.01, 3, 2.01, 2])).toEqual(['MISSED', 'met', 'met', 'reached'])
  expect(judgements('api_many', [0.89, 0.9, 5])).toEqual(['MISSED', 'met', 'met'])
  expect(judgements('idle-geo', [161, 160])).toEqual(['not reached', 'reached'])
})

test('a figure of a smaller world is shown and not judged', () => {
  const row = rowOf('filled', { filled: { value: 9, small: '2,000 people' } })
  expect(row).toMatchObject({ measured: 9, judgement: 'not judged', why: '2,000 people' })
  expect(judgedLines(judged({ filled: { value: 9, small: '2,000 people' } })).at(-1)).toContain('9.00 ×')
})

test('what went wrong, and what is no number, is no figure', () => {
  expect(rowOf('sso', { sso: { why: '3 errors' } })).toMatchObject({ measured: null, why: '3 errors' })
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY])
    expect(rowOf('sso', { sso: value })).toMatchObject({ measured: null, judgement: 'not measured in this run' })
})

test('each target names a scenario that there is, and words nobody knows are told', () => {
  const { unknown } = chosen(TARGETS.map(({ scenario }) => scenario))
  expect(unknown).toEqual([])
  expect(chosen(['sso', 'policy.share', 'faster'])).toEqual({
    ...{ parts: ['flows', 'policy'], scenarios: ['sso', 'policy.share', 'faster'] },
    ...{ unknown: ['faster'], leftOut: [] },
  })
})

test('without words everything is measured, and a quick run tells what it leaves out', () => {
  const [all, quick] = [chosen(undefined), chosen(undefined, true)]
  expect([all.parts, all.leftOut]).toEqual([Object.keys(PARTS), []])
  expect([...quick.scenarios, ...quick.leftOut].sort()).toEqual([...all.scenarios].sort())
  expect(quick.leftOut).toContain('filled')
  for (const word of quick.scenarios) expect(WORDS).toContain(word)
})
