/** Clients that nobody registers: their id is the address at which they say what they are (Client ID Metadata Document). */
import { z } from 'zod'
import { parseDuration } from '#core/duration'
import { duration } from './shapes.ts'

const line = z.string().min(1).max(200)
const host = z
  .string()
  .regex(/^(?:[a-z0-9-]+\.)*[a-z0-9-]+(?::[1-9]\d{0,4})?$/, 'expected a host in lower case, like `apps.example.com`')

export const clientDocuments = z.strictObject({
  hosts: z.array(host).min(1).max(100).describe('Where documents may stand, each host by itself'),
  policy: line.describe('The policy that decides who may use such a client'),
  audience: z
    .array(line)
    .min(1)
    .max(200)
    .describe("Groups that may use one at all; ['*'] is everybody who has signed in"),
  scopes: z.array(line).max(50).default(['openid', 'profile']).describe('The scopes that they may have, at most'),
  apis: z
    .record(z.string(), z.array(line).min(1).max(200))
    .default({})
    .describe('The APIs that they may get tokens for, each with the scopes'),
  cache: duration
    .refine((text) => {
      const length = parseDuration(text) ?? 0
      return length >= 60_000 && length <= 86_400_000
    }, 'expected from `1m` to `1d`')
    .default('1h')
    .describe('A document is read again after so long, or earlier where it says so'),
})
