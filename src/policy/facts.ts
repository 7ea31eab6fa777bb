/** The facts of one request: everything a policy may look at. What is left out is unknown. */

import { z } from 'zod'
import { type Problem, readYaml } from '#config'
import { familyOf } from '#http/networks'
import { OWN_FACTORS } from './factors.ts'
import { type History, historySchema, placeFields } from './history.ts'
import { type Time, time } from './instants.ts'
import type { Place } from './places.ts'

/** Version of the form below; decisions and receipts carry it. */
export const FACTS_VERSION = 1

export const REQUEST_KINDS = ['sign-in', 'app', 'api', 'admin', 'account', 'helpdesk'] as const

export interface Authenticated {
  readonly factor: string
  readonly at?: Time | undefined
  /** Passkeys: the authenticator checked a PIN or a finger, so it counts as two kinds. */
  readonly user_verified?: boolean | undefined
  /** Passkeys: the key cannot leave its authenticator. */
  readonly hardware?: boolean | undefined
}

/** What is known of an outage of a person's directory, and what its settings declare for it. */
export interface Outage {
  readonly since?: Time | undefined
  /** First moment at which everything is closed. */
  readonly until?: Time | undefined
  /** The tiers of apps that stay open. */
  readonly tiers?: readonly string[] | undefined
  /** When the directory vouched for the person last. */
  readonly verified?: Time | undefined
  /** When it told their groups last. */
  readonly groups_at?: Time | undefined
}

export interface Facts {
  readonly at?: Time | undefined
  readonly request?:
    | {
        readonly kind?: (typeof REQUEST_KINDS)[number] | undefined
        /** When this very request began: a factor given since then satisfies `within: 0s`. */
        readonly started?: Time | undefined
        /** Types of the authorization details that are asked for (RFC 9396 §2). Absent: none. */
        readonly authorization_details?: readonly string[] | undefined
        /** What the app asks on top of the policy; it can only add. */
        readonly wanted?:
          | {
              /** Strengths by name, the preferred first: one of them must be met (OIDC Core 3.1.2.1, `acr_values`). */
              readonly strength?: readonly string[] | undefined
              /** Seconds: no needed factor may be older (`max_age`). */
              readonly max_age?: number | undefined
              /** Every needed factor must be given for this very request (`prompt=login`). */
              readonly fresh?: boolean | undefined
            }
          | undefined
      }
    | undefined
  /** Absent: nobody has signed in. */
  readonly user?:
    | {
        readonly id?: string | undefined
        readonly username?: string | undefined
        readonly groups?: readonly string[] | undefined
        /** `null`: known to belong to none. */
        readonly organisation?: string | null | undefined
        readonly directory?: string | undefined
        /** When given it is complete: an attribute that is not in it is known to be absent. */
        readonly attributes?: Readonly<Record<string, string | readonly string[] | null>> | undefined
        /** The person's directory cannot be asked. Absent: it answers, or nothing is declared for the time in which it does not. */
        readonly outage?: Outage | undefined
      }
    | undefined
  readonly app?:
    | {
        /** `null`: one of Portico's own pages, known to be no app; so are its tier, and its tags, which are none. */
        readonly id?: string | null | undefined
        readonly policy?: string | undefined
        readonly tags?: readonly string[] | undefined
        /** Groups that may open the app at all, `*` for everybody; from its registration. */
        readonly audience?: readonly string[] | undefined
        readonly tier?: string | null | undefined
        /** Since when its probes are green, the oldest of them; `null`: they are not. */
        readonly probed?: Time | null | undefined
        /** It is a partner's: what its contract says. Absent: it is nobody's. */
        readonly partner?:
          | {
              /** Absent: its requests may come from anywhere. */
              readonly networks?: readonly string[] | undefined
              /** First moment without it. */
              readonly ends?: Time | undefined
            }
          | undefined
      }
    | undefined
  /** The place as a database knows it: where the address is in a site whose file says more, that counts instead. */
  readonly network?: ({ readonly ip?: string | undefined } & Place) | undefined
  readonly device?:
    | {
        readonly id?: string | undefined
        readonly known?: boolean | undefined
        /** When this person last gave a second factor on this device and asked to be remembered. */
        readonly trusted_since?: Time | undefined
        readonly enrolled?: boolean | undefined
        readonly kind?: 'personal' | 'shared' | undefined
        readonly site?: string | null | undefined
        readonly platform?: string | undefined
      }
    | undefined
  readonly session?:
    | {
        readonly started?: Time | undefined
        readonly authenticated?: readonly Authenticated[] | undefined
        /** `null`: no other identity provider had a part in it. */
        readonly upstream?:
          | { readonly assurance?: string | undefined; readonly at?: Time | undefined }
          | null
          | undefined
      }
    | undefined
  readonly history?: History | undefined
  /** `null`: no client asks for itself. */
  readonly client?:
    | {
        readonly id?: string | undefined
        readonly organisation?: string | null | undefined
        readonly authentication?: string | undefined
        readonly scopes?: readonly string[] | undefined
        /** Whether it was let in from this network before, at least a day ago. */
        readonly network_known?: boolean | undefined
        /** How often in a row somebody failed to be it, from this network. */
        readonly failures?: number | undefined
        /** Its requests of this hour, as a multiple of its busiest hour before. */
        readonly volume?: number | undefined
      }
    | null
    | undefined
}

