import fc from 'fast-check'
import { expect, test } from 'vitest'
import { csvLine, plainCell, readCsv, readLines, type TextRow } from '../../src/directory/csv.ts'

async function all(rows: AsyncIterable<TextRow>): Promise<TextRow[]> {
  const list: TextRow[] = []
  for await (const row of rows) list.push(row)
  return list
}
const cells = async (text: string | string[]) => (await all(readCsv(text))).map((row) => row.problem ?? row.cells)

test.each([
  [
    'plain',
    'a,b\n1,2\n',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  [
    'no newline at the end',
    'a,b\n1,2',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  [
    'CR LF',
    'a,b\r\n1,2\r\n',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  [
    'CR',
    'a,b\r1,2\r',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  [
    'a mark at the beginning',
    '\ufeffa,b\n1,2',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  [
    'blank lines',
    'a,b\n\n  \n1,2\n\n',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  [
    'quotes',
    'a,b\n"1,""x""","2\r\n3"\n',
    [
      ['a', 'b'],
      ['1,"x"', '2\r\n3'],
    ],
  ],
  [
    'empty cells',
    'a,b\n,\n"",""\n',
    [
      ['a', 'b'],
      ['', ''],
      ['', ''],
    ],
  ],
  [
    'semicolons',
    'a;b\n1,5;2\n',
    [
      ['a', 'b'],
      ['1,5', '2'],
    ],
  ],
  ['a quote inside a cell', 'a,b\n1"2,3\n4,5\n', [['a', 'b'], 'quotes-invalid', ['4', '5']]],
  ['text after a quote', 'a,b\n"1"2,3\n4,5\n', [['a', 'b'], 'quotes-invalid', ['4', '5']]],
  ['a quote that never ends', 'a,b\n"1,2\n3,4\n', [['a', 'b'], 'quotes-invalid']],
  ['nothing', '', []],
  ['only a mark', '\ufeff', []],
])('reads CSV: %s', async (_, text, expected) => {
  expect(await cells(text)).toEqual(expected)
  // however the file is cut into pieces
  expect(await cells([...text])).toEqual(expected)
})

test('a lost quote costs at most one long row', async () => {
  const text = `a,b\n"lost,${'x'.repeat(70_000)}\n4,5\n`
  expect(await cells(text)).toEqual([['a', 'b'], 'row-too-long', ['4', '5']])
  expect((await all(readCsv(text))).map(({ line }) => line)).toEqual([1, 2, 3])
})

test('reads lines, and a line without end is refused by itself', async () => {
  expect(await all(readLines(['{"a"', ':1}\n\n', '{}\r\n']))).toEqual([
    { line: 1, cells: ['{"a":1}'] },
    { line: 3, cells: ['{}\r'] },
  ])
  const rows = await all(readLines(['x'.repeat(40_000), 'x'.repeat(40_000), 'x'.repeat(40_000), '\n{}']))
  expect(rows).toEqual([
    { line: 1, cells: [], problem: 'row-too-long' },
    { line: 2, cells: ['{}'] },
  ])
})

const cell = fc.string({
  unit: fc.constantFrom('a', 'é', '=', '+', '-', '@', "'", '"', ',', ';', ' ', '\t', '\r', '\n', '1'),
  maxLength: 8,
})

test('what is written is read back exactly, and no cell begins as a formula', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 5 }),
      async (rows) => {
        const text = [['head', 'line'], ...rows].map((row) => `${csvLine(row)}\r\n`).join('')
        const read = (await all(readCsv(text))).slice(1)
        expect(read.map((row) => row.cells.map(plainCell))).toEqual(rows)
        for (const row of read) for (const one of row.cells) expect(one).not.toMatch(/^[=+\-@\t\r]/)
      },
    ),
    { numRuns: 300 },
  )
})
