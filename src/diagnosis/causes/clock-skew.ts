/** What the app has written was written at another time than it is here. */
import type { Cause } from '../cause.ts'
import { CLOCKS } from '../fixes.ts'
import { say } from '../sentence.ts'

export const clockSkew: Cause = {
  code: 'clock-skew',
  find({ seen: { clock } }) {
    if (!clock) return undefined
    const off = Math.abs(Math.round(clock.ahead))
    if (clock.ahead > 0)
      return {
        cause: say`By the ${clock.of} of the app it is ${off} seconds later than by the clock here: one of the two clocks is wrong.`,
        fix: [CLOCKS],
      }
    // an old message looks the same as one from a clock that is behind
    return {
      cause: say`The ${clock.of} of the app is ${off} seconds old when it comes: likely its clock is behind.`,
      fix: [CLOCKS, 'where both clocks are right: somebody has opened an old link, or gone back in the browser'],
      likely: true,
    }
  },
}
