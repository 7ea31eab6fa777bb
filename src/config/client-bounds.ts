/** What clients that nobody of ours has registered may be at most, however they come. */
import { z } from 'zod'

const line = z.string().min(1).max(200)
const host = z
  .string()
  .regex(/^(?:[a-z0-9-]+\.)*[a-z0-9-]+(?::[1-9]\d{0,4})?$/, 'expected a host in lower case, like `apps.example.com`')

/** `hosts`: what the list of hosts says, as a sentence of the documentation. */
export const clientBounds = (hosts: string) => ({
  hosts: z.array(host).min(1).max(100).describe(hosts),
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
})
