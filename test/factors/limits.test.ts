import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { formatDuration } from '#core/duration'
import { CHALLENGE_LIFE, FIRST_WAIT, LIMITS, LONGEST_WAIT, MOST_PASSKEYS, MOST_TOTPS, RECOVERY_CODES } from '#factors'
import { USER_CODE_LIMITS } from '#protocol/oidc'
import { CODE_LIFE, ENROLMENT_LIMIT, LONGEST_CODE_LIFE } from '#sessions'
import { DEPARTURE_LIMIT } from '#signin'

const text = readFileSync(join(import.meta.dirname, '../../docs/limits.md'), 'utf8')

test('docs/limits.md has every limit on guessing with its numbers, and none that is gone', () => {
  const rows = [...text.matchAll(/^\| `([a-z-]+)` \| (\d+) \| (\w+) \|/gm)].map(([, name, tries, within]) => [
    name,
    `${tries} in ${within}`,
  ])
  const others = { 'device-enrolment': ENROLMENT_LIMIT, 'provider-departures': DEPARTURE_LIMIT, ...USER_CODE_LIMITS }
  const limits = Object.entries({ ...LIMITS, ...others }).map(([name, limit]) => [
    name,
    `${limit.tries} in ${formatDuration(limit.within)}`,
  ])
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(limits))
})

test('docs/limits.md has the other numbers as well', () => {
  const said = Object.fromEntries(
    [...text.matchAll(/^\| ([a-z][^|`]+) \| (\w+) \|$/gm)].map(([, what, number]) => [what, number]),
  )
  expect(said).toMatchObject({
    'first wait': formatDuration(FIRST_WAIT),
    'longest wait': formatDuration(LONGEST_WAIT),
    'life of a challenge': formatDuration(CHALLENGE_LIFE),
    'passkeys of one person': String(MOST_PASSKEYS),
    'authenticator apps of one person': String(MOST_TOTPS),
    'recovery codes': String(RECOVERY_CODES),
    'life of a code for a device': formatDuration(CODE_LIFE),
    'the longest that one can be given': formatDuration(LONGEST_CODE_LIFE),
  })
})
