import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { readYaml } from '#config'

const anything = z.unknown()
const codes = (text: string) => readYaml('f.yaml', text, anything).problems.map((problem) => problem.code)
const first = (text: string) => {
  const [problem] = readYaml('f.yaml', text, anything).problems
  return problem && `${problem.line}:${problem.column} ${problem.code} ${problem.message}`
}

test('aliases that grow exponentially are refused, quickly', () => {
  const levels = ['a: &a [x, x, x, x, x, x, x, x, x]']
  for (let i = 1; i < 12; i++) {
    const [own, before] = [i, i - 1].map((n) => String.fromCharCode(97 + n))
    levels.push(`${own}: &${own} [${Array(9).fill(`*${before}`).join(', ')}]`)
  }
  expect(codes(levels.join('\n'))).toEqual(['yaml-aliases'])
  // below the limit on aliases, and still 9^7 values
  expect(codes(levels.slice(0, 8).join('\n'))).toEqual(['yaml-aliases'])
  expect(codes(`a: &a x\nb: [${Array(101).fill('*a').join(', ')}]`)).toEqual(['yaml-aliases'])
})

test('an ordinary alias is read', () => {
  expect(readYaml('f.yaml', 'a: &a [x]\nb: *a', anything).value).toEqual({ a: ['x'], b: ['x'] })
})

test('an alias inside what it names, or of nothing, is refused where it stands', () => {
  expect(first('a: 1\nb: &b\n  - *b\n')).toBe('3:5 yaml-aliases `*b` stands inside what it names')
  expect(first('a: *later\nb: &later 1')).toBe('1:4 yaml-aliases nothing before this is named `&later`')
})

test('duplicate keys, several documents, custom tags and keys that are no text are refused where they stand', () => {
  expect(first('a: 1\nb: 2\na: 3\n')).toBe('3:1 yaml-invalid map keys must be unique')
  expect(first('a: 1\n---\nb: 2\n')).toBe('2:1 yaml-invalid a second document begins here; a file holds one')
  expect(first('a: !!js/function "x"')).toMatch(/^1:4 yaml-invalid unresolved tag/)
  expect(first('? [a, b]\n: c\n')).toBe('1:3 yaml-invalid a key is no plain text')
})

test('merge keys are keys like any other', () => {
  expect(readYaml('f.yaml', 'a: &a { x: 1 }\nb: { <<: *a }', anything).value).toEqual({
    a: { x: 1 },
    b: { '<<': { x: 1 } },
  })
})

test('a document that is nested too deeply is refused, however it is written', () => {
  for (const text of [
    '['.repeat(100_000),
    '['.repeat(300) + ']'.repeat(300),
    '{a: '.repeat(50_000),
    '- '.repeat(20_000),
    `${'[x, '.repeat(400)}x${']'.repeat(400)}`,
  ])
    expect(codes(text), text.slice(0, 12)).toContain('yaml-deep')
  expect(codes('['.repeat(60) + ']'.repeat(60))).toEqual([])
})

test('a file of 5 MB is refused unread', () => {
  const document = readYaml('f.yaml', 'a'.repeat(5 * 1024 * 1024), anything)
  expect(document.value).toBeUndefined()
  expect(document.problems).toEqual([document.problem([], '', '')])
  expect(document.problems[0]).toMatchObject({ code: 'file-too-large', line: 1, column: 1 })
})

test('of thousands of problems the first 200 are told', () => {
  const text = Array.from({ length: 3000 }, (_, i) => `k${i}: 1`).join('\n')
  const { problems } = readYaml('f.yaml', text, z.strictObject({ known: z.string().optional() }))
  expect(problems).toHaveLength(200)
  expect(problems[0]!.line).toBe(1)
})

test('of a choice of forms the one that was meant is explained', () => {
  const schema = z.strictObject({
    a: z.union([z.string(), z.strictObject({ x: z.number(), y: z.strictObject({ z: z.number() }) })]),
  })
  const messages = (text: string) => readYaml('f.yaml', text, schema).problems.map((problem) => problem.message)
  expect(messages('a: { x: 1, y: { z: two } }')).toEqual([
    '`a.y.z` is not valid: invalid input: expected number, received string',
  ])
  expect(messages('a: { x: 1, y: { z: 2 }, w: 3 }')).toEqual(['`a` has an unknown key `w`; known are `x`, `y`'])
})

test('a place that does not exist is the nearest place that does', () => {
  const document = readYaml('f.yaml', 'a:\n  b: [1, 2]\n', anything)
  expect(document.position(['a', 'b', 1])).toEqual({ line: 2, column: 10 })
  expect(document.position(['a', 'b'], 'key')).toEqual({ line: 2, column: 3 })
  expect(document.position(['a', 'c'])).toEqual({ line: 1, column: 1 })
  expect(document.position(['a', 'b', 7])).toEqual({ line: 2, column: 3 })
})

test('a random text answers a value or problems with places in it, and never throws', () => {
  const token = fc.constantFrom(
    'a',
    'b: ',
    '- ',
    '[',
    ']',
    '{',
    '}',
    ', ',
    '&a ',
    '*a',
    '*b',
    '!!set ',
    '!t ',
    '? ',
    ': ',
    '|\n',
    '>-\n',
    '\n',
    '  ',
    '\t',
    '"',
    "'",
    '#',
    '---\n',
    '...\n',
    '%TAG ! x\n',
    '<<: ',
    '~',
    '1e999',
    '\u0085',
    '\u2028',
  )
  const text = fc.oneof(
    fc.array(token, { maxLength: 40 }).map((tokens) => tokens.join('')),
    fc.string({ unit: 'binary', maxLength: 100 }),
  )
  fc.assert(
    fc.property(text, (written) => {
      const lines = written.split('\n').length
      const { value, problems } = readYaml('f.yaml', written, anything)
      expect(value === undefined).toBe(problems.length > 0)
      for (const { line, column } of problems) {
        expect(line).toBeGreaterThanOrEqual(1)
        expect(line).toBeLessThanOrEqual(lines)
        expect(column).toBeGreaterThanOrEqual(1)
      }
    }),
    { numRuns: 1000 },
  )
})
