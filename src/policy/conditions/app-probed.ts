import { z } from 'zod'
import type { Millis } from '#core/clock'
import { formatDuration, parseDuration } from '#core/duration'
import type { Condition } from '../condition.ts'
import { instant } from '../instants.ts'
import { duration } from './shapes.ts'

/** The app's last probe is green and no older. One that was never probed, or whose last one is not green, is known not to be. */
export const appProbed: Condition<{ within: string }, Millis> = {
  name: 'app.probed',
  wanted: z.strictObject({ within: duration }),
  prepare(wanted) {
    const within = parseDuration(wanted.within)!
    return {
      why: 'it is not known whether the app was probed',
      see({ facts, at }) {
        const probed = facts.app?.probed
        if (probed === null) return Number.POSITIVE_INFINITY
        const since = instant(probed)
        return since === undefined || at === undefined ? undefined : Math.max(0, at - since)
      },
      holds: (age) => age <= within,
      show: (age) => (age === Number.POSITIVE_INFINITY ? 'never' : formatDuration(age)),
    }
  },
  samples(all) {
    const ages = [0, ...new Set(all.map((wanted) => parseDuration(wanted.within)! + 1))]
    return [
      { fact: 'app.probed', values: (at) => [...ages.map((age) => at - age), null] },
      { fact: 'at', values: (at) => [at] },
    ]
  },
}
