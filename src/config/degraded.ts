/** Settings of what people of a directory can do while it is down; of any kind that is not ours. */
import { z } from 'zod'
import { parseDuration } from '#core/duration'
import { duration } from './shapes.ts'

const atMost = (longest: string) =>
  duration.refine((text) => (parseDuration(text) ?? 0) <= parseDuration(longest)!, `expected at most \`${longest}\``)

const declared = z.strictObject({
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

export const degraded = declared
  .optional()
  .describe('What its people can do while it cannot be asked; without it their passwords cannot be checked then')

/** Of a provider: nobody but the person can ask it about somebody, so there is a time until they have to. */
export const degradedProvider = declared
  .extend({
    ask_again: atMost('24h')
      .default('15m')
      .describe('Who signed in meanwhile signs in there within so long after it is back, or their session ends'),
  })
  .optional()
  .describe('What its people can do while it cannot be asked; without it everything stays as it is while it answers')

/** What people of a directory can do while it is down. */
export type Degraded = z.infer<typeof declared> & Partial<NonNullable<z.infer<typeof degradedProvider>>>

interface Judged {
  readonly directories: readonly {
    readonly kind: string
    readonly degraded?: Degraded | undefined
    readonly metadata_url?: string | undefined
  }[]
  readonly sessions: { readonly max: string }
}

/** What each of them allows and both together do not. A setting without effect would be believed. */
export function judgeDegraded({ directories, sessions }: Judged, ctx: z.RefinementCtx): void {
  const longest = parseDuration(sessions.max) ?? Number.POSITIVE_INFINITY
  for (const [index, { kind, degraded, metadata_url: url }] of directories.entries()) {
    if (!degraded) continue
    const wrong = (key: readonly string[], message: string, code: string) =>
      ctx.addIssue({ code: 'custom', path: ['directories', index, 'degraded', ...key], message, params: { code } })
    if (kind === 'saml' && url === undefined)
      wrong(
        [],
        'needs `metadata_url`: with a file nobody here ever asks the provider, nor sees it down',
        'not-supported',
      )
    if (degraded.ask_again !== undefined && (parseDuration(degraded.ask_again) ?? 0) >= longest)
      wrong(['ask_again'], 'has no effect: every session ends sooner, by `sessions.max`', 'invalid')
  }
}
