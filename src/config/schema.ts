/** The schema of `portico.yaml`. Every key is documented here; `portico config schema` prints it for editors. */
import { z } from 'zod'
import { parseDuration } from '#core/duration'
import { clientCertificates, judgeClientCertificates } from './client-certificates.ts'
import { clientDocuments } from './client-documents.ts'
import { judgeDegraded } from './degraded.ts'
import { domains, oidcDirectory, samlDirectory } from './federation.ts'
import { ldapDirectory } from './ldap.ts'
import { registration } from './registration.ts'
import { network, routing } from './routing.ts'
import { address, duration, id, secret } from './shapes.ts'
import { judgeState, state } from './state.ts'

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

const issuer = z
  .string()
  .refine((text) => {
    const url = URL.parse(text)
    if (!url || url.origin !== text.replace(/\/$/, '')) return false
    return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname))
  }, 'expected an `https` origin without path (or `http` on a loopback address)')
  // everything compares and concatenates it: one spelling
  .overwrite((text) => text.replace(/\/$/, ''))

const localDirectory = z.strictObject({
  id,
  kind: z.literal('local'),
  organisation: z.string().optional().describe('Part of the organisation tree its people belong to, like `retail/nl`'),
  domains: domains.optional(),
})

const directory = z.discriminatedUnion('kind', [localDirectory, ldapDirectory, oidcDirectory, samlDirectory])

const atLeastADay = duration.refine(
  (text) => (parseDuration(text) ?? 0) >= parseDuration('1d')!,
  'expected at least `1d`',
)

export const settingsSchema = z
  .strictObject({
    issuer: issuer.default('http://localhost:3000').describe('Public URL of the gateway'),
    listen: address.default('127.0.0.1:3000').describe('Address to listen on'),
    management: z
      .strictObject({ listen: address.default('127.0.0.1:9090').describe('Serves /healthz, /readyz and /metrics') })
      .prefault({}),
    proxies: z.array(network).default([]).describe('Networks whose X-Forwarded-* and Forwarded headers are believed'),
    client_certificates: clientCertificates
      .optional()
      .describe('How certificates of clients reach the gateway (RFC 8705)'),
    client_documents: clientDocuments
      .optional()
      .describe('Clients that nobody registers (Client ID Metadata Document); without it there are none'),
    registration: registration
      .optional()
      .describe('Clients that register themselves, with an invitation (RFC 7591); without it nobody does'),
    storage: z
      .strictObject({
        url: z
          .string()
          .regex(
            /^(sqlite:|postgres(ql)?:\/\/).+/,
            'expected `sqlite:FILE` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`',
          )
          .default('sqlite:data/portico.db')
          .describe('Where everything durable is kept'),
      })
      .prefault({}),
    state,
    outbound: z
      .strictObject({
        allow: z
          .array(network)
          .default([])
          .describe('Special-use networks that outbound requests may reach; all of them are refused otherwise'),
      })
      .prefault({}),
    secrets: z
      .strictObject({
        key: secret.optional().describe('The master key: 32 bytes as base64url'),
        key_file: z
          .string()
          .default('data/master.key')
          .describe('File with the master key; created on first start with mode 0600'),
      })
      .prefault({}),
    geo: z
      .strictObject({
        file: z
          .string()
          .optional()
          .describe('MMDB file that tells where addresses are; without it the data of the geoip-lite package serve'),
      })
      .prefault({}),
    policies: z.string().default('policies').describe('Folder of policy files'),
    catalog: z.string().default('apps-catalog').describe('Folder of app templates'),
    directories: z
      .array(directory)
      .min(1)
      .superRefine((list, ctx) => {
        for (const [index, one] of list.entries())
          if (list.findIndex((other) => other.id === one.id) < index)
            ctx.addIssue({
              code: 'custom',
              path: [index, 'id'],
              message: 'is the id of another directory too',
              params: { code: 'duplicate' },
            })
      })
      // not `default`: templates of directories are filled in, and the JSON Schema shows what is put in
      .prefault([{ id: 'local', kind: 'local' }])
      .describe('Asked in this order'),
    routing,
    organisation: z.string().default('Portico').describe('Shown to people on every page'),
    support: z.string().optional().describe('Where people get help: one sentence, like `Call the helpdesk: 4711`'),
    workers: z
      .union([z.literal('auto'), z.number().int().min(1).max(64)], {
        error: 'expected `auto` or a number from 1 to 64',
      })
      .default('auto')
      .describe('Processes behind the one address; `auto`: one on SQLite, one for each core on PostgreSQL'),
    drain: duration
      .refine((text) => (parseDuration(text) ?? 0) <= parseDuration('5m')!, 'expected at most `5m`')
      .default('5s')
      .describe('After SIGTERM requests are still answered for so long, while `/readyz` says no'),
    short_ways: z
      .strictObject({
        sign_on: z.boolean().default(true).describe('Somebody signed in opens an app'),
        token: z
          .boolean()
          .default(true)
          .describe('A code, a refresh token, or the credentials of a program, for tokens'),
        introspection: z.boolean().default(true).describe('What a token is'),
      })
      .prefault({})
      .describe('Usual requests are answered without the protocol engine; the answers are the same'),
    languages: z
      .array(z.enum(['en', 'nl', 'de', 'ru']))
      .min(1)
      .default(['en', 'nl', 'de', 'ru'])
      .describe('Of the pages for people; the first is the fall-back'),
    sessions: z
      .strictObject({
        idle: duration.default('2h').describe('A session unused for so long ends, unless the policy says less'),
        max: duration
          .default('12h')
          .describe('A session ends after so long at the latest, unless the policy says less'),
      })
      .prefault({}),
    audit: z
      .strictObject({
        keep: atLeastADay
          .optional()
          .describe('Events of the trail older than this are removed, with a signed mark; without it none is'),
      })
      .prefault({}),
    receipts: z
      .strictObject({
        keep: atLeastADay.default('90d').describe('So long is it known on what a decision was based'),
      })
      .prefault({}),
    break_glass: z
      .array(z.string().min(1))
      .default([])
      .describe('User names of people who must be able to reach the console, or policies are not published'),
    log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info') }).prefault({}),
  })
  .superRefine(({ routing, directories, storage, workers }, ctx) => {
    if (storage.url === 'sqlite::memory:' && workers !== 'auto' && workers > 1)
      ctx.addIssue({
        code: 'custom',
        path: ['workers'],
        message: 'is more than 1, and a database in memory belongs to one process',
        params: { code: 'contradiction' },
      })
    const providers = directories.flatMap((one) => ('newcomers' in one ? [one.id] : []))
    for (const [index, { to }] of routing.entries())
      if (to !== 'here' && !providers.includes(to))
        ctx.addIssue({
          code: 'custom',
          path: ['routing', index, 'to'],
          message: `is no provider among the directories; expected ${['here', ...providers].join(', ')}`,
          params: { code: 'unknown-reference' },
        })
  })
  .superRefine(judgeDegraded)
  .superRefine(judgeClientCertificates)
  .superRefine(judgeState)

export type Settings = z.infer<typeof settingsSchema>
export type Directory = z.infer<typeof directory>

/** JSON Schema (draft 2020-12) of `portico.yaml`. */
export const settingsJsonSchema = (): object => z.toJSONSchema(settingsSchema, { io: 'input', unrepresentable: 'any' })

/** Dotted paths whose values are secrets and never printed. */
export const isSecretPath = (path: string): boolean =>
  /(^|\.)(key|password|bind_password|sentinel_password|client_secret)$/.test(path)
