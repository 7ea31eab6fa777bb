/** Clients that nobody registers: their id is the address at which they say what they are (Client ID Metadata Document). */
import { z } from 'zod'
import { parseDuration } from '#core/duration'
import { clientBounds } from './client-bounds.ts'
import { duration } from './shapes.ts'

export const clientDocuments = z.strictObject({
  ...clientBounds('Where documents may stand, each host by itself'),
  cache: duration
    .refine((text) => {
      const length = parseDuration(text) ?? 0
      return length >= 60_000 && length <= 86_400_000
    }, 'expected from `1m` to `1d`')
    .default('1h')
    .describe('A document is read again after so long, or earlier where it says so'),
})
