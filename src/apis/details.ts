/**
 * Authorization details (RFC 9396): what a token is good for beyond scopes, as an object of a type that an API declares in its
 * file. Read in one way only, whoever sent them, and compared so that nobody gets more than was granted.
 */
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import {
  closed,
  compileDetail,
  type DetailCheck,
  type DetailSchema,
  detailSchema,
  hasField,
  isWithinLimits,
  MOST_PARTS,
  partsOf,
} from './detail-schema.ts'

/** RFC 9396 §2. */
export interface AuthorizationDetail {
  readonly type: string
  readonly locations?: readonly string[]
  readonly [field: string]: unknown
}

/** A sentence with places, `Pay {amount} to {creditor.name}`: one, or one for each language. */
type Sentences = string | Readonly<Partial<Record<'en' | 'nl' | 'de' | 'ru', string | undefined>>>

export interface DetailType {
  readonly words: Sentences
  /** False where the stored schema is beyond the limits that files have: then nothing is of this type. */
  readonly sound: boolean
  /** Undefined where the detail is one of this type. */
  check(detail: AuthorizationDetail): Promise<string | undefined>
}

/** With as many bytes both a token and the answer of `/authz/api` fit into the headers that proxies take. */
const MOST_BYTES = 2048
const MOST_DETAILS = 20
const DEEPEST = 8
/** ATTACK: characters that turn or break the line in which a person reads what they agree to. */
const UNREADABLE = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u
const PLACE = /\{([^{}]*)\}/g
/** What every type has, and no schema says. */
const COMMON = ['type', 'locations']
/** Lists of which less is less (RFC 9396 §2.2). */
const NARROWING = new Set(['actions', 'datatypes', 'privileges'])

const sentence = z
  .string()
  .regex(/^(?!\s)[^\p{Cc}\u2028\u2029]{1,300}(?<!\s)$/u, 'expected one line of at most 300 characters')

/** What stands at a type in a file of `apis/`. */
export const detailTypesSchema = z
  .record(
    z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/, 'expected a type without blanks, quotes and backslashes'),
    z.strictObject({
      words: z
        .union([sentence, z.partialRecord(z.enum(['en', 'nl', 'de', 'ru']), sentence)])
        .describe('What somebody agrees to, with places for fields: `Pay {amount} to {creditor.name}`'),
      schema: detailSchema.describe('JSON Schema of the object, without `type` and `locations`'),
    }),
  )
  .refine((types) => Object.keys(types).length <= 50, 'expected at most 50')

export type DetailTypesFile = z.output<typeof detailTypesSchema>

/** Of the object as it is sent. */
const wholeSchema = (type: string, audience: string, schema: DetailSchema): object => {
  const { properties, ...rest } = closed(schema) as { properties: object }
  const common = {
    type: { type: 'string', const: type },
    // INVARIANT: good for the API that declares it, and nowhere else
    locations: { type: 'array', items: { type: 'string', const: audience }, minItems: 1, maxItems: 1 },
  }
  return { ...rest, properties: { ...properties, ...common } }
}

export function toDetailTypes(types: DetailTypesFile, audience: string): ReadonlyMap<string, DetailType> {
  return new Map(
    Object.entries(types).map(([type, { words, schema }]) => {
      let compiled: Promise<DetailCheck> | undefined
      const sound = isWithinLimits(schema)
      const check = async (detail: AuthorizationDetail) => {
        if (!sound) return 'the API has to describe this type anew, for its schema is beyond what is taken'
        compiled ??= compileDetail(wholeSchema(type, audience, schema))
        return (await compiled)(detail)
      }
      return [type, { words, sound, check }]
    }),
  )
}

export interface DetailProblem {
  readonly path: readonly (string | number)[]
  readonly code: 'schema-invalid' | 'field-unknown' | 'type-is-scope'
  readonly message: string
}

