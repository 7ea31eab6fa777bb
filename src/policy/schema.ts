/** The JSON Schema of policy files, for editors: made of the very schemas that read them, and of the list of conditions. */
import { z } from 'zod'
import { CONDITIONS } from './conditions/list.ts'
import { networksSchema, policySchema, strengthsSchema } from './documents.ts'

type Schema = Record<string, unknown>

const INPUT = { io: 'input', unrepresentable: 'any' } as const
const WHEN = { $ref: '#/$defs/when' }

/**
 * Draft 2020-12. Editors see less than `policy check`: whether names exist, whether a time zone does, and which of two
 * keys may stand beside each other.
 */
export function policyJsonSchema(): object {
  const { $schema, ...documents } = z.toJSONSchema(z.union([policySchema, networksSchema, strengthsSchema]), {
    ...INPUT,
    override({ jsonSchema, path }) {
      if (path.at(-1) === 'when') Object.assign(jsonSchema, WHEN)
    },
  })
  return { $schema, title: 'Portico policy file', ...documents, $defs: { when: whenSchema() } }
}

/** `any`, `all` and `not` nest; a condition whose name ends in a dot takes whatever stands behind it. */
function whenSchema(): Schema {
  const list = { type: 'array', minItems: 1, items: WHEN }
  const properties: Schema = { any: list, all: list, not: WHEN }
  const patternProperties: Schema = {}
  for (const { name, wanted } of CONDITIONS) {
    const { $schema: _, ...schema } = z.toJSONSchema(wanted, INPUT) as Schema
    if (name.endsWith('.')) patternProperties[`^${name.replaceAll('.', '\\.')}.+$`] = withUnknown(schema)
    else properties[name] = withUnknown(schema)
  }
  return { type: 'object', minProperties: 1, properties, patternProperties, additionalProperties: false }
}

/** Every long form also takes `unknown`, which is the host's. */
function withUnknown(schema: Schema): Schema {
  if (Array.isArray(schema['anyOf'])) return { ...schema, anyOf: (schema['anyOf'] as Schema[]).map(withUnknown) }
  if (schema['type'] !== 'object') return schema
  const unknown = { type: 'boolean', description: 'What the condition is taken for where the fact is not known' }
  return { ...schema, properties: { ...(schema['properties'] as Schema), unknown } }
}
