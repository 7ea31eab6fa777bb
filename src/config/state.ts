/** Settings of short-lived state: with the records unless a Redis is named. */
import { z } from 'zod'
import { secret } from './shapes.ts'

const REDIS = /^redis(s|\+sentinel|\+cluster)?:\/\/[^\s]+$/

export const state = z
  .strictObject({
    url: z
      .string()
      .optional()
      .describe(
        'The same as `storage.url` unless given; or `redis://`, `rediss://`, `redis+sentinel://`, `redis+cluster://`',
      ),
    password: secret.optional().describe('Of Redis, instead of the one in the url'),
    sentinel_username: z.string().min(1).optional().describe('Who we are to the sentinels'),
    sentinel_password: secret.optional().describe('And the password for it'),
    ca_file: z.string().min(1).optional().describe('PEM file with the authorities that sign the certificates of Redis'),
    replicas: z
      .int()
      .min(0)
      .max(9)
      .optional()
      .describe('So many replicas confirm each write; 1 with sentinels and clusters, 0 with a single Redis'),
  })
  .prefault({})

export interface StateAndStorage {
  readonly state: z.output<typeof state>
  readonly storage: { readonly url: string }
}

export function judgeState({ state, storage }: StateAndStorage, ctx: z.RefinementCtx): void {
  const refuse = (key: string, message: string, code: string) =>
    ctx.addIssue({ code: 'custom', path: ['state', key], message, params: { code } })
  const { url, ...others } = state
  const elsewhere = url !== undefined && url !== storage.url
  if (elsewhere && !REDIS.test(url))
    refuse(
      'url',
      'expected `redis://HOST:PORT`, `rediss://…`, `redis+sentinel://HOST:PORT,…/NAME`, `redis+cluster://HOST:PORT,…`, or the url of `storage`',
      'invalid',
    )
  // a setting without effect would be believed
  if (elsewhere) return
  for (const [key, value] of Object.entries(others))
    if (value !== undefined) refuse(key, 'has no effect without a Redis in `state.url`', 'not-supported')
}
