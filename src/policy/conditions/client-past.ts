/** What conditions on numbers of a program's past have in common: more than so many. */
import { z } from 'zod'
import type { Condition } from '../condition.ts'

const MOST = 1_000_000

/** Where no client asks for itself there are none. */
export const clientOver = (fact: 'failures' | 'volume', number: z.ZodType<number>, why: string): Condition => ({
  name: `client.${fact}`,
  wanted: z.strictObject({ over: number }),
  needs: () => [{ signal: 'client_past' }],
  samples: (all: readonly { over: number }[]) => [
    { fact: `client.${fact}`, values: () => [0, ...new Set(all.map(({ over }) => over + 1))] },
  ],
  prepare: ({ over }: { over: number }) => ({
    why,
    see: ({ facts: { client } }) => (client === null ? 0 : client?.[fact]),
    holds: (count: number) => count > over,
  }),
})

export const whole = z.number('expected a whole number').int('expected a whole number').min(0).max(MOST)
export const times = z.number('expected a number').min(1, 'expected 1 or more').max(MOST)
