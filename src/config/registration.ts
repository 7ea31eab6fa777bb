/** Clients that register themselves (RFC 7591), with an invitation. */
import { z } from 'zod'
import { clientBounds } from './client-bounds.ts'

export const registration = z.strictObject({
  ...clientBounds('Where their addresses may be, each host by itself'),
  authentication: z
    .array(z.enum(['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none']))
    .min(1)
    .default(['client_secret_basic', 'private_key_jwt'])
    .describe('How they may prove who they are; the first one where a client says nothing'),
  most: z.number().int().min(1).max(10_000).default(100).describe('So many of them at a time'),
})
