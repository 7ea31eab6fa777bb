import { z } from 'zod'
import type { Millis } from '#core/clock'
import { formatDuration, parseDuration } from '#core/duration'
import type { Condition } from '../condition.ts'
import { previousOf, since } from '../history.ts'
import { absenceSamples } from '../journeys.ts'
import { duration } from './shapes.ts'

/** Not signed in for so long. Somebody who never was is absent; a client that asks for itself is nobody who could be. */
export const frequencyAbsent: Condition<{ over: string }, Millis> = {
  name: 'frequency.absent',
  wanted: z.strictObject({ over: duration }),
  needs: () => [{ signal: 'absence' }],
  samples: (_, sampling) => absenceSamples(sampling),
  prepare(wanted) {
    const over = parseDuration(wanted.over)!
    return {
      why: 'it is not known when this person signed in last',
      see({ facts, at, subject }) {
        if (subject === 'client') return 0
        const previous = previousOf(facts.history)
        if (previous === undefined) return undefined
        const [last] = previous
        return last ? since(last.at, at) : Number.POSITIVE_INFINITY
      },
      holds: (past) => past > over,
      show: (past) => (past === Number.POSITIVE_INFINITY ? 'never' : formatDuration(past)),
    }
  },
}
