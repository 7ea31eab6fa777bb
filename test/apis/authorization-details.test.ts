/** Types of authorization details in files of APIs: what is refused at apply, with its place; and what is no more than what. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AuthorizationDetail, areCovered, detailsFault } from '#apis'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { ledger, payments } from '../support/payments.ts'

let gateway: Gateway
beforeAll(async () => {
  gateway = await startGateway({ policies: { 'open.yaml': 'policy: open\nrules:\n  - { name: r, allow: {} }\n' } })
})
afterAll(() => gateway?.close())

const apply = (...texts: (string | object)[]) =>
  gateway.server.house.apis.apply(
    texts.map((one) => ({ file: 'a.yaml', text: typeof one === 'string' ? one : JSON.stringify(one) })),
    { by: 'test' },
  )
const open = <T extends object>(api: T) => ({ ...api, policy: 'open' })
const FILE = (type: string) => `api: one
name: One
audience: urn:one
policy: open
scopes: { one: One }
authorization_details:
${type}`
const TYPE = (schema: string, words = 'Do it') => FILE(`  deed:\n    words: '${words}'\n    schema: ${schema}\n`)
const FIELD = (schema: string) => TYPE(`{ type: object, properties: { a: ${schema} } }`)

test.each<[string, string, string]>([
  ['an unknown keyword', TYPE('{ type: object, propertys: {} }'), '9:29 unknown-key'],
  ['a type that there is none of', TYPE('{ type: thing }'), '9:21 '],
  ['a schema of no object', TYPE('{ type: string }'), '9:5 schema-invalid'],
  ['a schema that says nothing', TYPE('{ title: a }'), '9:5 invalid'],
  ['a format, which nobody checks', FIELD('{ type: string, format: date }'), '9:62 unknown-key'],
  ['a reference', FIELD('{ $ref: "#" }'), '9:48 unknown-key'],
  ['fields that are not described', TYPE('{ type: object, additionalProperties: true }'), '9:51 '],
  ['its own `type`', TYPE('{ type: object, properties: { type: { type: string } } }'), '9:43 schema-invalid'],
  ['a field that is required and not there', TYPE('{ type: object, required: [a] }'), '9:5 schema-invalid'],
  ['a keyword of another type', FIELD('{ type: string, minimum: 1 }'), '9:5 schema-invalid'],
  ['a field named `__proto__`', TYPE('{ type: object, properties: { __proto__: { type: string } } }'), '9:'],
  ['a pattern that can be tried for hours', FIELD("{ type: string, maxLength: 99, pattern: '^(a+)+$' }"), '9:86 '],
  [
    'a pattern of many things that may be there',
    FIELD(`{ type: string, maxLength: 99, pattern: '^${'a?'.repeat(22)}a{22}$' }`),
    '9:86 ',
  ],
  [
    'a pattern of many alternatives in a row',
    FIELD(`{ type: string, maxLength: 99, pattern: '^${'(a|b|ab)'.repeat(12)}$' }`),
    '9:86 ',
  ],
  [
    'a pattern that is tried anew at each letter',
    FIELD("{ type: string, maxLength: 200, pattern: 'a*a*a*b' }"),
    '9:87 ',
  ],
  ['a pattern of four repetitions', FIELD("{ type: string, maxLength: 99, pattern: '^a*a*a{2,}a+b' }"), '9:86 '],
  ['a pattern of lazy repetitions', FIELD("{ type: string, maxLength: 99, pattern: '^a*?a+?a*?a{1,9}?b' }"), '9:86 '],
  [
    'a schema that is nested without end',
    FIELD(`${'{ type: array, items: '.repeat(2000)}{ type: string }${' }'.repeat(2000)}`),
    'yaml-deep',
  ],
  ['a reference elsewhere', FIELD('{ $ref: "https://127.0.0.1/x" }'), '9:48 unknown-key'],
  [
    'aliases that multiply',
    `${TYPE('{ type: object }')}x: &a [1,1,1,1,1,1,1,1,1,1]\ny: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nz: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nw: [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n`,
    'yaml-',
  ],
  [
    'a schema of very many alternatives',
    FIELD(
      `{ anyOf: [${Array(20).fill(`{ anyOf: [${Array(20).fill('{ type: array, items: { type: integer } }')}] }`)}] }`,
    ),
    '9:5 schema-invalid',
  ],
  [
    'a schema of very many fields',
    TYPE(`{ type: object, properties: { ${Array.from({ length: 500 }, (_, i) => `a${i}: { type: integer }`)} } }`),
    '9:5 schema-invalid',
  ],
  ['a pattern on a text of any length', FIELD("{ type: string, pattern: '^a$' }"), '9:43 invalid'],
  ['a pattern that is none', FIELD("{ type: string, maxLength: 9, pattern: '(' }"), '9:85 '],
  ['a place that is no field', TYPE('{ type: object }', 'Pay {amount}'), '8:12 field-unknown'],
  ['a type with blanks', FILE("  'a b': { words: A, schema: { type: object } }\n"), '7:3 '],
  ['a type that is a scope as well', FILE('  one: { words: A, schema: { type: object } }\n'), '7:3 type-is-scope'],
  ['no words', FILE('  deed: { schema: { type: object } }\n'), '7:3 missing'],
])('%s is refused at its place', async (_, text, where) => {
  const { problems, changes } = await apply(text)
  expect(changes).toEqual([])
  expect(problems.map(({ line, column, code }) => `${line}:${column} ${code}`).join('\n')).toContain(where)
})

test.each([
  '^[0-9]{1,9}\\.[0-9]{2}$',
  '^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$',
  '^(?:EUR|USD|GBP|CHF)$',
  '^[a-z]+?-[a-z]+?-[a-z]+?$',
  '^[^@ ]+@[^@ ]+\\.[a-z]{2,20}$',
  '^\\p{L}+(?:-\\p{L}+)?$',
  '^\\d{4}-\\d{2}-\\d{2}(?:T\\d{2}:\\d{2}Z?)?$',
])('the pattern %s is one that people write', async (pattern) => {
  const field = JSON.stringify({ type: 'string', maxLength: 60, pattern })
  expect((await apply(FIELD(field))).problems).toEqual([])
})

test('a schema of 500 values is taken', async () => {
  const fields = Array.from({ length: 499 }, (_, i) => `a${i}: { type: integer }`)
  expect((await apply(TYPE(`{ type: object, properties: { ${fields} } }`))).problems).toEqual([])
})

test('a field may be called as something that every object has of itself', async () => {
  const fields = ['constructor', 'toString', 'valueOf', 'hasOwnProperty']
  const properties = fields.map((name) => `${name}: { type: string, maxLength: 9 }`).join(', ')
  const schema = `{ type: object, required: [constructor], properties: { ${properties} } }`
  expect((await apply(TYPE(schema, 'Do {constructor}'))).problems).toEqual([])
  const { check } = (await gateway.server.house.apis.all()).find('one')!.details.get('deed')!
  const wrong = (json: string) => check(JSON.parse(json))
  expect(await wrong('{ "type": "deed" }')).toContain('lacks a field (constructor)')
  expect(await wrong('{ "type": "deed", "constructor": "a" }')).toBeUndefined()
  expect(await wrong('{ "type": "deed", "constructor": "a", "toString": 1 }')).toContain('/toString')
  expect(await wrong('{ "type": "deed", "constructor": "a", "__proto__": {} }')).toContain('a field that is unknown')
})

test('two APIs have no type in common, in files or with one that is registered', async () => {
  const other = open({ ...ledger, api: 'other', audience: 'urn:other', gateway: undefined })
  expect(await apply(open(ledger), other)).toMatchObject({ problems: [{ code: 'type-taken' }] })
  expect(await apply(other)).toMatchObject({ problems: [{ code: 'type-taken' }], changes: [] })
})

test('a rule of a gateway names types of its API only', async () => {
  const rules = [{ paths: ['/*'], authorization_details: ['paymnt'] }]
  const { problems } = await apply(open({ ...payments, gateway: { ...payments.gateway, rules } }))
  expect(problems).toMatchObject([{ code: 'type-unknown' }])
})

test('what is exported applies again without a change', async () => {
  expect(await apply(open(payments))).toMatchObject({ problems: [] })
  const again = await apply(await gateway.server.house.apis.export('payments'))
  expect([again.problems, again.changes.map(({ action }) => action)]).toEqual([[], ['unchanged']])
})

test("a partner's contract names types beside scopes, and none that the API has not", async () => {
  await apply(open(payments))
  const contract = (words: string[]) => ({
    file: 'acme.yaml',
    text: JSON.stringify({
      ...{
        partner: 'acme',
        name: 'Acme',
        organisation: 'acme',
        contacts: [{ name: 'Ann', email: 'ann@acme.example' }],
      },
      authentication: { method: 'client_secret_basic', allow_secret: 'a test' },
      apis: { payments: words },
    }),
  })
  const { partners } = gateway.server.house.catalog
  expect(await partners.apply([contract(['payments:list', 'paymnt'])], { by: 'test' })).toMatchObject({
    problems: [{ code: 'scope-unknown', message: expect.stringContaining('`payment`?') }],
  })
  expect(await partners.apply([contract(['payments:list', 'payment'])], { by: 'test' })).toMatchObject({ problems: [] })
})

const pay = (more: object = {}): AuthorizationDetail => ({ type: 'payment', amount: '1.00', ...more })
const see = (...actions: string[]): AuthorizationDetail => ({ type: 'account', actions })

describe('what is granted covers', () => {
  test.each<[string, AuthorizationDetail[], AuthorizationDetail[], boolean]>([
    ['itself', [pay(), see('a')], [see('a'), pay()], true],
    ['less of it', [pay()], [pay(), see('a')], true],
    ['nothing', [], [pay()], true],
    ['fewer actions', [see('a')], [see('a', 'b')], true],
    ['itself, with the API named', [pay({ locations: ['urn:one'] })], [pay()], true],
    ['each of two that are alike', [see('a'), see('a', 'b')], [see('a', 'b'), see('a')], true],
    ['not itself twice', [pay(), pay()], [pay()], false],
    ['not two parts of one', [see('a'), see('b')], [see('a', 'b')], false],
    ['not more actions', [see('a', 'b')], [see('a')], false],
    ['not all actions', [{ type: 'account' }], [see('a')], false],
    ['no empty list of actions', [see()], [see('a')], false],
    ['not another amount', [pay({ amount: '2.00' })], [pay()], false],
    ['not a field more', [pay({ note: 'x' })], [pay()], false],
    ['not a field less', [{ type: 'payment' }], [pay()], false],
    ['not another type', [{ ...pay(), type: 'other' }], [pay()], false],
  ])('%s', (_, asked, granted, covered) => {
    expect(areCovered(asked, granted)).toBe(covered)
  })
})

test('what a person could not read, what is large and what is deep are refused before any type is looked at', () => {
  const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)])
  expect(detailsFault([pay()])).toBeUndefined()
  expect(detailsFault({})).toBe('is not an array')
  expect(detailsFault(Array(21).fill(pay()))).toMatch('more than 20')
  expect(detailsFault([pay({ note: 'é'.repeat(1100) })])).toMatch('longer than 2048 bytes')
  expect(detailsFault([pay({ note: nested(9) })])).toMatch('deeper')
  for (const text of ['\u202e', '\u2066', '\n', '\0', '\u2028', '\ud800'])
    expect(detailsFault([pay({ note: `a${text}b` })]), JSON.stringify(text)).toMatch('nobody can read')
})
