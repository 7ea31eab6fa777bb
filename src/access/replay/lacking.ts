/** Facts that were not gathered, because no policy in force asked for them at the time. */
import type { ConditionTrace, Decision, Facts } from '#policy'

/** Conditions by the beginning of their names, and how one sees that nobody looked, or that nobody found anything. */
const NOT_GATHERED: readonly (readonly [prefix: string, absent: (facts: Facts) => boolean])[] = [
  ['travel.', () => true],
  ['frequency.', () => true],
  ['country', ({ network }) => network?.country === undefined],
  ['network', ({ network }) => network?.ip !== undefined && network.country === undefined],
  ['device.platform', ({ device }) => device?.platform === undefined],
  ['upstream.', ({ session }) => session?.upstream === undefined],
]

/** True when the decision rests on a condition about something that the receipt does not know. */
export const lacks = ({ trace }: Decision, facts: Facts): boolean =>
  trace.some(({ matched, conditions }) => matched === 'unknown' && conditions.some((one) => isLacking(one, facts)))

function isLacking({ condition, result, conditions }: ConditionTrace, facts: Facts): boolean {
  if (conditions) return conditions.some((inner) => isLacking(inner, facts))
  return result === 'unknown' && NOT_GATHERED.some(([prefix, absent]) => condition.startsWith(prefix) && absent(facts))
}
