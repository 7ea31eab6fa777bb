/** Settings of what people of a directory can do while it is down; of any kind that is not ours. */
import { z } from 'zod'
import { parseDuration } from '#core/duration'
import { duration } from './shapes.ts'

const atMost = (longest: string) =>
  duration.refine((text) => (parseDuration(text) ?? 0) <= parseDuration(longest)!, `expected at most \`${longest}\``)

export const degraded = z
  .strictObject({
    verified_within: atMost('30d')
      .default('24h')
      .describe('The directory itself has confirmed the person, for a password the password, at most so long ago'),
    devices: z
      .array(z.enum(['known', 'enrolled']))
      .min(1)
      .default(['known', 'enrolled'])
      .describe('Sign-ins happen on such devices only'),
    tiers: z.array(z.string().min(1)).min(1).describe('Of the apps that stay open'),
    for: atMost('7d').default('4h').describe('So long after it went down everything is closed'),
  })
  .optional()
  .describe('What its people can do while it cannot be asked; without it their passwords cannot be checked then')

/** What people of a directory can do while it is down. */
export type Degraded = NonNullable<z.infer<typeof degraded>>
