/** Clients that register themselves (RFC 7591), with an invitation. */
import { z } from 'zod'

const line = z.string().min(1).max(200)
const host = z
  .string()
  .regex(/^(?:[a-z0-9-]+\.)*[a-z0-9-]+(?::[1-9]\d{0,4})?$/, 'expected a host in lower case, like `apps.example.com`')

export const registration = z.strictObject({
  hosts: z.array(host).min(1).max(100).describe('Where their addresses may be, each host by itself'),
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
  authentication: z
    .array(z.enum(['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none']))
    .min(1)
    .default(['client_secret_basic', 'private_key_jwt'])
    .describe('How they may prove who they are; the first one where a client says nothing'),
  most: z.number().int().min(1).max(10_000).default(100).describe('So many of them at a time'),
})
