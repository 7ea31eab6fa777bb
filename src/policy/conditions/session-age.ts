import { z } from 'zod'
import { formatDuration, parseDuration } from '#core/duration'
import type { Condition } from '../condition.ts'
import { instant } from '../instants.ts'
import { duration } from './shapes.ts'

export const sessionAge: Condition<{ over: string }, number> = {
  name: 'session.age',
  wanted: z.strictObject({ over: duration }),
  prepare(wanted) {
    const over = parseDuration(wanted.over)!
    return {
      why: 'the start of the session is not known',
      see({ facts, at }) {
        const started = instant(facts.session?.started)
        return started === undefined || at === undefined ? undefined : Math.max(0, at - started)
      },
      holds: (age) => age > over,
      show: formatDuration,
    }
  },
  samples(all) {
    const ages = [0, ...new Set(all.map((wanted) => parseDuration(wanted.over)! + 1))]
    return [
      { fact: 'session.started', values: (at) => ages.map((age) => at - age) },
      { fact: 'at', values: (at) => [at] },
    ]
  },
}