const text = z.string().min(1).max(1000)
const texts = z.array(text).max(5000)

export const factsSchema: z.ZodType<Facts> = z.strictObject({
  at: time.optional(),
  request: z
    .strictObject({
      kind: z.enum(REQUEST_KINDS).optional(),
      started: time.optional(),
      authorization_details: texts.optional(),
      wanted: z
        .strictObject({
          strength: texts.optional(),
          max_age: z.number().min(0).optional(),
          fresh: z.boolean().optional(),
        })
        .optional(),
    })
    .optional(),
  user: z
    .strictObject({
      id: text.optional(),
      username: text.optional(),
      groups: texts.optional(),
      organisation: text.nullable().optional(),
      directory: text.optional(),
      attributes: z.record(z.string(), z.union([z.string(), z.array(z.string()), z.null()])).optional(),
      outage: z
        .strictObject({
          since: time.optional(),
          until: time.optional(),
          tiers: texts.optional(),
          verified: time.optional(),
          groups_at: time.optional(),
        })
        .optional(),
    })
    .optional(),
  app: z
    .strictObject({
      id: text.nullable().optional(),
      audience: texts.optional(),
      policy: text.optional(),
      tags: texts.optional(),
      tier: text.nullable().optional(),
      probed: time.nullable().optional(),
      partner: z.strictObject({ networks: texts.optional(), ends: time.optional() }).optional(),
    })
    .optional(),
  network: z
    .strictObject({
      ip: z
        .string()
        .refine((ip) => familyOf(ip) !== 0, 'expected an IPv4 or IPv6 address')
        .optional(),
      ...placeFields,
    })
    .optional(),
  device: z
    .strictObject({
      id: text.optional(),
      known: z.boolean().optional(),
      trusted_since: time.optional(),
      enrolled: z.boolean().optional(),
      kind: z.enum(['personal', 'shared']).optional(),
      site: text.nullable().optional(),
      platform: text.optional(),
    })
    .optional(),
  session: z
    .strictObject({
      started: time.optional(),
      authenticated: z
        .array(
          z.strictObject({
            factor: z.enum(OWN_FACTORS),
            at: time.optional(),
            user_verified: z.boolean().optional(),
            hardware: z.boolean().optional(),
          }),
        )
        .max(100)
        .optional(),
      upstream: z.strictObject({ assurance: text.optional(), at: time.optional() }).nullable().optional(),
    })
    .optional(),
  history: historySchema.optional(),
  client: z
    .strictObject({
      id: text.optional(),
      organisation: text.nullable().optional(),
      authentication: text.optional(),
      scopes: texts.optional(),
      network_known: z.boolean().optional(),
      failures: z.number().int().min(0).optional(),
      volume: z.number().min(0).optional(),
    })
    .nullable()
    .optional(),
})

/**
 * Checks one set of facts that has already been parsed. `where` names the source in problems; their lines are those of
 * the value written as JSON, one member a line.
 */
export function parseFacts(json: unknown, where: string): { facts?: Facts; problems: Problem[] } {
  const result = factsSchema.safeParse(json)
  if (result.success) return { facts: result.data, problems: [] }
  return { problems: readYaml(where, JSON.stringify(json, undefined, 2) ?? 'null', factsSchema).problems }
}

/** Reads the JSON text of one set of facts or of an array of them; problems carry the line in the text. */
export function readFacts(source: string, where: string): { facts?: Facts | Facts[]; problems: Problem[] } {
  let json: unknown
  try {
    json = JSON.parse(source)
  } catch {
    const { problems } = readYaml(where, source, z.unknown())
    const first = problems[0] ?? { file: where, line: 1, column: 1, code: '', message: '' }
    return { problems: [{ ...first, code: 'json-invalid', message: 'file is not valid JSON' }] }
  }
  const schema = Array.isArray(json) ? z.array(factsSchema) : factsSchema
  const result = schema.safeParse(json)
  if (result.success) return { facts: result.data as Facts | Facts[], problems: [] }
  return { problems: readYaml(where, source, schema as z.ZodType<unknown>).problems }
}
