/**
 * The schemas of the three documents a policy folder may hold. `when` has its own reader, in `when.ts`. What `meta` and
 * `describe` say is for editors (`schema.ts`): the rest of what is checked here they do not see.
 */
import { z } from 'zod'
import { parseDuration } from '#core/duration'
import { nearest } from '#core/nearest'
import { checkCountries } from './countries.ts'
import { FACTOR_NAMES } from './factors.ts'
import { factsSchema } from './facts.ts'
import { BUILT_IN_NAMES } from './strengths.ts'
import { openTimeZone, parseMinute } from './wall-clock.ts'
import { parseRange } from './zones.ts'

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/
const name = z.string().regex(NAME, 'expected lower-case letters, digits and hyphens')
const sentence = z.string().min(1).max(2000)
const duration = z
  .string('expected a duration like `0s`, `15m`, `12h` or `30d`')
  .transform((text, ctx) => {
    const ms = parseDuration(text)
    if (ms !== undefined) return Object.freeze({ ms, text })
    ctx.addIssue('expected a duration like `0s`, `15m`, `12h` or `30d`')
    return z.NEVER
  })
  .meta({ pattern: '^[0-9]{1,9}[smhd]$' })

const refuse = (ctx: z.RefinementCtx, code: string, message: string) =>
  ctx.addIssue({ code: 'custom', message, params: { code } })

const range = z
  .string()
  .refine(
    (text) => parseRange(text) !== undefined,
    'expected an address or a network in CIDR notation, like `192.0.2.0/24`',
  )

const zone = z
  .strictObject({
    ranges: z.array(range).min(1).optional(),
    file: z.string().optional(),
    countries: z.array(z.string()).min(1, 'expected at least one').max(300).optional(),
  })
  .superRefine(({ ranges, file, countries }, ctx) => {
    checkCountries(countries ?? [], ctx, ['countries'])
    if ([ranges, file, countries].filter((given) => given !== undefined).length !== 1)
      refuse(ctx, 'zone-invalid', 'must have exactly one of `ranges`, `file` and `countries`')
  })

export const networksSchema = z.strictObject({ networks: z.record(name, zone) })

const factor = z
  .string()
  .superRefine((text, ctx) => {
    if ((FACTOR_NAMES as readonly string[]).includes(text)) return
    const near = nearest(text, FACTOR_NAMES)
    refuse(
      ctx,
      'unknown-factor',
      `is an unknown factor${near ? `; did you mean \`${near}\`?` : `, expected one of ${FACTOR_NAMES.join(', ')}`}`,
    )
  })
  .meta({ enum: [...FACTOR_NAMES] })
const combination = z.array(factor).min(1, 'expected at least one factor').max(FACTOR_NAMES.length)

export const strengthsSchema = z.strictObject({
  strengths: z.record(name, z.array(combination).min(1, 'expected at least one combination').max(50)),
})

const language = z.string().regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/, 'expected a language like `nl`')
const words = z.union([
  sentence,
  z
    .record(language, sentence)
    .refine((map) => Object.keys(map).length > 0, 'expected a sentence in at least one language'),
])

const scope = z
  .string()
  // RFC 6749 §3.3: scope-token
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/, 'expected a scope without blanks, quotes and backslashes')

const ends = z.strictObject({ at: z.string(), zone: z.string() }).transform((written, ctx) => {
  const minute = parseMinute(written.at)
  const open = openTimeZone(written.zone)
  if (minute === undefined) ctx.addIssue({ code: 'custom', message: 'expected a time like `22:00`', path: ['at'] })
  if (!open)
    ctx.addIssue({ code: 'custom', message: 'is no time zone', params: { code: 'unknown-time-zone' }, path: ['zone'] })
  if (minute === undefined || !open) return z.NEVER
  return Object.freeze({ minute, zone: open, text: `${written.at} ${written.zone}` })
})

const allow = z.strictObject(
  {
    strength: z
      .string()
      .meta({ examples: BUILT_IN_NAMES })
      .default('any')
      .describe('Which combinations of factors count: a built-in strength or one of your own'),
    within: duration.optional().describe('Each needed factor is at most so old; 0s: given for this very request'),
    remember_device: duration
      .optional()
      .describe('So long a second factor is not asked again on this device; never on a shared one'),
    session: z
      .strictObject({
        idle: duration.optional().describe('A session unused for so long ends'),
        max: duration.optional().describe('A session ends after so long'),
        ends: ends.optional().describe('A session ends at this time of day'),
      })
      .optional(),
    scopes: z.array(scope).max(100).optional().describe('Of the scopes of an API a token has at most these'),
    token: z
      .strictObject({
        max: duration
          .refine(({ ms }) => ms > 0, 'expected at least `1s`; a rule that gives no token says `deny`')
          .optional()
          .describe('No access token lives longer'),
      })
      .optional(),
  },
  'expected what is asked, like `{ strength: two-factors, within: 12h }` or `{}`',
)

const rule = z
  .strictObject({
    name: z.string().min(1).max(200).describe('Unique in the policy; what receipts and reports show'),
    when: z.unknown().optional().describe('Conditions that must all hold; without it the rule always matches'),
    allow: allow.optional(),
    deny: z
      .strictObject(
        {
          say: words.optional().describe('One sentence for the person, or a map of language to text'),
          do: words.optional().describe('What to do next, or a map of language to text'),
        },
        'expected what is said, like `{ say: …, do: … }` or `{}`',
      )
      .optional(),
    mode: z.enum(['enforce', 'report']).default('enforce').describe('report: judged and recorded, without effect'),
  })
  .meta({ oneOf: [{ required: ['allow'] }, { required: ['deny'] }] })

const expectation = z
  .strictObject({
    outcome: z.enum(['allow', 'deny', 'challenge']).optional(),
    rule: z.string().nullable().optional(),
    strength: z.union([z.string(), z.array(z.string())]).optional(),
    within: z.string().optional(),
    scopes: z.array(scope).optional(),
    token: z.strictObject({ max: z.string() }).optional(),
    reported: z.array(z.string()).optional(),
  })
  .refine((value) => Object.keys(value).length > 0, 'expected at least `outcome`')

export const policySchema = z.strictObject({
  policy: name,
  title: sentence.optional(),
  owner: sentence.optional(),
  baseline: z.boolean().default(false).describe('Judged for everything as well; the stricter result holds'),
  rules: z.array(rule).min(1, 'expected at least one rule').max(10_000),
  tests: z
    .array(z.strictObject({ name: z.string().min(1).max(500), given: factsSchema, expect: expectation }))
    .max(10_000)
    .default([]),
})

export type NetworksDocument = z.infer<typeof networksSchema>
export type StrengthsDocument = z.infer<typeof strengthsSchema>
export type PolicyDocument = z.infer<typeof policySchema>
export type RuleDocument = z.infer<typeof rule>
export type Expectation = z.infer<typeof expectation>
/** One text, or a map of language to text. */
export type Words = z.infer<typeof words>
