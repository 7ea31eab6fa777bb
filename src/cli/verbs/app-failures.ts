/** Why an app does not get in, as `apps show` and `policy explain --receipt` print it. */
import type { Diagnosed } from '#diagnosis'

const time = (at: number): string => new Date(at).toISOString()

export const shownFailure = ({ firstAt, lastAt, mendedAt, said, ...failure }: Diagnosed) => ({
  ...failure,
  said,
  first_at: time(firstAt),
  last_at: time(lastAt),
  mended_at: mendedAt === undefined ? null : time(mendedAt),
})

const often = (count: number, firstAt: number): string =>
  count === 1 ? 'once' : `${count} times since ${time(firstAt)}`

/** `app` where the lines do not stand below its name already. */
export const failureLines = (failure: Diagnosed, app?: string): string[] => {
  const { cause, likely, said, fix, reference, count, firstAt, lastAt, mendedAt } = failure
  const name = likely ? `likely ${cause}` : cause
  return [
    [time(lastAt), ...(app === undefined ? [] : [`to ${app}`]), name, often(count, firstAt), reference].join('  '),
    `  ${said}`,
    ...fix.map((line) => `  fix: ${line}`),
    `  ${mendedAt === undefined ? 'no success since' : `mended: last success after it ${time(mendedAt)}`}`,
  ]
}
