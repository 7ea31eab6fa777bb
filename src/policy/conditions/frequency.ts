/** What conditions on counters have in common: more than so often within so long. */
import { z } from 'zod'
import { days } from '#core/clock'
import { parseDuration } from '#core/duration'
import type { Condition } from '../condition.ts'
import { type Count, moreThan } from '../history.ts'
import type { Counter } from '../signals.ts'
import type { Length } from '../terms.ts'

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

/** Counted per person. Somebody who never signed in before has no count, where nothing else is said. */
export function counted(name: string, counter: Counter): Condition<Wanted, readonly Count[]> {
  return {
    name,
    wanted: z.strictObject({
      over: z.number('expected a whole number').int('expected a whole number').min(0).max(1_000_000),
      within,
    }) as unknown as z.ZodType<Wanted>,
    needs: (wanted) => [{ signal: counter, within: wanted.within }],
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