/** What is wrong with types that are sound as far as a shape can say. */
export async function detailProblems(
  types: DetailTypesFile,
  { audience, scopes }: { readonly audience: string; readonly scopes: Readonly<Record<string, unknown>> },
): Promise<DetailProblem[]> {
  const found: DetailProblem[] = []
  for (const [type, { words, schema }] of Object.entries(types)) {
    const at = ['authorization_details', type]
    const add = (path: readonly string[], code: DetailProblem['code'], message: string) =>
      found.push({ path: [...at, ...path], code, message: `\`${[...at, ...path].join('.')}\` ${message}` })
    // in registrations and rules both stand in one list
    if (Object.hasOwn(scopes, type)) add([], 'type-is-scope', 'is a scope of this API as well')
    const common = COMMON.find((name) => Object.hasOwn(schema.properties ?? {}, name))
    if (schema.type !== 'object') add(['schema'], 'schema-invalid', 'is not of an object')
    else if (partsOf(schema) > MOST_PARTS) add(['schema'], 'schema-invalid', `describes more than ${MOST_PARTS} values`)
    else if (common) add(['schema', 'properties', common], 'schema-invalid', 'is a field that every type has')
    else
      await compileDetail(wholeSchema(type, audience, schema)).catch((cause: Error) =>
        add(['schema'], 'schema-invalid', `contradicts itself: ${cause.message.split('\n', 1)[0]}`),
      )
    for (const [language, said] of typeof words === 'string' ? [[undefined, words] as const] : Object.entries(words))
      for (const [, place = ''] of said?.matchAll(PLACE) ?? [])
        if (!hasField(schema, place.split('.')))
          add(
            ['words', ...(language ? [language] : [])],
            'field-unknown',
            `names no field of the schema: \`{${place}}\``,
          )
  }
  return found
}

/** What is wrong with details as they came in, before any type is looked at; undefined: nothing. */
export function detailsFault(details: unknown): string | undefined {
  if (!Array.isArray(details)) return 'is not an array'
  if (details.length > MOST_DETAILS) return `holds more than ${MOST_DETAILS} objects`
  const deep = depthFault(details, DEEPEST)
  if (deep) return deep
  return Buffer.byteLength(JSON.stringify(details)) > MOST_BYTES ? `is longer than ${MOST_BYTES} bytes` : undefined
}

function depthFault(value: unknown, left: number): string | undefined {
  if (typeof value === 'string' && (UNREADABLE.test(value) || !value.isWellFormed()))
    return 'holds characters that nobody can read'
  if (typeof value !== 'object' || value === null) return undefined
  if (left === 0) return `is nested deeper than ${DEEPEST}`
  for (const one of Object.values(value)) {
    const fault = depthFault(one, left - 1)
    if (fault) return fault
  }
  return undefined
}

/** Of a token of ours or another record: undefined where it holds something else. */
export function readDetails(value: unknown): readonly AuthorizationDetail[] | undefined {
  if (value === undefined) return []
  const isDetail = (one: unknown) =>
    typeof one === 'object' && one !== null && typeof (one as { type?: unknown }).type === 'string'
  return Array.isArray(value) && value.every(isDetail) ? (value as AuthorizationDetail[]) : undefined
}

/**
 * RFC 9396 §6.1: whether everything that is asked for was granted. One that was granted covers one that is asked for: the same in all
 * its fields, or with fewer actions, datatypes, privileges. INVARIANT: it covers one only, else two payments come of one.
 */
export function areCovered(asked: readonly AuthorizationDetail[], granted: readonly AuthorizationDetail[]): boolean {
  const left = [...granted]
  const take = (covers: (one: AuthorizationDetail) => boolean): boolean => {
    const at = left.findIndex(covers)
    if (at >= 0) left.splice(at, 1)
    return at >= 0
  }
  const narrower = asked.filter((one) => !take((grant) => isDeepStrictEqual(one, grant)))
  return narrower.every((one) => take((grant) => isNarrower(one, grant)))
}

function isNarrower(asked: AuthorizationDetail, granted: AuthorizationDetail): boolean {
  const names = new Set([...Object.keys(asked), ...Object.keys(granted)])
  return [...names].every((name) => {
    // that can only be the API, whether it is said or not
    if (name === 'locations') return true
    const [one, other] = [asked[name], granted[name]]
    if (isDeepStrictEqual(one, other)) return true
    if (!NARROWING.has(name) || !Array.isArray(one) || !Array.isArray(other)) return false
    return one.length > 0 && one.every((item) => other.some((had) => isDeepStrictEqual(item, had)))
  })
}
