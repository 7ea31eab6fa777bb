/** An API as it is written in a file of `apis/`, as it is stored, and as other rooms see it. */
import { z } from 'zod'
import { parseDuration } from '#core/duration'
import { type DetailType, detailTypesSchema, toDetailTypes } from './details.ts'
import { type ApiGateway, gatewaySchema, toGateway } from './gateway.ts'

/** A scope-token (RFC 6749 §3.3). */
const scopeName = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/, 'expected a scope without blanks, quotes and backslashes')
const id = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'expected lower-case letters, digits and hyphens')
const line = z
  .string()
  .regex(/^(?!\s)[^\p{Cc}\u2028\u2029]{1,200}(?<!\s)$/u, 'expected one line of at most 200 characters')
const words = z.union([line, z.partialRecord(z.enum(['en', 'nl', 'de', 'ru']), line)])

/** RFC 8707 §2: an absolute URI without a fragment. Compared as it stands, so only the one spelling is taken. */
const audience = z.string().refine((text) => {
  const url = URL.parse(text)
  if (!url || text.includes('#') || text.length > 512) return false
  if (url.protocol === 'urn:') return text === url.href
  return url.protocol === 'https:' && url.username === '' && [url.href, url.href.replace(/\/$/, '')].includes(text)
}, 'expected an `https` address or a `urn:` without a fragment, as a URL parser writes it (RFC 8707 §2)')

const LONGEST_LIFE = 24 * 60 * 60
const lifetime = z.string().refine((text) => {
  const milliseconds = parseDuration(text)
  return milliseconds !== undefined && milliseconds >= 10_000 && milliseconds <= LONGEST_LIFE * 1000
}, 'expected a duration from `10s` to `24h`')

export const ACCESS_TOKEN_ALGS = ['ES256', 'EdDSA'] as const

export const apiSchema = z.strictObject({
  api: id.describe('Its name in contracts, policies and commands'),
  name: line,
  owner: line.optional().describe('Who answers for it, like a team or a mail address'),
  audience: audience.describe('What its tokens name as `aud`, and what clients send as `resource`'),
  policy: line.describe('The policy that decides who gets its tokens'),
  scopes: z
    .record(scopeName, words)
    .refine((scopes) => Object.keys(scopes).length > 0, 'expected at least one')
    .refine((scopes) => Object.keys(scopes).length <= 200, 'expected at most 200')
    .describe('Each with what it lets somebody do, in words for people'),
  token: z
    .strictObject({
      format: z.enum(['jwt', 'opaque']).default('jwt'),
      lifetime: lifetime.default('5m').describe('Rules may shorten it'),
      alg: z.enum(ACCESS_TOKEN_ALGS).default('ES256'),
    })
    .prefault({}),
  exchange: z
    .array(
      z.strictObject({
        from: id.describe('The API whose tokens are taken'),
        by: z.array(id).min(1).max(50).describe('The clients that may show them'),
        scopes: z
          .record(scopeName, z.array(scopeName).min(1).max(50))
          .describe('What each scope of the token that is shown is worth here, at most'),
        unbound: z
          .literal(true)
          .optional()
          .describe('A token that is bound to a key or certificate may be exchanged for one that is bound to nothing'),
      }),
    )
    .max(50)
    .default([])
    .describe('Tokens of other APIs that may be exchanged for one of this (RFC 8693)'),
  authorization_details: detailTypesSchema
    .default({})
    .describe('What a token can be good for beyond scopes, as objects of these types (RFC 9396)'),
  sender_constraint: z
    .enum(['none', 'dpop', 'mtls', 'either'])
    .default('none')
    .describe('Whether a token is of use to its holder only (RFC 9449, RFC 8705)'),
  gateway: gatewaySchema.optional().describe('For a proxy in front of it, which asks about each call'),
})

export type ApiFile = z.input<typeof apiSchema>
/** The stored form, in the words of a file, with everything written out. */
export type ApiDefinition = z.output<typeof apiSchema>

/** A text for people, or one for each language. */
export type Words = z.output<typeof words>

export interface Api {
  readonly id: string
  readonly name: string
  readonly audience: string
  readonly policy: string
  readonly scopes: ReadonlyMap<string, Words>
  /** By their types. */
  readonly details: ReadonlyMap<string, DetailType>
  readonly format: 'jwt' | 'opaque'
  /** Seconds. */
  readonly lifetime: number
  readonly alg: (typeof ACCESS_TOKEN_ALGS)[number]
  readonly senderConstraint: ApiDefinition['sender_constraint']
  readonly exchange: ApiDefinition['exchange']
  /** Absent: no proxy asks about its calls. */
  readonly gateway?: ApiGateway
}

export const toApi = ({
  api,
  name,
  audience,
  policy,
  scopes,
  authorization_details,
  token,
  sender_constraint,
  exchange,
  gateway,
}: ApiDefinition): Api =>
  Object.freeze({
    id: api,
    name,
    audience,
    policy,
    scopes: new Map(Object.entries(scopes)),
    // what was stored before there were any has none
    details: toDetailTypes(authorization_details ?? {}, audience),
    format: token.format,
    lifetime: parseDuration(token.lifetime)! / 1000,
    alg: token.alg,
    senderConstraint: sender_constraint,
    exchange: exchange ?? [],
    ...(gateway && { gateway: toGateway(gateway) }),
  })
