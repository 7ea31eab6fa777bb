import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { loadSettings } from '#config'
import { readSetting } from '#config/single'

const folder = mkdtempSync(join(tmpdir(), 'portico-single-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const file = join(folder, 'portico.yaml')

function both(text: string, env: Record<string, string> = {}) {
  writeFileSync(file, text)
  return { single: readSetting('catalog', 'apps-catalog', file, env), all: loadSettings(file, env) }
}

test.each([
  ['nothing', '', {}],
  ['comments', '# nothing\n', {}],
  ['another setting', 'organisation: Kestrel\n', {}],
  ['the setting', 'organisation: Kestrel\ncatalog: ours # the folder\n', {}],
  ['quotes', 'catalog: "ou\\x72s"\n', {}],
  ['JSON', '{ "organisation": "Kestrel", "catalog": "ours" }', {}],
  ['an anchor', 'organisation: &name ours\ncatalog: *name\n', {}],
  ['the environment', '', { PORTICO_CATALOG: 'theirs' }],
  ['the environment over the file', 'catalog: ours\n', { PORTICO_CATALOG: 'theirs' }],
  ['a number that is a name', '', { PORTICO_CATALOG: '7' }],
])('one setting is what all of them say: %s', (_, text, env) => {
  const { single, all } = both(text, env as Record<string, string>)
  expect(all.problems).toEqual([])
  expect(single).toEqual({ value: all.settings!.catalog, folder: all.folder })
})

test.each([
  ['a list', 'catalog: [a]\n'],
  ['a number', 'catalog: 7\n'],
  ['nothing after the colon', 'catalog:\n'],
  ['a key twice', 'catalog: a\ncatalog: b\n'],
  ['no keys', '- catalog\n'],
  ['text', 'catalog\n'],
  ['broken', 'catalog: "a\n'],
])('what is wrong is left to those who say what it is: %s', (_, text) => {
  const { single, all } = both(text)
  expect(single).toBeUndefined()
  expect(all.problems).not.toEqual([])
})

test('a file that is not there, and one that the environment names', () => {
  expect(readSetting('catalog', 'apps-catalog', join(folder, 'none.yaml'), {})).toBeUndefined()
  writeFileSync(file, 'catalog: ours\n')
  expect(readSetting('catalog', 'apps-catalog', undefined, { PORTICO_CONFIG: file })).toEqual({ value: 'ours', folder })
  expect(readSetting('catalog', 'apps-catalog', file, { PORTICO_CATALOG_FILE: file })).toBeUndefined()
})
