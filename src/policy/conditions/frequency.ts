/** What conditions on counters have in common: more than so often within so long. */
import { z } from 'zod'
import { days } from '#core/clock'
import { formatDuration, parseDuration } from '#core/duration'
import type { Condition } from '../condition.ts'
import { type Count, moreThan } from '../history.ts'
import type { Counter } from '../signals.ts'
import type { Length } from '../terms.ts'
import { distinct } from './shapes.ts'

/** So far back counters reach. */
const LONGEST = days(31)
const EXPECTED = 'expected a duration up to `31d`, like `5m`'

interface Wanted {
  over: number
  within: Length
}

const within = z.string(EXPECTED).transform((text, ctx): Length => {
  const ms = parseDuration(text) ?? 0
  if (ms > 0 && ms <= LONGEST) return Object.freeze({ ms, text })
  ctx.addIssue(EXPECTED)
  return z.NEVER
})

/** More than that is not tried. */
const MOST_COUNTS = 5000
const SECOND = 1000

/**
 * Of every answer that rules on one counter can get, one list of counts. A little before each window tells how often at
 * least, a little after it how often at most; what happened in a window happened in every longer one.
 */
function countsOf(all: readonly Wanted[]): Count[][] | undefined {
  const windows = [...new Set(all.map(({ within: { ms } }) => ms))].sort((a, b) => a - b)
  const told = windows.flatMap((ms) => [ms - SECOND, ms + SECOND])
  const numbers = [0, ...new Set(all.map(({ over }) => over + 1))].sort((a, b) => a - b)
  const tooClose = told.some((ms, index) => ms <= (told[index - 1] ?? 0))
  if (tooClose || (numbers.length + 1) ** told.length > MOST_COUNTS) return undefined
  const lists = told.reduce<Count[][]>(
    (some, ms) =>
      some.flatMap((list) => [
        list,
        ...numbers
          .filter((count) => count >= (list.at(-1)?.count ?? 0))
          .map((count) => [...list, { within: formatDuration(ms), count }]),
      ]),
    [[]],
  )
  return distinct(lists, (list) => all.map(({ over, within: { ms } }) => String(moreThan(over, ms, list))).join())
}

/** Counted per person. Somebody who never signed in before has no count, where nothing else is said. */
export function counted(name: string, counter: Counter): Condition<Wanted, readonly Count[]> {
  return {
    name,
    wanted: z.strictObject({
      over: z.number('expected a whole number').int('expected a whole number').min(0).max(1_000_000),
      within,
    }) as unknown as z.ZodType<Wanted>,
    needs: (wanted) => [{ signal: counter, within: wanted.within }],
    samples(all) {
      const counts = countsOf(all)
      const previous = { fact: 'history.previous', values: () => [null] }
      return counts && [{ fact: `history.${counter}`, values: () => counts }, previous]
    },
    prepare: (wanted) => ({
      why: 'it is not known how often',
      see: ({ facts: { history } }) => history?.[counter] ?? (history?.previous === null ? [] : undefined),
      holds(counts, { facts: { history } }) {
        const truth = moreThan(wanted.over, wanted.within.ms, counts)
        return truth === 'unknown' && history?.previous === null ? false : truth
      },
      show: (counts) => counts.map(({ within: length, count }) => `${count} in ${length}`),
    }),
  }
}
