/** The JSON Schema that editors get, against a validator that is not ours. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { policyJsonSchema } from '#policy'
import { CONDITIONS } from '../../src/policy/conditions/list.ts'
import { load } from './house.ts'
import { FILES, smallWorld } from './small-worlds.ts'

const root = join(import.meta.dirname, '../..')
const ajv = new Ajv2020({ allowUnionTypes: true, formats: { 'date-time': true } })
const validate = ajv.compile(policyJsonSchema())
const wrong = (document: unknown): string | undefined =>
  validate(document) ? undefined : ajv.errorsText(validate.errors)

const shipped = readdirSync(join(root, 'policies'))
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => [name, parse(readFileSync(join(root, 'policies', name), 'utf8'))] as const)
const examples = ['policy', 'policy-timelines'].flatMap((page) =>
  [...readFileSync(join(root, `docs/${page}.md`), 'utf8').matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) =>
    parse(text!),
  ),
)

test.each(shipped)('takes the shipped %s', (_, document) => {
  expect(wrong(document)).toBeUndefined()
})

test('takes every example of docs/policy.md and docs/policy-timelines.md', () => {
  expect(examples.length).toBeGreaterThan(15)
  for (const example of examples) expect(wrong(example)).toBeUndefined()
})

test('takes whatever the loader takes', () => {
  fc.assert(
    fc.property(smallWorld, ({ rules }) => {
      expect(wrong({ policy: 'p', rules })).toBeUndefined()
    }),
    { numRuns: 1000 },
  )
  for (const document of Object.values(FILES)) expect(wrong(document)).toBeUndefined()
})

/** The same document with one more key, at every place where there are keys. */
function* withOneMore(value: unknown): Generator<unknown> {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) yield { ...value, zzz: 1 }
  for (const [key, inner] of Object.entries(value))
    for (const changed of withOneMore(inner))
      yield Array.isArray(value) ? value.with(Number(key), changed) : { ...value, [key]: changed }
}

test('refuses every key that the loader does not know', () => {
  const networks = Object.fromEntries(shipped.filter(([, document]) => document.networks || document.strengths))
  const csv = { 'networks/stores.csv': 'cidr,site\n192.0.2.0/24,s1\n' }
  let refused = 0
  for (const [name, document] of shipped) {
    for (const changed of withOneMore(document)) {
      const { problems } = load({ ...networks, ...csv, [name]: changed })
      if (!problems.some(({ code }) => code === 'unknown-key' || code === 'unknown-condition')) continue
      refused++
      expect(wrong(changed), JSON.stringify(changed)).toBeDefined()
    }
  }
  expect(refused).toBeGreaterThan(200)
})

describe('editors are offered', () => {
  const { when } = (policyJsonSchema() as { $defs: { when: Record<string, Record<string, unknown>> } }).$defs

  test('every condition', () => {
    const names = CONDITIONS.map(({ name }) => name)
    expect(Object.keys(when!['properties']!)).toEqual([
      'any',
      'all',
      'not',
      ...names.filter((name) => !name.endsWith('.')),
    ])
    expect(Object.keys(when!['patternProperties']!)).toHaveLength(names.filter((name) => name.endsWith('.')).length)
  })

  test.each([
    ['unknown in a long form', { 'device.known': { is: true, unknown: false } }, true],
    ['unknown beside a list', { network: { in: ['stores'], unknown: true } }, true],
    ['unknown that is no yes or no', { 'device.known': { is: true, unknown: 'no' } }, false],
    ['nesting', { any: [{ not: { 'user.attribute.team': ['a'] } }, { all: [{ 'request.kind': 'admin' }] }] }, true],
    ['a wrong condition deep inside', { any: [{ not: { 'user.group': ['a'] } }] }, false],
    ['a wrong word', { 'device.kind': 'borrowed' }, false],
    ['nothing', {}, false],
  ])('%s', (_, condition, right) => {
    expect(validate({ policy: 'p', rules: [{ name: 'r', when: condition, allow: {} }] })).toBe(right)
  })

  test.each([
    ['both allow and deny', { allow: {}, deny: {} }],
    ['neither', {}],
    ['a length of time that is none', { allow: { within: 'a day' } }],
    ['a life of a token that is none', { allow: { token: { max: 'soon' } } }],
    ['two scopes in one', { allow: { scopes: ['orders:read orders:write'] } }],
    ['an outcome of its own', { allow: {}, mode: 'off' }],
  ])('no rule with %s', (_, rest) => {
    expect(validate({ policy: 'p', rules: [{ name: 'r', ...rest }] })).toBe(false)
  })

  test('no factor that does not exist, and no two documents in one file', () => {
    expect(validate({ strengths: { s: [['passkey']] } })).toBe(true)
    expect(validate({ strengths: { s: [['pass-key']] } })).toBe(false)
    expect(validate({ strengths: { s: [['passkey']] }, networks: { n: { ranges: ['192.0.2.1'] } } })).toBe(false)
  })
})
