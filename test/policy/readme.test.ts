/** README.md beside this file: what it says holds each sentence of the language does exist. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const page = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8')
const [statements, properties, broken] = page.split(/^## (?:Properties|Broken).*$/m) as [string, string, string]
const rows = [...statements.matchAll(/^\| (\d+\.\d+) \| (.+?) \| (.+) \|$/gm)].map(([, id, statement, cell]) => ({
  id: id!,
  statement: statement!,
  parts: cell!.split('<br>'),
}))
const tests = rows.flatMap(({ id, parts }) =>
  parts.flatMap((part) => {
    const found = /^`([a-z/-]+\.test\.ts)` (.+)$/.exec(part)
    return found ? [{ id, file: found[1]!, name: found[2]! }] : []
  }),
)
const LATER = 'not in this version: '

/** The names of the tests of a file, as they are written there. */
const namesIn = new Map<string, ReadonlySet<string>>()
function names(file: string): ReadonlySet<string> {
  const known = namesIn.get(file)
  if (known) return known
  const text = readFileSync(join(import.meta.dirname, '..', file), 'utf8')
  const literals = [...text.matchAll(/(?:\btest|\))\(\s*(['"`])((?:\\.|(?!\1).)*)\1,\s*(?:async )?\(/g)]
  const found = new Set(literals.map(([, , name]) => name!.replace(/\\(.)/g, '$1')))
  namesIn.set(file, found)
  return found
}

test('each sentence stands there once, in order, with a test or with why it has none', () => {
  let [chapter, last] = [0, 0]
  for (const { id } of rows) {
    const [of, number] = id.split('.').map(Number)
    if (of !== chapter) [chapter, last] = [chapter + 1, 0]
    expect(id).toBe(`${chapter}.${++last}`)
    expect([of, number]).toEqual([chapter, last])
  }
  expect(rows.length).toBeGreaterThan(120)
  for (const { id, parts } of rows) {
    const tested = tests.some((one) => one.id === id)
    expect(tested || parts[0]!.startsWith(LATER), id).toBe(true)
    // nothing else hides in a cell
    expect(parts.filter((part) => !part.startsWith(LATER)).length, id).toBe(tests.filter((one) => one.id === id).length)
  }
  expect(rows.filter(({ parts }) => parts[0]!.startsWith(LATER)).length).toBeLessThanOrEqual(4)
})

test('every file and every test that is named exists', () => {
  const missing = tests.filter(
    ({ file, name }) => !existsSync(join(import.meta.dirname, '..', file)) || !names(file).has(name),
  )
  expect(missing).toEqual([])
  expect(new Set(tests.map(({ file }) => file)).size).toBeGreaterThan(20)
})

test('so do the tests of the properties, and the rows and files that were broken on purpose', () => {
  const files = [...properties.matchAll(/`([a-z/.-]+\.ts)`/g)].map(([, file]) => `test/${file}`)
  const changed = [...broken.matchAll(/^\| (\d+\.\d+) \| (.+?) \|/gm)].map(([, id, cell]) => ({
    id: id!,
    sources: [...cell!.matchAll(/`(src\/[^`]+)`/g)].map(([, file]) => file!),
  }))
  const root = join(import.meta.dirname, '../..')
  const named = [...files, ...changed.flatMap(({ sources }) => sources)]
  expect(named.filter((file) => !existsSync(join(root, file)))).toEqual([])
  expect(files.length).toBeGreaterThan(6)
  expect(changed.filter(({ id }) => !rows.some((row) => row.id === id))).toEqual([])
  expect(new Set(changed.map(({ id }) => id)).size).toBeGreaterThanOrEqual(20)
})
