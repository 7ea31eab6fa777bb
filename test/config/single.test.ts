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

const PLAIN: [string, string, Record<string, string>][] = [
  ['nothing', '', {}],
  ['comments', '# nothing\n', {}],
  ['another setting', 'organisation: Kestrel\n', {}],
  ['the setting', 'organisation: Kestrel\ncatalog: ours # the folder\n\nsessions:\n  idle: 2h\n', {}],
  ['a path', 'catalog: /etc/portico/apps-catalog.d\r\nlog: { level: info }\r\n', {}],
  ['JSON', '{ "organisation": "Kestrel", "catalog": "ours" }', {}],
  ['the environment', '', { PORTICO_CATALOG: 'theirs' }],
  ['the environment over the file', 'catalog: ours\n', { PORTICO_CATALOG: 'theirs' }],
  ['a number that is a name', '', { PORTICO_CATALOG: '7' }],
]
test.each(PLAIN)('one setting is what all of them say: %s', (_, text, env) => {
  const { single, all } = both(text, env)
  expect(all.problems).toEqual([])
  expect(single).toEqual({ value: all.settings!.catalog, folder: all.folder })
})

test.each([
  ['quotes', 'catalog: "ou\\x72s"\n'],
  ['quotes around the key', '"catalog": ours\n'],
  ['an anchor', 'organisation: &name ours\ncatalog: *name\n'],
  ['lines', 'catalog: ours\n  and theirs\n'],
  ['lines with one between', 'catalog: ours\n\n  and theirs\n'],
  ['a folded text', 'catalog: >-\n  ours\n'],
  ['a document begins', '---\ncatalog: ours\n'],
  ['a flow over lines', '{\n catalog: ours }\n'],
])('what is said in another way is read by those who read all: %s', (_, text) => {
  const { single, all } = both(text)
  expect([all.problems, single]).toEqual([[], undefined])
})

test.each([
  ['a list', 'catalog: [a]\n'],
  ['a number', 'catalog: 7\n'],
  ['nothing after the colon', 'catalog:\n'],
  ['a key twice', 'catalog: a\ncatalog: b\n'],
  ['no keys', '- catalog\n'],
  ['text', 'catalog\n'],
  ['broken', 'catalog: "a\n'],
  ['yes', 'catalog: true\n'],
  ['nothing that is a word', 'catalog: null\n'],
  ['twice in JSON', '{ "catalog": "a", "catalog": "b" }'],
  ['no JSON', '{ "catalog": "a"'],
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
