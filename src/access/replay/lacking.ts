/** Facts that were not gathered, because no policy in force asked for them at the time. */
import type { ConditionTrace, Decision, Facts } from '#policy'

/** Conditions by the beginning of their names, and how one sees that nobody looked. */
const NOT_GATHERED: readonly (readonly [prefix: string, absent: (facts: Facts) => boolean])[] = [
  ['travel.', ({ history }) => history === undefined],
  ['frequency.', ({ history }) => history === undefined],
  ['country', ({ network }) => network?.country === undefined],
  ['network', ({ network }) => network?.country === undefined],
]

/** True when the decision rests on a condition about something that the receipt could not know. */
export const lacks = ({ trace }: Decision, facts: Facts): boolean =>
  trace.some(({ matched, conditions }) => matched === 'unknown' && conditions.some((one) => isLacking(one, facts)))

function isLacking({ condition, seen, conditions }: ConditionTrace, facts: Facts): boolean {
  if (conditions?.some((inner) => isLacking(inner, facts))) return true
  return seen === 'unknown' && NOT_GATHERED.some(([prefix, absent]) => condition.startsWith(prefix) && absent(facts))
}
