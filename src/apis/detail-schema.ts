/**
 * How a type of authorization details is described (RFC 9396 §2): by JSON Schema, in those of its keywords by which a value is
 * described whole. Whatever an object does not name is refused (§5), so `additionalProperties` is always false.
 */
import { z } from 'zod'
import { isPlainPattern, LONGEST_MATCHED } from './plain-pattern.ts'

/** What a schema says of one value. */
export interface DetailSchema {
  readonly type?: 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean' | undefined
  readonly title?: string | undefined
  readonly description?: string | undefined
  readonly properties?: Readonly<Record<string, DetailSchema>> | undefined
  readonly required?: readonly string[] | undefined
  readonly additionalProperties?: false | undefined
  readonly items?: DetailSchema | undefined
  readonly minItems?: number | undefined
  readonly maxItems?: number | undefined
  readonly uniqueItems?: boolean | undefined
  readonly enum?: readonly (string | number | boolean)[] | undefined
  readonly const?: string | number | boolean | undefined
  readonly pattern?: string | undefined
  readonly minLength?: number | undefined
  readonly maxLength?: number | undefined
  readonly minimum?: number | undefined
  readonly maximum?: number | undefined
  readonly exclusiveMinimum?: number | undefined
  readonly exclusiveMaximum?: number | undefined
  readonly multipleOf?: number | undefined
  readonly anyOf?: readonly DetailSchema[] | undefined
  readonly oneOf?: readonly DetailSchema[] | undefined
}

const count = z.number().int().min(0).max(10_000)
const scalar = z.union([z.string().max(500), z.number(), z.boolean()])
const text = z.string().max(500)
/** No name that objects have of themselves. */
const property = z.string().regex(/^(?!__proto__$)[A-Za-z_][\w.-]{0,63}$/, 'expected the name of a field')
const pattern = z
  .string()
  .max(200)
  .refine(
    isPlainPattern,
    'expected a regular expression without repeated groups, references and looking around, and with few ways to try it',
  )

export const detailSchema: z.ZodType<DetailSchema> = z.lazy(() =>
  z
    .strictObject({
      type: z.enum(['object', 'array', 'string', 'number', 'integer', 'boolean']).optional(),
      title: text.optional(),
      description: text.optional(),
      properties: z.record(property, detailSchema).optional(),
      required: z.array(property).max(100).optional(),
      additionalProperties: z.literal(false, 'expected `false`: what is not described is refused').optional(),
      items: detailSchema.optional(),
      minItems: count.optional(),
      maxItems: count.optional(),
      uniqueItems: z.boolean().optional(),
      enum: z.array(scalar).min(1).max(500).optional(),
      const: scalar.optional(),
      pattern: pattern.optional(),
      minLength: count.optional(),
      maxLength: count.optional(),
      minimum: z.number().optional(),
      maximum: z.number().optional(),
      exclusiveMinimum: z.number().optional(),
      exclusiveMaximum: z.number().optional(),
      multipleOf: z.number().positive().optional(),
      anyOf: z.array(detailSchema).min(1).max(20).optional(),
      oneOf: z.array(detailSchema).min(1).max(20).optional(),
    })
    .refine(
      ({ type, anyOf, oneOf }) => [type, anyOf, oneOf].filter((one) => one !== undefined).length === 1,
      'expected one of `type`, `anyOf` and `oneOf`',
    )
    .refine(
      ({ pattern, maxLength }) => pattern === undefined || (maxLength ?? Number.POSITIVE_INFINITY) <= LONGEST_MATCHED,
      `expected \`maxLength\` of at most ${LONGEST_MATCHED} beside \`pattern\``,
    ),
)

/** ATTACK: a schema is compiled by the server that first needs it, which answers nobody meanwhile; ten thousand parts take seconds. */
export const MOST_PARTS = 500
/** Itself, and all schemas inside it. */
export const partsOf = ({ properties, items, anyOf, oneOf }: DetailSchema): number =>
  [...Object.values(properties ?? {}), ...(items ? [items] : []), ...(anyOf ?? []), ...(oneOf ?? [])].reduce(
    (sum, one) => sum + partsOf(one),
    1,
  )

/** ATTACK: what was stored before these limits, or by hand, is compiled and tried like any other, at everybody's cost. */
export function isWithinLimits(schema: DetailSchema): boolean {
  try {
    return partsOf(schema) <= MOST_PARTS && detailSchema.safeParse(schema).success
  } catch {
    // nested deeper than can be read
    return false
  }
}

/** The alternatives of a value, itself where there are none. */
const alternatives = (schema: DetailSchema): readonly DetailSchema[] =>
  (schema.anyOf ?? schema.oneOf)?.flatMap(alternatives) ?? [schema]

/** Whether the schema has a field there, in one of its alternatives. */
export const hasField = (schema: DetailSchema, path: readonly string[]): boolean =>
  path.length === 0 ||
  alternatives(schema).some(({ properties }) => {
    const [first, ...rest] = path
    return properties !== undefined && Object.hasOwn(properties, first!) && hasField(properties[first!]!, rest)
  })

/** What it says, in the words of every JSON Schema, with all that it leaves unsaid. */
export function closed(schema: DetailSchema): object {
  const { properties, items, anyOf, oneOf, ...plain } = schema
  return {
    ...plain,
    ...(plain.type === 'object' && {
      properties: Object.fromEntries(Object.entries(properties ?? {}).map(([name, one]) => [name, closed(one)])),
      additionalProperties: false,
    }),
    ...(items && { items: closed(items) }),
    ...(anyOf && { anyOf: anyOf.map(closed) }),
    ...(oneOf && { oneOf: oneOf.map(closed) }),
  }
}

/** Undefined where the value is as the schema says; otherwise what is wrong, in words that hold nothing of the value. */
export type DetailCheck = (value: unknown) => string | undefined

/** Throws where the schema contradicts itself. The validator is loaded by the first one. */
export async function compileDetail(schema: object): Promise<DetailCheck> {
  const { Ajv } = await import('ajv')
  const validate = new Ajv({
    ...{ strict: true, strictTypes: true, strictRequired: true, messages: true },
    // a field may have a name that every object has of itself, like `constructor`
    ownProperties: true,
  }).compile(schema)
  return (value) => {
    if (validate(value)) return undefined
    const { instancePath, keyword, params, message } = validate.errors![0]!
    // the name of a field that is unknown is the client's text
    const said = keyword === 'additionalProperties' ? 'has a field that is unknown' : message
    const missing = keyword === 'required' ? ` (${params['missingProperty']})` : ''
    return `${instancePath === '' ? 'the object' : instancePath} ${keyword === 'required' ? 'lacks a field' : said}${missing}`
  }
}
